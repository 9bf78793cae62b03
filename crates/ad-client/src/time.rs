//! The directory's two ways to write a time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Seconds from 1601 to 1970.
const EPOCH: i64 = 11_644_473_600;
const TICKS: i64 = 10_000_000;

/// A FILETIME: 100 ns since 1601. `None` for 0 (never, unset), for the maximum (never), and out of range.
pub(crate) fn filetime(ticks: i64) -> Option<Timestamp> {
    if ticks <= 0 || ticks == i64::MAX {
        return None;
    }
    let nanoseconds = i32::try_from(ticks % TICKS * 100).ok()?;
    Timestamp::new(ticks / TICKS - EPOCH, nanoseconds).ok()
}

/// A GeneralizedTime as Active Directory writes it: `YYYYMMDDhhmmss.0Z`.
pub(crate) fn generalized(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z')?.split('.').next()?;
    let (true, 14) = (digits.bytes().all(|c| c.is_ascii_digit()), digits.len()) else {
        return None;
    };
    let field = |from: usize, to: usize| digits.get(from..to)?.parse::<i8>().ok();
    let when = DateTime::new(
        digits.get(..4)?.parse().ok()?,
        field(4, 6)?,
        field(6, 8)?,
        field(8, 10)?,
        field(10, 12)?,
        field(12, 14)?,
        0,
    )
    .ok()?;
    TimeZone::UTC.to_timestamp(when).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_instant() {
        let expected: Timestamp = "2026-11-23T13:28:03Z".parse().unwrap();

        assert_eq!(generalized("20261123132803.0Z"), Some(expected));
        assert_eq!(
            filetime(116_444_736_000_000_000),
            Some(Timestamp::UNIX_EPOCH)
        );
        assert_eq!(
            filetime((expected.as_second() + EPOCH) * TICKS),
            Some(expected)
        );
    }

    #[test]
    fn never_and_nonsense_are_no_time() {
        for ticks in [0, -1, i64::MAX] {
            assert_eq!(filetime(ticks), None);
        }
        for text in [
            "",
            "2026",
            "20261323132803.0Z",
            "20261123132803.0",
            "2026112313280x.0Z",
        ] {
            assert_eq!(generalized(text), None, "{text}");
        }
    }
}

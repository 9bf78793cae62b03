//! Times, spans, counts and enum values in words.

use std::time::Duration;

use jiff::Timestamp;

/// The command began a moment before what it did; and clocks differ.
const JUST_NOW: Duration = Duration::from_secs(5);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A length of time, in its largest unit that is a fair description: `45 s`, `3 min`, `2 h 5 min`, `4 d`.
pub(crate) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let both = |large: u64, unit: &str, small: u64, of: &str| {
        if small == 0 || large >= 10 {
            format!("{large} {unit}")
        } else {
            format!("{large} {unit} {small} {of}")
        }
    };
    match seconds {
        0 if length.is_zero() => "0 s".to_owned(),
        0 => format!("{} ms", length.as_millis()),
        1..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => both(seconds / MINUTE, "min", seconds % MINUTE, "s"),
        HOUR..DAY => both(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        DAY.. => both(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    }
}

/// `3 min ago`; empty for no time.
pub(crate) fn ago(now: Timestamp, then: Option<&prost_types::Timestamp>) -> String {
    let Some(then) = then.and_then(timestamp) else {
        return String::new();
    };
    match Duration::try_from(now.duration_since(then)) {
        Ok(length) if length >= JUST_NOW => format!("{} ago", span(rough(length))),
        Ok(_) => "just now".to_owned(),
        Err(_) if then.duration_since(now).unsigned_abs() < JUST_NOW => "just now".to_owned(),
        Err(_) => from_now_at(now, then),
    }
}

/// `in 54 min`, or `now` when the time has come; empty for no time.
pub(crate) fn from_now(now: Timestamp, then: Option<&prost_types::Timestamp>) -> String {
    then.and_then(timestamp)
        .map(|then| from_now_at(now, then))
        .unwrap_or_default()
}

fn from_now_at(now: Timestamp, then: Timestamp) -> String {
    match Duration::try_from(then.duration_since(now)) {
        Ok(length) if length.as_secs() > 0 => format!("in {}", span(rough(length))),
        Ok(_) | Err(_) => "now".to_owned(),
    }
}

/// Relative times don't need the smaller of two units.
fn rough(length: Duration) -> Duration {
    let seconds = length.as_secs();
    let unit = match seconds {
        0..MINUTE => 1,
        MINUTE..HOUR => MINUTE,
        HOUR..DAY => HOUR,
        DAY.. => DAY,
    };
    Duration::from_secs(seconds - seconds % unit)
}

/// Date and time to the second, UTC; empty for no time.
pub(crate) fn date_time(time: Option<&prost_types::Timestamp>) -> String {
    time.and_then(timestamp)
        .map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}

fn timestamp(time: &prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// `1 person`, `2 people`.
pub(crate) fn count(n: i64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// An enum value's protobuf name without its enum's: `SYNC_RUN_STATE_HELD` and `SYNC_RUN_STATE_` make `held`.
pub(crate) fn word(value: &str, prefix: &str) -> String {
    value
        .strip_prefix(prefix)
        .unwrap_or(value)
        .to_lowercase()
        .replace('_', " ")
}

/// The last part of a resource name.
pub(crate) fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `text` without what would move a terminal's cursor or change its colours: names come from a directory that others
/// may write to.
pub(crate) fn printable(text: &str) -> String {
    let is_harmless = |c: char| c == '\n' || !c.is_control() && !is_direction(c);
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

/// Marks that reorder the text around them.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let cases = [
            (0, "0 s"),
            (45, "45 s"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (3 * 3600 + 300, "3 h 5 min"),
            (2 * 86400, "2 d"),
            (28 * 86400 + 3600, "28 d"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_time_is_told_relative_to_now() {
        let now = Timestamp::from_second(100_000).unwrap();
        let at = |seconds| prost_types::Timestamp { seconds, nanos: 0 };
        assert_eq!(ago(now, Some(&at(99_800))), "3 min ago");
        assert_eq!(ago(now, Some(&at(99_999))), "just now");
        assert_eq!(ago(now, Some(&at(100_001))), "just now");
        assert_eq!(ago(now, None), "");
        assert_eq!(from_now(now, Some(&at(103_700))), "in 1 h");
        assert_eq!(from_now(now, Some(&at(99_000))), "now");
    }

    #[test]
    fn a_name_from_the_directory_cannot_drive_the_terminal() {
        assert_eq!(
            printable("Zoë \u{1b}[2J\u{202e}x"),
            "Zoë \u{fffd}[2J\u{fffd}x"
        );
    }
}

//! When a password is due. All times are the directory's (R7): its clock sets them, and expires the password by them.

use directory::ObjectId;
use jiff::{SignedDuration, Timestamp};

use crate::machine::later;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The earliest after an account was enrolled (F14: enrolling never rotates at once).
const FIRST: SignedDuration = SignedDuration::from_hours(1);
/// First passwords are due within this time of enrolment, or within the schedule's days where they are fewer.
const FIRST_SPREAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How often passwords change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Days after which a password is changed, 1 to 180.
    pub days: u16,
    /// How long before the directory itself expires a password it is changed, at the least.
    pub lead: SignedDuration,
}

impl Schedule {
    /// The lead where nobody chose one.
    pub const LEAD: SignedDuration = SignedDuration::from_hours(3 * 24);

    /// When the password is due: so many days after it was set, and before the directory expires it; a stable part of a
    /// day earlier for each person, so that those who were set together are not due together; and not soon after
    /// enrolment.
    ///
    /// `set` is none where it was never set or must be changed at the next logon, `max_age` where it never expires.
    pub fn due(
        &self,
        object: ObjectId,
        set: Option<Timestamp>,
        max_age: Option<SignedDuration>,
        enrolled: Timestamp,
    ) -> Timestamp {
        let part = part(object);
        let days = DAY * i32::from(self.days);
        let every = match max_age {
            // An age as short as the lead would be due at once, again and again: half of it, then.
            Some(age) => days.min((age - self.lead).max(age / 2)),
            None => days,
        };
        let early = scaled(part, DAY.min(every / 10));
        let due = set.map_or(enrolled, |set| later(set, every - early));
        let spread = FIRST_SPREAD.min(days);
        let first = later(enrolled, FIRST + scaled(part, spread - FIRST));
        due.max(first)
    }

    /// When the directory will expire the password by itself; none where it does not.
    pub fn expires(set: Option<Timestamp>, max_age: Option<SignedDuration>) -> Option<Timestamp> {
        Some(later(set?, max_age?))
    }
}

/// A number of the object, 0 to 65,535, the same each time and spread evenly.
fn part(object: ObjectId) -> u16 {
    // SplitMix64's finalizer: object ids of some directories are sequential.
    let mix = |mut word: u64| {
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    let (high, low) = object.as_uuid().as_u64_pair();
    (mix(high ^ mix(low)) >> 48) as u16
}

fn scaled(part: u16, whole: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(whole.as_secs() / 65_536 * i64::from(part))
        + SignedDuration::from_secs(whole.as_secs() % 65_536 * i64::from(part) / 65_536)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const MONTH: Schedule = Schedule {
        days: 28,
        lead: Schedule::LEAD,
    };

    fn object(number: u128) -> ObjectId {
        ObjectId::from_uuid(Uuid::from_u128(number + 1)).unwrap()
    }

    fn days(days: i32) -> SignedDuration {
        DAY * days
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_password_is_due_after_its_days_at_most_a_day_early() {
        let (enrolled, set) = (time("2026-01-01T00:00:00Z"), time("2026-11-01T00:00:00Z"));
        for number in 0..100 {
            let due = MONTH.due(object(number), Some(set), None, enrolled);
            let after = due.duration_since(set);
            assert!(after <= days(28) && after > days(27), "{after:?}");
        }
    }

    #[test]
    fn the_directorys_own_expiry_comes_first_by_the_lead() {
        let (enrolled, set) = (time("2026-01-01T00:00:00Z"), time("2026-11-01T00:00:00Z"));
        for number in 0..100 {
            let due = MONTH.due(object(number), Some(set), Some(days(10)), enrolled);
            assert!(due.duration_since(set) <= days(7), "{due}");
            let due = MONTH.due(object(number), Some(set), Some(days(2)), enrolled);
            let after = due.duration_since(set);
            assert!(after <= days(1) && after > days(1) * 4 / 5, "{after:?}");
        }
    }

    proptest! {
        /// However old the passwords are, nobody is due within the hour, and nobody waits for longer than the days.
        #[test]
        fn enrolment_rotates_nobody_at_once(number in 0..u128::MAX / 2, age in 0..20_000_i64, of in 1..=180_u16) {
            let schedule = Schedule { days: of, lead: Schedule::LEAD };
            let enrolled = time("2026-11-26T12:00:00Z");
            let set = enrolled - SignedDuration::from_hours(age);

            let due = schedule.due(object(number), Some(set), Some(days(42)), enrolled);

            prop_assert!(due >= enrolled + FIRST);
            prop_assert!(due <= enrolled + days(i32::from(of)).max(FIRST_SPREAD));
        }
    }

    #[test]
    fn first_passwords_are_spread_evenly() {
        let enrolled = time("2026-11-26T12:00:00Z");
        let mut per_day = [0; 8];
        for number in 0..10_000 {
            let due = MONTH.due(object(number), None, None, enrolled);
            let day = due.duration_since(enrolled).as_hours() / 24;
            per_day[usize::try_from(day).unwrap()] += 1;
        }
        for count in &per_day[..7] {
            assert!((1_200..1_700).contains(count), "{per_day:?}");
        }
    }
}

//! When a domain is synced next. Pure: chance comes in as a fraction.

use std::time::Duration;

use jiff::Timestamp;

use crate::failure::FailureReason;

/// Each interval is moved at random by up to this share, so that many domains don't read at the same instant.
const JITTER: f64 = 0.1;

/// A refused logon is not repeated sooner: a directory locks accounts that fail too often.
const AFTER_REFUSED_BIND: Duration = Duration::from_mins(30);

/// What became of the last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Well,
    /// It failed, the so-maniest in a row, from 1.
    Failed {
        reason: FailureReason,
        passing: bool,
        in_a_row: u32,
    },
}

/// When the next run is due. `fraction` is at least 0 and less than 1.
pub(crate) fn next_run(
    now: Timestamp,
    last: Last,
    interval: Duration,
    first_retry: Duration,
    fraction: f64,
) -> Timestamp {
    let wait = match last {
        Last::Well => interval,
        Last::Failed {
            reason: FailureReason::BindRefused,
            ..
        } => interval.max(AFTER_REFUSED_BIND),
        Last::Failed { passing: false, .. } => interval,
        Last::Failed {
            passing: true,
            in_a_row,
            ..
        } => {
            let doublings = in_a_row.saturating_sub(1).min(16);
            interval.min(first_retry.saturating_mul(1 << doublings))
        }
    };
    let factor = 1.0 + JITTER * (2.0 * fraction - 1.0);
    let wait = Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(wait);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_each_time_and_never_longer_than_the_interval() {
        let wait = |reason, passing, in_a_row| {
            let last = Last::Failed {
                reason,
                passing,
                in_a_row,
            };
            let hour = Duration::from_hours(1);
            let retry = Duration::from_secs(30);
            let next = next_run(Timestamp::UNIX_EPOCH, last, hour, retry, 0.5);
            next.as_second()
        };
        use FailureReason as R;

        assert_eq!(wait(R::Unreachable, true, 1), 30);
        assert_eq!(wait(R::Unreachable, true, 3), 120);
        assert_eq!(wait(R::Unreachable, true, 1000), 3600);
        assert_eq!(wait(R::GroupMissing, false, 1), 3600);
    }

    #[test]
    fn a_refused_logon_is_not_repeated_every_minute() {
        let last = Last::Failed {
            reason: FailureReason::BindRefused,
            passing: false,
            in_a_row: 1,
        };
        let minute = Duration::from_mins(1);

        let next = next_run(Timestamp::UNIX_EPOCH, last, minute, minute, 0.5);

        assert_eq!(next.as_second(), 30 * 60);
    }

    #[test]
    fn no_two_domains_read_at_the_same_instant() {
        let at = |fraction| {
            let hour = Duration::from_hours(1);
            next_run(Timestamp::UNIX_EPOCH, Last::Well, hour, hour, fraction)
        };

        assert_eq!(at(0.0).as_second(), 3240);
        assert!(at(0.999).as_second() > 3950);
    }
}

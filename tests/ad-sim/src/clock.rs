//! The domain's time: as it is set, and forward as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Ticks of 100 ns from 1601 to 1970.
const EPOCH: i64 = 116_444_736_000_000_000;
/// Ticks in a second.
const SECOND: i64 = 10_000_000;

/// A clock that all domain controllers of a simulation share. It stands still unless it follows the machine's.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The time where it stands, or how far it is ahead of the machine's; in ticks.
    ticks: AtomicI64,
    follows: bool,
}

impl Clock {
    /// Stands at a time until it is moved.
    pub fn standing(at: Timestamp) -> Self {
        Self(Arc::new(Inner {
            ticks: AtomicI64::new(from_timestamp(at)),
            follows: false,
        }))
    }

    /// Goes with the machine's clock.
    pub fn following() -> Self {
        Self(Arc::new(Inner {
            ticks: AtomicI64::new(0),
            follows: true,
        }))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let ticks = i64::try_from(by.as_nanos() / 100).unwrap_or(i64::MAX);
        self.0.ticks.fetch_add(ticks, Ordering::SeqCst);
    }

    /// In ticks of 100 ns since 1601, as a FILETIME.
    pub(crate) fn now(&self) -> i64 {
        let ticks = self.0.ticks.load(Ordering::SeqCst);
        if !self.0.follows {
            return ticks;
        }
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = Timestamp::now();
        from_timestamp(now) + ticks
    }
}

fn from_timestamp(at: Timestamp) -> i64 {
    at.as_second() * SECOND + i64::from(at.subsec_nanosecond()) / 100 + EPOCH
}

/// `YYYYMMDDHHMMSS.0Z`.
pub(crate) fn generalized(ticks: i64) -> String {
    let at = Timestamp::from_second((ticks - EPOCH).div_euclid(SECOND)).unwrap_or_default();
    at.strftime("%Y%m%d%H%M%S.0Z").to_string()
}

/// Seconds since 1601, as replication metadata counts them.
pub(crate) fn seconds(ticks: i64) -> i64 {
    ticks.div_euclid(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_until_it_is_moved() {
        let clock = Clock::standing("2026-03-01T12:00:00Z".parse().unwrap());

        assert_eq!(generalized(clock.now()), "20260301120000.0Z");
        clock.advance(Duration::from_secs(61));
        assert_eq!(generalized(clock.now()), "20260301120101.0Z");
        assert_eq!(
            from_timestamp("1970-01-01T00:00:00Z".parse().unwrap()),
            EPOCH
        );
    }
}

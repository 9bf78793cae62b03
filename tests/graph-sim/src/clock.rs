//! The service's time: as it is set, and forward as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// A clock that tokens, secrets and delta tokens expire by. It stands still unless it follows the machine's.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The time where it stands, or how far it is ahead of the machine's; in milliseconds.
    millis: AtomicI64,
    follows: bool,
}

impl Clock {
    /// Stands at a time until it is moved.
    pub fn standing(at: Timestamp) -> Self {
        Self(Arc::new(Inner {
            millis: AtomicI64::new(at.as_millisecond()),
            follows: false,
        }))
    }

    /// Goes with the machine's clock.
    pub fn following() -> Self {
        Self(Arc::new(Inner {
            millis: AtomicI64::new(0),
            follows: true,
        }))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        let millis = self.0.millis.load(Ordering::SeqCst);
        let base = match self.0.follows {
            true => {
                #[expect(clippy::disallowed_methods, reason = "this is the clock")]
                let now = Timestamp::now();
                now.as_millisecond()
            }
            false => 0,
        };
        Timestamp::from_millisecond(base.saturating_add(millis)).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_until_it_is_moved() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Clock::standing(start);
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().duration_since(start).as_millis(), 1_500);
    }
}

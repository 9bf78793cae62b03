//! How long to wait before trying again.

use std::time::Duration;

use runtime::Ids;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(2);
const JITTER: f64 = 0.2;

/// Doubles with each failure in a row, up to a limit, and is never the same on two replicas.
pub(crate) fn backoff(ids: &Ids, failures: u32) -> Duration {
    let pause = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    ids.jitter(pause.min(LONGEST), JITTER)
}

//! Waiting for something to become true.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Calls `probe` until it answers `Some`, at growing intervals, and gives up after `deadline`.
///
/// `what` completes the sentence "gave up after 10s waiting for …".
pub async fn poll_until<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> Result<T> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(answer) = probe().await {
            return Ok(answer);
        }
        if started.elapsed() >= deadline {
            bail!("gave up after {deadline:?} waiting for {what}");
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

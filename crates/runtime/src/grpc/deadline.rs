//! When a call must have ended.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::status::{Failure, Reason};

const GRPC_TIMEOUT: &str = "grpc-timeout";

tokio::task_local! {
    static DEADLINE: Instant;
}

/// How long the call in hand still has. Calls made on its behalf get no longer. `None` outside a call: work that
/// outlives it sets its own limits.
pub fn remaining() -> Option<Duration> {
    DEADLINE
        .try_with(|deadline| deadline.saturating_duration_since(Instant::now()))
        .ok()
}

pub(super) async fn within<F: Future>(deadline: Instant, future: F) -> F::Output {
    DEADLINE.scope(deadline, future).await
}

pub(super) fn within_sync<T>(deadline: Instant, work: impl FnOnce() -> T) -> T {
    DEADLINE.sync_scope(deadline, work)
}

pub(super) fn exceeded() -> Failure {
    Failure::new(
        Reason::DeadlineExceeded,
        "the call's deadline passed before it was answered; what it asked for may still happen",
    )
}

/// The client's `grpc-timeout`. One that is malformed counts as none.
pub(super) fn requested(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Writes `grpc-timeout`, in the finest unit that its eight digits can hold.
pub(super) fn announce(headers: &mut HeaderMap, timeout: Duration) {
    const MAX: u128 = 99_999_999;
    let (count, unit) = [
        (timeout.as_micros(), 'u'),
        (timeout.as_millis(), 'm'),
        (u128::from(timeout.as_secs()), 'S'),
        (u128::from(timeout.as_secs() / 60), 'M'),
    ]
    .into_iter()
    .find(|(count, _)| *count <= MAX)
    .unwrap_or((MAX, 'M'));
    if let Ok(value) = HeaderValue::from_str(&format!("{count}{unit}")) {
        headers.insert(GRPC_TIMEOUT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(timeout: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(GRPC_TIMEOUT),
            HeaderValue::from_static(timeout),
        )])
    }

    #[test]
    fn a_timeout_is_read_in_every_unit_and_ignored_when_malformed() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("123456789S", None),
            ("S", None),
            ("", None),
            ("1", None),
            ("-1S", None),
            ("1x", None),
        ] {
            assert_eq!(requested(&headers(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_written_timeout_is_read_back() {
        for timeout in [
            Duration::from_micros(1500),
            Duration::from_secs(30),
            Duration::from_secs(3600),
            Duration::from_secs(24 * 3600),
            Duration::from_secs(99_999_999),
        ] {
            let mut headers = HeaderMap::new();
            announce(&mut headers, timeout);
            assert_eq!(requested(&headers), Some(timeout));
        }
    }
}

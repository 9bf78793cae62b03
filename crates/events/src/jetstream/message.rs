//! Events as messages.

use async_nats::HeaderMap;

use crate::Envelope;

/// An event's headers, and more.
pub(super) fn headers(event: &Envelope) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in event.headers() {
        headers.insert(name, value);
    }
    headers
}

/// The event in a message; nothing where it is none.
pub(super) fn envelope(
    subject: &str,
    headers: Option<&HeaderMap>,
    payload: &[u8],
) -> Option<Envelope> {
    let subject = subject.parse().ok()?;
    let header = |name| header(headers?, name);
    Envelope::from_message(subject, header, payload.to_vec()).ok()
}

pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.as_str())
}

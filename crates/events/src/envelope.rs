//! An event on its way, with its CloudEvents 1.0 attributes in binary mode.

use jiff::Timestamp;
use uuid::Uuid;

use crate::Subject;

/// An event: what the outbox stores and the bus carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// One id for the event's whole life: the outbox row's, `ce-id` and `Nats-Msg-Id`.
    pub id: Uuid,
    pub subject: Subject,
    /// When it happened.
    pub time: Timestamp,
    /// An encoded `hes.event.v1.Event`.
    pub payload: Vec<u8>,
    /// W3C trace context of the change.
    pub traceparent: Option<String>,
}

/// Why headers are not those of an [`Envelope`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header `{0}` is missing or malformed")]
pub struct EnvelopeError(&'static str);

impl Envelope {
    /// The headers a message has beside its subject and body.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let subject = &self.subject;
        let mut headers = vec![
            ("Nats-Msg-Id", self.id.to_string()),
            ("ce-id", self.id.to_string()),
            ("ce-specversion", "1.0".to_owned()),
            ("ce-source", format!("/hes/{}", subject.family())),
            (
                "ce-type",
                format!(
                    "hes.{}.{}.{}",
                    subject.family(),
                    subject.what(),
                    subject.verb()
                ),
            ),
            ("ce-subject", subject.scope()),
            ("ce-time", self.time.to_string()),
            ("content-type", "application/protobuf".to_owned()),
        ];
        headers.extend(self.traceparent.clone().map(|value| ("traceparent", value)));
        headers
    }

    /// The envelope that has these headers.
    pub fn from_message<'h>(
        subject: Subject,
        header: impl Fn(&'static str) -> Option<&'h str>,
        payload: Vec<u8>,
    ) -> Result<Self, EnvelopeError> {
        fn parsed<T: std::str::FromStr>(
            name: &'static str,
            value: Option<&str>,
        ) -> Result<T, EnvelopeError> {
            value
                .and_then(|value| value.parse().ok())
                .ok_or(EnvelopeError(name))
        }
        Ok(Self {
            id: parsed("ce-id", header("ce-id"))?,
            time: parsed("ce-time", header("ce-time"))?,
            traceparent: header("traceparent").map(str::to_owned),
            subject,
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_survives_the_trip_through_headers() {
        let envelope = Envelope {
            id: Uuid::from_u128(7),
            subject: "hes.directory.corp%2Eexample.account.created"
                .parse()
                .unwrap(),
            time: "2026-11-23T10:00:00.123456Z".parse().unwrap(),
            payload: vec![1, 2, 3],
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        };
        let headers = envelope.headers();
        let find = |name| {
            headers
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.as_str())
        };

        let back = Envelope::from_message(envelope.subject.clone(), find, vec![1, 2, 3]);

        assert_eq!(back, Ok(envelope.clone()));
        assert_eq!(find("ce-type"), Some("hes.directory.account.created"));
        assert_eq!(find("ce-subject"), Some("corp.example"));
        assert_eq!(find("Nats-Msg-Id"), find("ce-id"));
    }
}

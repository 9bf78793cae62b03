//! What consumers have missed: events they gave up on, and whether they have to take a snapshot. NATS itself forgets an
//! event that was delivered too often, so we see to it.

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{
    DeleteMessageError, DeleteMessageErrorKind, LastRawMessageError, LastRawMessageErrorKind,
    Stream,
};
use futures::StreamExt as _;

use super::connection::Connection;
use super::error::Error;
use super::{message, streams};
use crate::{DeadLetter, Envelope};

const SUBJECT: &str = "hes-subject";
const SEQUENCE: &str = "hes-sequence";
const ATTEMPTS: &str = "hes-attempts";

/// The two streams of it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger {
    connection: Connection,
    dead: Stream,
    gaps: Stream,
}

/// A consumer's gap, as it stands.
pub(super) struct Gap {
    sequence: u64,
    pub(super) reason: String,
}

impl Ledger {
    pub(super) async fn open(connection: Connection, replicas: usize) -> Result<Self, Error> {
        Ok(Self {
            dead: streams::ensure(&connection, streams::of_dead_letters(replicas)).await?,
            gaps: streams::ensure(&connection, streams::of_gaps(replicas)).await?,
            connection,
        })
    }

    /// Notes a gap, durably. A reason noted before gives way to it.
    pub(super) async fn mark(&self, consumer: &str, reason: &str) -> Result<(), Error> {
        let published = self
            .connection
            .context
            .publish(gap_subject(consumer), reason.to_owned().into());
        let noted = self.connection.ask("note a gap", published).await?;
        self.connection.ask("note a gap", noted).await.map(|_| ())
    }

    pub(super) async fn gap(&self, consumer: &str) -> Result<Option<Gap>, Error> {
        let subject = gap_subject(consumer);
        let found = self
            .connection
            .ask(
                "look for a gap",
                self.gaps.get_last_raw_message_by_subject(&subject),
            )
            .await;
        match found {
            Ok(message) => Ok(Some(Gap {
                sequence: message.sequence,
                reason: String::from_utf8_lossy(&message.payload).into_owned(),
            })),
            Err(error)
                if error.is(|error: &LastRawMessageError| {
                    matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound)
                }) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Closes a gap. One that was noted since stays open.
    pub(super) async fn close(&self, gap: &Gap) -> Result<(), Error> {
        let closed = self
            .connection
            .ask("close a gap", self.gaps.delete_message(gap.sequence))
            .await;
        match closed {
            Ok(_) => Ok(()),
            // Gone already: another replica closed it, or a newer one took its place.
            Err(error) if error.is(is_gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Keeps an event that a consumer gave up on, once, and notes the gap that it leaves.
    pub(super) async fn bury(&self, consumer: &str, letter: &DeadLetter) -> Result<(), Error> {
        let event = &letter.envelope;
        let mut headers = message::headers(event);
        headers.insert("Nats-Msg-Id", format!("{consumer}:{}", letter.sequence));
        headers.insert(SUBJECT, event.subject.as_str());
        headers.insert(SEQUENCE, letter.sequence.to_string());
        headers.insert(ATTEMPTS, letter.attempts.to_string());
        let published = self.connection.context.publish_with_headers(
            dead_subject(consumer),
            headers,
            event.payload.clone().into(),
        );
        let kept = self.connection.ask("keep a dead letter", published).await?;
        self.connection.ask("keep a dead letter", kept).await?;
        self.mark(consumer, "an event could not be applied").await?;
        metrics::counter!("hes_dead_letters_total", "consumer" => consumer.to_owned()).increment(1);
        Ok(())
    }

    /// What a consumer gave up on, oldest first.
    pub(super) async fn dead(&self, consumer: &str) -> Result<Vec<DeadLetter>, Error> {
        let doing = "read dead letters";
        let reader = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            filter_subject: dead_subject(consumer),
            inactive_threshold: std::time::Duration::from_secs(30),
            ..pull::Config::default()
        };
        let reader = self
            .connection
            .ask(doing, self.dead.create_consumer(reader))
            .await?;
        let mut letters = Vec::new();
        loop {
            let page = reader.fetch().max_messages(256).messages();
            let mut page = self.connection.ask(doing, page).await?;
            let before = letters.len();
            let mut read = 0;
            while let Some(message) = page.next().await {
                let message =
                    message.map_err(|error| self.connection.failed(doing, error.into()))?;
                read += 1;
                letters.extend(
                    message
                        .headers
                        .as_ref()
                        .and_then(|headers| letter(headers, &message.payload)),
                );
            }
            if read == 0 {
                break;
            }
            debug_assert!(letters.len() >= before);
        }
        Ok(letters)
    }
}

fn is_gone(error: &DeleteMessageError) -> bool {
    matches!(error.kind(), DeleteMessageErrorKind::JetStream(_))
}

fn letter(headers: &HeaderMap, payload: &[u8]) -> Option<DeadLetter> {
    let number = |name| message::header(headers, name)?.parse().ok();
    let envelope: Envelope =
        message::envelope(message::header(headers, SUBJECT)?, Some(headers), payload)?;
    Some(DeadLetter {
        envelope,
        sequence: number(SEQUENCE)?,
        attempts: number(ATTEMPTS)?.try_into().ok()?,
    })
}

fn gap_subject(consumer: &str) -> String {
    format!("hes-gap.{consumer}")
}

fn dead_subject(consumer: &str) -> String {
    format!("hes-dead.{consumer}")
}

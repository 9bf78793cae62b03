//! What is told on the bus: written to the outbox in the transaction of the change it tells of.

use api::event::v1::{Event, event::Payload};
use directory::DomainId;
use jiff::Timestamp;
use prost::Message as _;
use runtime::Ids;
use storage::Transaction;

use crate::store::{Result, StoreError};

/// Family, scope, what, verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    family: &'static str,
    scope: String,
    what: &'static str,
    verb: &'static str,
}

impl Subject {
    pub(crate) fn domain(domain: &DomainId, what: &'static str, verb: &'static str) -> Self {
        Self {
            family: "config",
            scope: domain.to_string(),
            what,
            verb,
        }
    }

    /// `name` is the employee's resource name.
    pub(crate) fn employee(name: &str, what: &'static str, verb: &'static str) -> Self {
        Self {
            family: "employee",
            scope: name.rsplit('/').next().unwrap_or(name).to_owned(),
            what,
            verb,
        }
    }
}

/// Writes an event to the outbox.
pub(crate) async fn announce(
    tx: &mut Transaction,
    ids: &Ids,
    now: Timestamp,
    subject: Subject,
    payload: Payload,
) -> Result<()> {
    let Subject {
        family,
        scope,
        what,
        verb,
    } = subject;
    let subject = events::Subject::new(family, &scope, what, verb)
        .map_err(|_| StoreError::corrupt("event of", &scope))?;
    let event = Event {
        payload: Some(payload),
    };
    let envelope = events::Envelope {
        id: ids.uuid_at(now),
        traceparent: runtime::telemetry::sent(subject.as_str()),
        subject,
        time: now,
        payload: event.encode_to_vec(),
    };
    events::outbox::append(tx, [&envelope]).await?;
    Ok(())
}

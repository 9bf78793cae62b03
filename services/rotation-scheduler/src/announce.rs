//! What is told on the bus, written to the outbox in the transaction of the change it tells of; what is to be audited is
//! told in the same way, to config-service, which keeps the log.

use std::collections::BTreeMap;

use api::convert::time;
use api::event::v1::{
    AuditRecorded, DomainRotationChanged, Event, RotationChanged, TargetChanged, event::Payload,
};
use api::name::DomainName;
use jiff::Timestamp;
use prost::Message as _;
use runtime::Ids;
use storage::Transaction;

use crate::message;
use crate::store::{DomainRow, Result, RotationRow, StoreError, TargetRow};

const FAMILY: &str = "rotation";
/// The scope of what concerns no domain and no employee.
const INSTALLATION: &str = "installation";

async fn announce(
    tx: &mut Transaction,
    ids: &Ids,
    now: Timestamp,
    (scope, what, verb): (&str, &'static str, &str),
    payload: Payload,
) -> Result<()> {
    let subject = events::Subject::new(FAMILY, scope, what, verb)
        .map_err(|_| StoreError::corrupt("event of", scope))?;
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

pub(crate) async fn rotation(
    tx: &mut Transaction,
    ids: &Ids,
    now: Timestamp,
    row: &RotationRow,
    verb: &str,
) -> Result<()> {
    let payload = Payload::RotationChanged(RotationChanged {
        rotation: Some(message::rotation(row)),
    });
    let place = (row.account.domain.as_str(), "rotation", verb);
    announce(tx, ids, now, place, payload).await
}

pub(crate) async fn domain(
    tx: &mut Transaction,
    ids: &Ids,
    now: Timestamp,
    row: &DomainRow,
    verb: &str,
) -> Result<()> {
    let (breaker, breaker_message) = row
        .breaker
        .as_ref()
        .map(|breaker| (breaker.name.clone(), breaker.message.clone()))
        .unwrap_or_default();
    let payload = Payload::DomainRotationChanged(DomainRotationChanged {
        domain: DomainName(row.id.clone()).to_string(),
        paused: row.paused_by.is_some(),
        breaker,
        breaker_message,
    });
    announce(tx, ids, now, (row.id.as_str(), "domain", verb), payload).await
}

pub(crate) async fn target(
    tx: &mut Transaction,
    ids: &Ids,
    now: Timestamp,
    row: &TargetRow,
    verb: &str,
) -> Result<()> {
    let payload = Payload::TargetChanged(TargetChanged {
        target: Some(message::target(row)),
    });
    let scope = row.employee.to_string();
    announce(tx, ids, now, (&scope, "target", verb), payload).await
}

/// Something for the audit log. Never a secret, and never a person's name: the log can't be corrected later.
#[derive(Clone, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) actor: &'a str,
    pub(crate) action: &'static str,
    pub(crate) resource: String,
    pub(crate) done: bool,
    details: BTreeMap<String, String>,
}

impl<'a> Record<'a> {
    pub(crate) fn new(actor: &'a str, action: &'static str, resource: impl ToString) -> Self {
        Self {
            actor,
            action,
            resource: resource.to_string(),
            done: true,
            details: BTreeMap::new(),
        }
    }

    pub(crate) fn failed(mut self) -> Self {
        self.done = false;
        self
    }

    pub(crate) fn detail(mut self, key: &str, value: impl ToString) -> Self {
        self.details.insert(key.to_owned(), value.to_string());
        self
    }
}

/// Tells config-service what to audit.
pub(crate) async fn audit(
    tx: &mut Transaction,
    ids: &Ids,
    now: Timestamp,
    record: Record<'_>,
) -> Result<()> {
    let scope = record
        .resource
        .strip_prefix("domains/")
        .and_then(|rest| rest.split('/').next())
        .filter(|domain| !domain.is_empty())
        .unwrap_or(INSTALLATION)
        .to_owned();
    let payload = Payload::AuditRecorded(AuditRecorded {
        actor: record.actor.to_owned(),
        action: record.action.to_owned(),
        resource: record.resource,
        done: record.done,
        details: record.details.into_iter().collect(),
        time: Some(time::to_proto(now)),
    });
    announce(tx, ids, now, (&scope, "audit", "recorded"), payload).await
}

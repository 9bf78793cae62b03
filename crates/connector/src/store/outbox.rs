//! Events, written in the transaction of the change they tell of.

use api::connector::v1::SyncRun;
use api::directory::v1::DirectoryPinned;
use api::event::v1 as event;
use api::name::{DomainName, SyncRunName};
use directory::{DomainId, Presence};
use events::{Envelope, Subject};
use jiff::Timestamp;
use prost::Message;
use runtime::Ids;
use storage::Transaction;
use sync::{Change, RunId, RunState};

use super::{Error, codec};

/// What every event needs.
#[derive(Clone, Copy)]
pub(super) struct Teller<'a> {
    pub(super) ids: &'a Ids,
    pub(super) now: Timestamp,
    pub(super) domain: &'a DomainId,
}

impl Teller<'_> {
    fn envelope(
        self,
        family: &str,
        what: &str,
        verb: &str,
        payload: event::event::Payload,
    ) -> Result<Envelope, Error> {
        let subject = Subject::new(family, self.domain.as_str(), what, verb)?;
        Ok(Envelope {
            id: self.ids.uuid_at(self.now),
            traceparent: runtime::telemetry::sent(subject.as_str()),
            subject,
            time: self.now,
            payload: event::Event {
                payload: Some(payload),
            }
            .encode_to_vec(),
        })
    }

    async fn append(
        self,
        tx: &mut Transaction,
        family: &str,
        what: &str,
        verb: &str,
        payload: event::event::Payload,
    ) -> Result<(), Error> {
        let event = self.envelope(family, what, verb, payload)?;
        events::outbox::append(tx, [&event]).await?;
        Ok(())
    }

    /// Accounts changed; `generation_base` as in `domains`.
    pub(super) async fn accounts(
        self,
        tx: &mut Transaction,
        run: RunId,
        changes: impl Iterator<Item = &Change>,
        generation_base: i64,
    ) -> Result<(), Error> {
        let told: Vec<Envelope> = changes
            .map(|change| self.account(run, change, generation_base))
            .collect::<Result<_, _>>()?;
        events::outbox::append(tx, &told).await?;
        Ok(())
    }

    fn account(self, run: RunId, change: &Change, generation_base: i64) -> Result<Envelope, Error> {
        let verb = match (change.before, change.after.presence) {
            (_, Presence::Left | Presence::Deleted) => "removed",
            (None, Presence::Member | Presence::RotationOnly) => "created",
            (Some(_), Presence::Member | Presence::RotationOnly) => "updated",
        };
        let mut changed_fields: Vec<String> = change
            .fields
            .iter()
            .map(|field| super::view::field_name(field.field).to_owned())
            .collect();
        if change
            .before
            .is_some_and(|before| before.presence != change.after.presence)
        {
            changed_fields.push("presence".to_owned());
        }
        let payload = event::AccountChanged {
            account: Some(codec::told(self.domain, &change.after, generation_base)),
            sync_run: SyncRunName {
                domain: Some(self.domain.clone()),
                run: run.0,
            }
            .to_string(),
            changed_fields,
        };
        let payload = event::event::Payload::AccountChanged(payload);
        self.envelope("directory", "account", verb, payload)
    }

    /// The directory, or its groups, turned out to be something else than was known.
    pub(super) async fn pinned(
        self,
        tx: &mut Transaction,
        pinned: DirectoryPinned,
    ) -> Result<(), Error> {
        let payload = DirectoryPinned {
            domain: DomainName(self.domain.clone()).to_string(),
            ..pinned
        };
        let payload = event::event::Payload::DirectoryPinned(payload);
        self.append(tx, "directory", "domain", "pinned", payload)
            .await
    }

    /// A run reached a state that people care about; others are not told. A run that found nothing to do is none.
    pub(super) async fn run(
        self,
        tx: &mut Transaction,
        state: RunState,
        run: SyncRun,
    ) -> Result<(), Error> {
        let verb = match state {
            RunState::Held => "held",
            RunState::Approved => "approved",
            RunState::Rejected => "rejected",
            RunState::Expired => "expired",
            RunState::Superseded => "superseded",
            RunState::Applied => "applied",
            RunState::Failed => "failed",
            RunState::Queued
            | RunState::Reading
            | RunState::Planning
            | RunState::Applying
            | RunState::NothingToDo
            | RunState::DryRun => return Ok(()),
        };
        let payload = event::SyncRunChanged {
            sync_run: Some(run),
        };
        let payload = event::event::Payload::SyncRunChanged(payload);
        self.append(tx, "sync", "run", verb, payload).await
    }
}

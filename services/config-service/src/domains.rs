//! Domains, their credentials and their passwordless logon settings.
//!
//! Every change is one transaction: what is stored, what is audited, and what is told on the bus.

mod changes;
mod create;
mod credentials;
mod error;
mod message;
mod passwordless;
mod read;
mod remove;
mod secret;
mod test;
mod update;
mod vault;

use directory::{DirectoryKind, DomainId};
use jiff::Timestamp;
use runtime::Ids;
use sealing::Sealer;
use storage::{Database, Transaction};

pub(crate) use error::DomainError;
pub(crate) use message::{domain_message, domain_name};
pub(crate) use read::domain_id;
pub(crate) use secret::Secret;

use crate::announce::{Subject, announce};
use crate::audit::Record;
use crate::store::{self, DomainRow};
use api::event::v1::{DomainChanged, event::Payload};

/// Who asks, and when.
#[derive(Clone, Debug)]
pub(crate) struct By {
    pub(crate) actor: String,
    pub(crate) now: Timestamp,
}

/// The domains of the installation.
#[derive(Clone)]
pub(crate) struct Domains {
    pub(crate) db: Database,
    pub(crate) ids: Ids,
    pub(crate) sealer: Sealer,
}

impl Domains {
    /// A domain that may be changed: there, and not deleted.
    async fn live(&self, tx: &mut Transaction, id: &DomainId) -> Result<DomainRow, DomainError> {
        let row = store::domain(tx, id)
            .await?
            .ok_or_else(|| DomainError::NotFound(id.clone()))?;
        match row.deleted {
            None => Ok(row),
            Some(_) => Err(DomainError::Deleted(id.clone())),
        }
    }

    /// Audits a change of a domain and tells it.
    async fn changed(
        &self,
        tx: &mut Transaction,
        row: &DomainRow,
        what: &'static str,
        verb: &'static str,
        fields: Vec<String>,
        record: Record,
    ) -> Result<(), DomainError> {
        let time = record.time;
        store::append(tx, record).await?;
        let payload = Payload::DomainChanged(DomainChanged {
            domain: Some(domain_message(row)),
            changed_fields: fields,
            change_time: Some(api::convert::time::to_proto(time)),
        });
        announce(
            tx,
            &self.ids,
            time,
            Subject::domain(&row.id, what, verb),
            payload,
        )
        .await?;
        Ok(())
    }
}

impl By {
    fn record(&self, action: &'static str, domain: &DomainId) -> Record {
        self.record_of(action, &domain_name(domain))
    }

    pub(crate) fn record_of(&self, action: &'static str, resource: &str) -> Record {
        Record::done(self.now, self.actor.as_str(), action, resource)
    }
}

/// The kind as people read it.
pub(crate) fn kind_name(kind: DirectoryKind) -> &'static str {
    match kind {
        DirectoryKind::ActiveDirectory => "Active Directory",
        DirectoryKind::EntraId => "Entra ID",
    }
}

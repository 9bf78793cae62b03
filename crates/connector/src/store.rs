//! The last known state of every domain, and their runs, in the connector's own database.

mod clean;
mod codec;
mod compare;
mod domains;
mod doubt;
mod held;
mod lists;
mod outbox;
mod plan;
mod port;
mod runs;
mod schedule;
mod snapshot;
mod stage;
mod view;

use std::sync::Arc;
use std::time::Duration;

use directory::DomainId;
use events::Waker;
use runtime::{Ids, SharedClock};
use storage::lease::{self, Lease};
use storage::{Database, Migrations};
use tokio::sync::watch;

pub use domains::Domain;
pub use doubt::GroupsInDoubt;
pub use lists::PageOf;
pub use port::DomainStore;
pub use runs::{Asked, Decided, NewRun, Run};
pub use schedule::Schedule;
pub use snapshot::{People, Snapshot};

use crate::source::Observed;

/// The schema of this crate: the database of a connector is opened with it.
pub const MIGRATIONS: Migrations = storage::migrations![
    "0001_known_state",
    "0002_runs",
    "0003_held_and_forgotten",
    "0004_trace",
    "0005_staged_in_order"
];

/// A statement failed, or a row holds what this program never writes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database did not do what it was asked")]
    Storage(#[from] storage::Error),
    #[error("an event could not be written")]
    Event(#[from] events::SubjectError),
    #[error(
        "a stored {0} cannot be read: the database was written by another version, or is damaged"
    )]
    Corrupt(&'static str),
    /// Somebody else decided meanwhile.
    #[error("the run is {0}, and cannot go on from there")]
    Moved(sync::RunState),
    #[error("there is no such run")]
    NoSuchRun,
    #[error("there is no such domain")]
    NoSuchDomain,
    #[error("the domain {0} has become this directory meanwhile")]
    Taken(DomainId),
}

impl Error {
    /// Whether the same may succeed later without anybody's help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Corrupt(_) | Self::Event(_) => false,
            Self::Storage(_)
            | Self::Moved(_)
            | Self::NoSuchRun
            | Self::NoSuchDomain
            | Self::Taken(_) => true,
        }
    }
}

/// All domains. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Database,
    clock: SharedClock,
    ids: Ids,
    /// Counts what was committed, so that watchers look again.
    moved: Arc<watch::Sender<u64>>,
    /// Publishes what was committed.
    relay: Waker,
}

impl Store {
    pub fn new(db: Database, clock: SharedClock, ids: Ids, relay: Waker) -> Self {
        Self {
            db,
            clock,
            ids,
            moved: Arc::new(watch::Sender::new(0)),
            relay,
        }
    }

    /// One domain's part, for one run under settings of this revision. Nothing is written once the lease is lost.
    pub fn domain(
        &self,
        domain: DomainId,
        group_revision: i64,
        lease: Lease,
        observed: Observed,
    ) -> DomainStore {
        DomainStore::new(self.clone(), domain, group_revision, lease, observed)
    }

    /// Takes the right to sync a domain, unless another process has it.
    pub async fn claim(
        &self,
        domain: &DomainId,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Error> {
        let mut tx = self.db.begin().await?;
        let lease = lease::claim(&mut tx, &format!("sync:{domain}"), owner, ttl).await?;
        tx.commit().await?;
        Ok(lease)
    }

    /// Gives up the domain, if the owner has it.
    pub async fn leave(&self, domain: &DomainId, owner: &str) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let claimed =
            lease::claim(&mut tx, &format!("sync:{domain}"), owner, Duration::ZERO).await?;
        if let Some(lease) = claimed {
            lease::release(&mut tx, &lease).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Does work while the lease is held, then gives it up.
    pub async fn under<T>(
        &self,
        lease: &Lease,
        ttl: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        lease::under(&self.db, lease, ttl, work).await
    }

    /// Changes whenever a run of this process moved. Runs of other processes aren't told: look again now and then.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    fn tell(&self) {
        self.moved
            .send_modify(|count| *count = count.wrapping_add(1));
        self.relay.wake();
    }
}

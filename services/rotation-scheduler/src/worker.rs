//! One domain's rotations: looked at by one replica at a time, under a lease whose token fences every send.
//!
//! The queue is a query over rows. What is in hand is only remembered so that it is not taken twice by this process; a
//! process that dies leaves nothing behind but rows that say how far it was.

mod find_out;
mod plan;
mod prepare;
mod send;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::connector::v1::password_service_client::PasswordServiceClient;
use directory::DomainId;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use rotation::{Event, Rejected, Todo};
use runtime::{Channel, Shutdown};
use storage::lease::{self, Lease};
use tonic::Status;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::breaker;
use crate::connectors::{Connectors, is_logon_refused};
use crate::ledger::{Ledger, LedgerError};
use crate::policy::{Policy, stop_of};
use crate::store::{self, DomainRow, Kind, RotationRow, StoreError};

/// How soon to look again where another replica is at work.
const ELSEWHERE: Duration = Duration::from_secs(5);
/// Finds what a lost ring left behind.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// Rows looked at in one round.
const BATCH: i64 = 200;
/// How many rotations are in hand at once beside those that are let in newly.
const IN_HAND: usize = 32;
/// A directory whose clock is this far from ours holds rotation (R7).
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Works on one domain.
pub(crate) struct Worker {
    pub(crate) ledger: Ledger,
    pub(crate) connectors: Connectors,
    pub(crate) domain: DomainId,
    /// Names this process among the replicas.
    pub(crate) instance: String,
}

/// Why a piece of work came to nothing. The rotation stays as it is, and is looked at again.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the connector answered: {}", .0.message())]
    Connector(Box<Status>),
    #[error("this installation has no connector for the domain")]
    NoConnector,
    #[error("the domain is not known any more")]
    NoDomain,
    #[error("the connector's answer can't be read: {0}")]
    Answer(&'static str),
}

impl From<StoreError> for WorkError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<storage::Error> for WorkError {
    fn from(error: storage::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<Rejected> for WorkError {
    fn from(error: Rejected) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<Status> for WorkError {
    fn from(status: Status) -> Self {
        Self::Connector(Box::new(status))
    }
}

type Work = BoxFuture<'static, Uuid>;

impl Worker {
    /// Runs until shutdown.
    pub(crate) async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let mut failures = 0;
        while !shutdown.is_signalled() {
            let pause = match Arc::clone(&self).turn(&shutdown).await {
                Ok(true) => {
                    failures = 0;
                    continue;
                }
                Ok(false) => ELSEWHERE,
                Err(error) => {
                    failures += 1;
                    warn!(
                        domain = %self.domain,
                        error = &error as &dyn std::error::Error,
                        "the rotations of `{}` could not be looked at; trying again", self.domain
                    );
                    self.ledger.ids.backoff(failures)
                }
            };
            tokio::select! {
                () = shutdown.signalled() => return,
                () = self.ledger.clock.sleep(pause) => {}
            }
        }
    }

    /// Works for as long as it has the lease. False where another replica has it.
    async fn turn(self: Arc<Self>, shutdown: &Shutdown) -> Result<bool, WorkError> {
        let name = format!("rotations of {}", self.domain);
        let mut tx = self.ledger.db.begin().await?;
        let ttl = self.lease_ttl();
        let lease = lease::claim(&mut tx, &name, &self.instance, ttl).await?;
        tx.commit().await?;
        let Some(lease) = lease else {
            return Ok(false);
        };
        let db = self.ledger.db.clone();
        let rounds = Arc::clone(&self).rounds(Arc::new(lease.clone()), shutdown);
        Box::pin(lease::under(&db, &lease, ttl, rounds)).await?;
        Ok(true)
    }

    /// Twice as long as a send may take: one that is recorded under it is over before another replica may have it.
    fn lease_ttl(&self) -> Duration {
        let twice = self.ledger.rules.send_deadline * 2;
        Duration::try_from(twice).unwrap_or(Duration::from_secs(60))
    }

    /// Looks, works, waits; until shutdown, when it finishes what is in hand.
    async fn rounds(
        self: Arc<Self>,
        lease: Arc<Lease>,
        shutdown: &Shutdown,
    ) -> Result<(), WorkError> {
        let bell = self.ledger.bells.domain(&self.domain);
        let mut running: FuturesUnordered<Work> = FuturesUnordered::new();
        let mut in_hand: HashMap<Uuid, Job> = HashMap::new();
        while !shutdown.is_signalled() {
            // What is in hand goes on meanwhile: it may hold the very transaction that looking waits for.
            let (looked, has_ended) = {
                let mut ended = Vec::new();
                let look = self.look(&lease, &in_hand);
                let mut look = std::pin::pin!(look);
                let looked = loop {
                    tokio::select! {
                        looked = &mut look => break looked?,
                        Some(id) = running.next() => ended.push(id),
                    }
                };
                (looked, ended)
            };
            let (work, next) = looked;
            for (id, job) in work {
                in_hand.insert(id, job);
                running.push(self.start(id, &lease, job));
            }
            if !has_ended.is_empty() {
                for id in has_ended {
                    in_hand.remove(&id);
                }
                continue;
            }
            let clock = &self.ledger.clock;
            tokio::select! {
                () = shutdown.signalled() => {}
                Some(id) = running.next() => {
                    in_hand.remove(&id);
                    // Those that ended at the same time: one look for all of them.
                    while let Some(Some(id)) = futures::FutureExt::now_or_never(running.next()) {
                        in_hand.remove(&id);
                    }
                }
                () = bell.notified() => {}
                () = clock.sleep_until(next) => {}
            }
        }
        // O1: a send that is under way is answered, or left for its deadline.
        while running.next().await.is_some() {}
        Ok(())
    }

    /// What there is to do now, and when to look again.
    async fn look(
        self: &Arc<Self>,
        lease: &Arc<Lease>,
        in_hand: &HashMap<Uuid, Job>,
    ) -> Result<(Vec<(Uuid, Job)>, Timestamp), WorkError> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut domain = self.domain(&mut tx).await?;
        let is_stopped = self.is_stopped(&mut tx, &mut domain, now).await?;
        let is_off = stop_of(&domain.settings).is_some();
        let policy = Policy::of(&domain.settings);
        let mut planned = Vec::new();
        if !is_off {
            self.plan(&mut tx, &domain, now).await?;
            if !is_stopped && policy.is_open(now) {
                // Those that are just being prepared count already, whether or not that is committed yet.
                let preparing = in_hand.values().filter(|job| **job == Job::Prepare).count();
                let room = self
                    .room(&mut tx, &domain, &policy, now)
                    .await?
                    .saturating_sub(u32::try_from(preparing).unwrap_or(u32::MAX));
                // Those in hand are among the first of them.
                let limit = i64::from(room) + i64::try_from(in_hand.len()).unwrap_or(i64::MAX);
                if room > 0 {
                    planned = store::planned_to_prepare(&mut tx, &self.domain, now, limit).await?;
                    planned.retain(|id| !in_hand.contains_key(id));
                    planned.truncate(usize::try_from(room).unwrap_or(usize::MAX));
                }
            }
        }
        let day = now
            .saturating_sub(self.ledger.rules.patience)
            .unwrap_or(Timestamp::MIN);
        let overdue = store::planned_to_tell(&mut tx, &self.domain, (now, day), BATCH).await?;
        let to_do = store::open_rotations_to_do(&mut tx, &self.domain, now, BATCH).await?;
        let next_wake = store::next_wake_after(&mut tx, &self.domain, now).await?;
        let next_due = store::next_due(&mut tx, &self.domain).await?;
        tx.commit().await?;
        self.ledger.relay.wake();

        let mut work: Vec<(Uuid, Job)> = Vec::new();
        for id in planned {
            work.push((id, Job::Prepare));
        }
        for id in overdue {
            if !in_hand.contains_key(&id) && !work.iter().any(|(other, _)| *other == id) {
                work.push((id, Job::Tick));
            }
        }
        let mut free = IN_HAND.saturating_sub(in_hand.len());
        for row in to_do {
            if free == 0 {
                break;
            }
            if in_hand.contains_key(&row.id) {
                continue;
            }
            let job = match row.rotation.todo(&self.ledger.rules) {
                Todo::Send if is_stopped || is_off || !policy.is_open(now) => Job::Wait,
                Todo::Send => Job::Send,
                Todo::Verify(_) | Todo::AskConvergence if is_off => Job::Wait,
                Todo::Verify(_) | Todo::AskConvergence => Job::FindOut,
                Todo::Prepare
                | Todo::Offer
                | Todo::AwaitAnswer { .. }
                | Todo::AwaitAcknowledgement
                | Todo::AwaitDecision
                | Todo::AwaitReturn
                | Todo::Nothing => Job::Tick,
            };
            work.push((row.id, job));
            free -= 1;
        }
        let later = now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
        let next = [next_wake, next_due.filter(|due| *due > now)]
            .into_iter()
            .flatten()
            .fold(later, Timestamp::min);
        Ok((work, next))
    }

    async fn domain(&self, tx: &mut storage::Transaction) -> Result<DomainRow, WorkError> {
        store::domain(tx, &self.domain)
            .await?
            .ok_or(WorkError::NoDomain)
    }

    /// Whether nothing new may be sent in the domain: a pause, a breaker, a wrong clock.
    async fn is_stopped(
        &self,
        tx: &mut storage::Transaction,
        domain: &mut DomainRow,
        now: Timestamp,
    ) -> Result<bool, WorkError> {
        let is_broken = breaker::look(&self.ledger, tx, domain, now).await?;
        let is_paused = domain.paused_by.is_some() || store::pause_of_all(tx).await?.is_some();
        Ok(is_broken || is_paused)
    }

    fn start(self: &Arc<Self>, id: Uuid, lease: &Arc<Lease>, job: Job) -> Work {
        let (worker, lease) = (Arc::clone(self), Arc::clone(lease));
        Box::pin(async move {
            let done = match job {
                Job::Prepare => Box::pin(worker.prepare(id, &lease)).await,
                Job::Send => Box::pin(worker.send(id, &lease)).await,
                Job::FindOut => Box::pin(worker.find_out(id, &lease)).await,
                Job::Tick => worker.tick(id, &lease).await,
                Job::Wait => worker.wait(id, &lease, LOOK_AGAIN).await,
            };
            if let Err(error) = done {
                worker.put_off(id, &lease, &error).await;
            }
            id
        })
    }

    /// A round that came to nothing: told, and looked at again after a pause that grows.
    async fn put_off(&self, id: Uuid, lease: &Lease, error: &WorkError) {
        match error {
            // It moved meanwhile, which is looked at anew; or another replica has it now.
            WorkError::Ledger(
                LedgerError::Rejected(_)
                | LedgerError::NotFound(_)
                | LedgerError::Store(StoreError::Database(storage::Error::LeaseLost { .. })),
            ) => {
                debug!(rotation = %id, error = error as &dyn std::error::Error, "left as it is");
            }
            WorkError::Ledger(_)
            | WorkError::Connector(_)
            | WorkError::NoConnector
            | WorkError::NoDomain
            | WorkError::Answer(_) => {
                warn!(
                    rotation = %id,
                    domain = %self.domain,
                    error = error as &dyn std::error::Error,
                    "rotation {id} waits: {error}; trying again"
                );
            }
        }
        let told = async {
            if let WorkError::Connector(status) = error
                && is_logon_refused(status)
            {
                let now = self.ledger.now();
                let mut tx = self.ledger.db.begin().await?;
                let service = crate::NAME;
                store::insert_incident(&mut tx, &self.domain, Kind::LogonRefused, service, now)
                    .await?;
                tx.commit().await?;
            }
            self.tick(id, lease).await
        };
        if let Err(error) = told.await {
            debug!(rotation = %id, error = &error as &dyn std::error::Error, "could not be put off");
        }
    }

    /// The time to look again has come.
    async fn tick(&self, id: Uuid, lease: &Lease) -> Result<(), WorkError> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        if row.rotation.is_over() {
            return Ok(());
        }
        if row.rotation.wake > now {
            return Ok(());
        }
        self.ledger
            .step(&mut tx, &mut row, Event::Tick, now)
            .await?;
        tx.commit().await?;
        self.ledger.relay.wake();
        self.ledger.bells.ring_employee(row.employee);
        Ok(())
    }

    /// Looks again later, without counting it as a try: what stands in the way is not the rotation's own.
    async fn wait(&self, id: Uuid, lease: &Lease, pause: SignedDuration) -> Result<(), WorkError> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        row.rotation.wake = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        store::put_rotation(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(())
    }

    fn passwords(&self, domain: &DomainRow) -> Result<PasswordServiceClient<Channel>, WorkError> {
        self.connectors
            .passwords(&domain.settings)
            .ok_or(WorkError::NoConnector)
    }

    /// A rotation with what it is about, outside of any transaction.
    async fn seen(&self, id: Uuid) -> Result<(RotationRow, DomainRow), WorkError> {
        let mut reader = self.ledger.db.read().await?;
        let row = store::rotation(&mut reader, id)
            .await?
            .ok_or(LedgerError::NotFound(id))?;
        let domain = store::domain(&mut reader, &self.domain)
            .await?
            .ok_or(WorkError::NoDomain)?;
        Ok((row, domain))
    }
}

/// What is done for a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Prepare,
    Send,
    FindOut,
    Tick,
    /// Nothing may be done for it now.
    Wait,
}

//! Work that outlives what asked for it: snapshots, recomputed employees, and what has run its time. Each round looks
//! at what is stored; a bell and the clock only say "look again".

use std::sync::Arc;
use std::time::Duration;

use api::connector::v1::StreamAccountsRequest;
use jiff::Timestamp;
use runtime::grpc::Failure;
use runtime::{Readiness, SharedClock, Shutdown};
use storage::Database;
use storage::lease::{self, Lease};
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::connectors::Connectors;
use crate::consumer::{self, ACTOR};
use crate::domains::{By, DomainError, Domains, domain_name};
use crate::employees::{ApplyError, Employees};
use crate::metrics;
use crate::store::{self, StoreError, Work, WorkKind};

const BATCH: usize = 256;

/// One replica works at a time: what there is to do would otherwise be done by each.
const LEASE: &str = "work";
const LEASE_TTL: Duration = Duration::from_secs(30);
/// How soon to look again where another replica is at work.
const ELSEWHERE: Duration = Duration::from_secs(3);

/// Says that there may be work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<Notify>);

impl Bell {
    pub(crate) fn ring(&self) {
        self.0.notify_one();
    }
}

pub(crate) struct Worker {
    pub(crate) domains: Domains,
    pub(crate) employees: Employees,
    pub(crate) connectors: Connectors,
    pub(crate) clock: SharedClock,
    pub(crate) bell: Bell,
    pub(crate) readiness: Readiness,
    /// Finds what has run its time, and what a lost ring left behind.
    pub(crate) interval: Duration,
    /// Names this process among the replicas.
    pub(crate) instance: String,
}

/// What a round came to.
enum Round {
    Done,
    /// Some of it failed.
    Failed,
    /// Another replica is at work.
    Elsewhere,
}

/// Why a piece of work isn't done. It is tried again.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("the connector gave no snapshot")]
    Connector(#[source] Box<tonic::Status>),
    #[error("this installation has no connector for the domain")]
    NoConnector(#[source] Failure),
    #[error("failed to read or write what the work is about")]
    Store(#[from] StoreError),
    #[error("failed to work on domains")]
    Domain(#[from] DomainError),
}

impl Worker {
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let token = shutdown.token();
        if let Err(error) = self.domains.rewrap().await {
            warn!(
                error = &error as &dyn std::error::Error,
                "failed to bring credentials under the active key; trying again at the next start"
            );
        }
        let mut failures = 0;
        while !token.is_cancelled() {
            // Counted from here: what runs its time during a round, while the clock moves on, is not put off by it.
            let began = self.clock.now();
            let pause = match token.run_until_cancelled(Box::pin(self.round())).await {
                Some(Round::Done) => {
                    failures = 0;
                    self.interval
                }
                Some(Round::Elsewhere) => ELSEWHERE.min(self.interval),
                Some(Round::Failed) => {
                    failures += 1;
                    self.domains.ids.backoff(failures).min(self.interval)
                }
                None => return,
            };
            tokio::select! {
                () = self.bell.0.notified() => {}
                () = self.clock.sleep_until(began.saturating_add(pause).unwrap_or(Timestamp::MAX)) => {}
                () = token.cancelled() => {}
            }
        }
    }

    /// Does what there is to do, unless another replica does.
    async fn round(&self) -> Round {
        if let Err(error) = metrics::tell(&self.domains.db).await {
            debug!(
                error = &error as &dyn std::error::Error,
                "employees could not be counted"
            );
        }
        let lease = match self.claim().await {
            Ok(Some(lease)) => lease,
            Ok(None) => {
                self.readiness.ready();
                return Round::Elsewhere;
            }
            Err(error) => {
                self.readiness.not_ready("the database gives no answer");
                warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to look for work; trying again"
                );
                return Round::Failed;
            }
        };
        let work = async { Ok::<_, storage::Error>(self.work().await) };
        match Box::pin(lease::under(&self.domains.db, &lease, LEASE_TTL, work)).await {
            Ok(true) => Round::Done,
            Ok(false) => Round::Failed,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "the work was left to another replica"
                );
                Round::Failed
            }
        }
    }

    async fn claim(&self) -> Result<Option<Lease>, storage::Error> {
        let mut tx = self.domains.db.begin().await?;
        let lease = lease::claim(&mut tx, LEASE, &self.instance, LEASE_TTL).await?;
        tx.commit().await?;
        Ok(lease)
    }

    /// Whether all of it was done.
    async fn work(&self) -> bool {
        let mut well = true;
        let mut note = |what: String, result: Result<(), WorkError>| {
            if let Err(error) = result {
                well = false;
                warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to {what}; trying again"
                );
            }
        };
        match pending(&self.domains.db).await {
            Ok(pending) => {
                self.readiness.ready();
                for work in pending {
                    let what = format!("do {:?} of domain `{}`", work.kind, work.domain);
                    let result = match work.kind {
                        WorkKind::Snapshot => self.snapshot(&work).await,
                        WorkKind::Refresh => self.refresh(&work).await,
                    };
                    note(what, result);
                }
            }
            Err(error) => {
                self.readiness.not_ready("the database gives no answer");
                note("look for work".to_owned(), Err(error.into()));
            }
        }
        note(
            "delete employees whose time has come".to_owned(),
            self.purge_employees().await,
        );
        note(
            "end deleted domains whose time has come".to_owned(),
            self.purge_domains().await,
        );
        well
    }

    fn by(&self) -> By {
        By {
            actor: ACTOR.to_owned(),
            now: crate::grpc::now(&self.clock),
        }
    }

    /// Takes every account of a domain from its connector. What is known as new or newer stays; what the snapshot
    /// doesn't hold is not concluded from.
    async fn snapshot(&self, work: &Work) -> Result<(), WorkError> {
        let row = match self.domains.row(&work.domain).await {
            Ok(row) => row,
            Err(DomainError::NotFound(_)) => return self.finish(work).await,
            Err(error) => return Err(error.into()),
        };
        let failed = |status| WorkError::Connector(Box::new(status));
        let mut client = self
            .connectors
            .client(row.kind)
            .map_err(WorkError::NoConnector)?;
        let request = StreamAccountsRequest {
            domain: domain_name(&work.domain),
        };
        let mut answers = match client.stream_accounts(request).await {
            Ok(answers) => answers.into_inner(),
            // The connector knows nothing of it yet: there is nothing to take.
            Err(status) if status.code() == tonic::Code::NotFound => {
                return self.finish(work).await;
            }
            Err(status) => return Err(failed(status)),
        };
        let mut accounts = Vec::with_capacity(BATCH);
        let mut taken = 0_usize;
        loop {
            let answer = answers.message().await.map_err(failed)?;
            let end = answer.is_none();
            let answer = answer.unwrap_or_default();
            if let Some(pinned) = answer.pinned {
                self.pin(&pinned).await?;
            }
            accounts.extend(answer.account);
            if accounts.len() >= BATCH || end {
                taken += accounts.len();
                self.apply(std::mem::take(&mut accounts)).await?;
            }
            if end {
                break;
            }
        }
        info!(domain.id = %work.domain, accounts = taken, "took a snapshot of `{}`: {taken} accounts", work.domain);
        self.finish(work).await
    }

    /// Before the accounts: how they link depends on it.
    async fn pin(&self, pinned: &api::directory::v1::DirectoryPinned) -> Result<(), WorkError> {
        let by = self.by();
        let mut book = self.employees.open(&by).await?;
        consumer::pin(&mut book, &by, pinned).await?;
        Ok(self.employees.close(book).await?)
    }

    async fn apply(&self, accounts: Vec<api::directory::v1::Account>) -> Result<(), WorkError> {
        let by = self.by();
        let mut book = self.employees.open(&by).await?;
        for account in accounts {
            match book.apply(account).await {
                Ok(_) => {}
                Err(ApplyError::Invalid(error)) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "passed over an invalid account"
                    );
                }
                Err(ApplyError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(self.employees.close(book).await?)
    }

    /// Recomputes the employees of a domain, a few at a time.
    async fn refresh(&self, work: &Work) -> Result<(), WorkError> {
        let mut position = work.position.clone();
        loop {
            let by = self.by();
            let mut book = self.employees.open(&by).await?;
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let employees =
                store::employees_in_domain(book.transaction(), &work.domain, &position, limit)
                    .await?;
            let Some(last) = employees.last() else {
                store::finish_work(book.transaction(), work).await?;
                return Ok(self.employees.close(book).await?);
            };
            position = last.to_string();
            for employee in &employees {
                book.refresh(*employee).await?;
            }
            store::advance_work(book.transaction(), work, &position).await?;
            self.employees.close(book).await?;
        }
    }

    async fn purge_employees(&self) -> Result<(), WorkError> {
        loop {
            let by = self.by();
            let mut book = self.employees.open(&by).await?;
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let due = store::employees_to_purge(book.transaction(), by.now, limit).await?;
            for employee in &due {
                book.refresh(*employee).await?;
            }
            self.employees.close(book).await?;
            if due.len() < BATCH {
                return Ok(());
            }
        }
    }

    async fn purge_domains(&self) -> Result<(), WorkError> {
        let ended = self.domains.purge(&self.by()).await?;
        if ended > 0 {
            info!(
                domains = ended,
                "ended {ended} deleted domains whose time had come"
            );
        }
        Ok(())
    }

    async fn finish(&self, work: &Work) -> Result<(), WorkError> {
        let mut tx = self.domains.db.begin().await.map_err(StoreError::from)?;
        store::finish_work(&mut tx, work).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(())
    }
}

async fn pending(db: &Database) -> store::Result<Vec<Work>> {
    let mut reader = db.read().await?;
    store::pending_work(&mut reader).await
}

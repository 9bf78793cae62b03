//! Which domains there are, one worker for each, and work that outlives what asked for it: snapshots, enrolling anew, and
//! clearing what is old.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::config::v1::domain_service_client::DomainServiceClient;
use api::config::v1::employee_service_client::EmployeeServiceClient;
use api::config::v1::{CredentialStatus, Domain, ListDomainsRequest, StreamEmployeesRequest};
use api::connector::v1::StreamAccountsRequest;
use api::name::DomainName;
use directory::DomainId;
use jiff::SignedDuration;
use runtime::{Channel, OnEnd, Readiness, Shutdown, Tasks};
use storage::lease::{self, Lease};
use tonic::{Code, Status};
use tracing::{info, warn};

use crate::connectors::Connectors;
use crate::heard::{Book, EMPLOYEES};
use crate::ledger::{Ledger, LedgerError};
use crate::metrics;
use crate::store::{self, Work};
use crate::tokens::ClientTokens;
use crate::worker::{CLOCK_SKEW, Worker};

const PAGE: i32 = 200;
const BATCH: usize = 256;
/// Finds what a lost ring left behind.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
const ENROL: &str = "enrol/";
const LEASE: &str = "work";
const LEASE_TTL: Duration = Duration::from_secs(60);
/// How long what has ended is kept.
const KEEP_ROTATIONS: SignedDuration = SignedDuration::from_hours(90 * 24);
const KEEP_INCIDENTS: SignedDuration = SignedDuration::from_hours(7 * 24);
const KEEP_OFFERS: SignedDuration = SignedDuration::from_hours(2);

pub(crate) struct Supervisor {
    pub(crate) ledger: Ledger,
    pub(crate) connectors: Connectors,
    /// To config-service.
    pub(crate) config: Channel,
    pub(crate) tasks: Tasks,
    pub(crate) readiness: Readiness,
    pub(crate) tokens: ClientTokens,
    pub(crate) instance: String,
    pub(crate) seats: Mutex<HashSet<DomainId>>,
}

#[derive(Debug, thiserror::Error)]
enum SuperviseError {
    #[error("another service gave no answer: {}", .0.message())]
    Peer(Box<Status>),
    #[error("this installation has no connector for the domain")]
    NoConnector,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<Status> for SuperviseError {
    fn from(status: Status) -> Self {
        Self::Peer(Box::new(status))
    }
}

impl From<storage::Error> for SuperviseError {
    fn from(error: storage::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<store::StoreError> for SuperviseError {
    fn from(error: store::StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl Supervisor {
    /// Runs until shutdown.
    pub(crate) async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let mut failures = 0;
        let mut has_rewrapped = false;
        while !shutdown.is_signalled() {
            let done = Box::pin(self.round(&shutdown, &mut has_rewrapped)).await;
            let pause = match done {
                Ok(()) => {
                    failures = 0;
                    LOOK_AGAIN
                }
                Err(error) => {
                    failures += 1;
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "what rotation stands on could not be brought up to date: {error}; trying again"
                    );
                    self.ledger.ids.backoff(failures).min(LOOK_AGAIN)
                }
            };
            tokio::select! {
                () = shutdown.signalled() => return,
                () = self.ledger.bells.list().notified() => {}
                () = self.ledger.clock.sleep(pause) => {}
            }
        }
    }

    async fn round(
        self: &Arc<Self>,
        shutdown: &Shutdown,
        has_rewrapped: &mut bool,
    ) -> Result<(), SuperviseError> {
        // Domains that are known are worked on, whether or not config-service answers.
        let known = {
            let mut reader = self.ledger.db.read().await?;
            store::domains(&mut reader).await?
        };
        // Before anybody is sent here: a client whose token is not known yet would be told that it is wrong.
        self.tokens.refresh(&self.ledger.db).await?;
        self.readiness.ready();
        for domain in known {
            self.seat(domain.id, shutdown);
        }
        let listed = self.list().await;
        if let Ok(domains) = &listed {
            self.take(domains, shutdown).await?;
        }
        if !std::mem::replace(has_rewrapped, true) {
            self.rewrap().await?;
        }
        metrics::tell(&self.ledger.db, self.ledger.now(), CLOCK_SKEW).await?;
        self.work().await?;
        listed.map(drop)
    }

    /// Gives a domain its worker.
    fn seat(self: &Arc<Self>, domain: DomainId, shutdown: &Shutdown) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if !seats.insert(domain.clone()) {
            return;
        }
        let worker = Arc::new(Worker {
            ledger: self.ledger.clone(),
            connectors: self.connectors.clone(),
            domain: domain.clone(),
            instance: self.instance.clone(),
        });
        let shutdown = shutdown.clone();
        self.tasks.spawn(
            format!("rotations of {domain}"),
            OnEnd::Ignore,
            async move { worker.run(shutdown).await },
        );
    }

    async fn list(&self) -> Result<Vec<Domain>, SuperviseError> {
        let mut client = DomainServiceClient::new(self.config.clone());
        let mut domains = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = client
                .list_domains(ListDomainsRequest {
                    page_size: PAGE,
                    page_token,
                    show_deleted: true,
                })
                .await?
                .into_inner();
            domains.extend(page.domains);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(domains);
            }
        }
    }

    /// Takes settings that differ from what is known, and has the domain's accounts looked at anew.
    async fn take(
        self: &Arc<Self>,
        domains: &[Domain],
        shutdown: &Shutdown,
    ) -> Result<(), SuperviseError> {
        let now = self.ledger.now();
        let mut known: Vec<store::DomainRow> = {
            let mut reader = self.ledger.db.read().await?;
            store::domains(&mut reader).await?
        };
        for domain in domains {
            let Ok(DomainName(id)) = domain.name.parse::<DomainName>() else {
                continue;
            };
            let settings = what_matters(domain);
            let before = known
                .iter()
                .position(|row| row.id == id)
                .map(|at| known.remove(at));
            if before.as_ref().is_some_and(|row| row.settings == settings) {
                continue;
            }
            let mut tx = self.ledger.db.begin().await?;
            store::put_settings(&mut tx, &id, &settings, now).await?;
            match before {
                None => {
                    store::ask_work(&mut tx, &domain.name, "the domain is new").await?;
                    store::ask_work(&mut tx, EMPLOYEES, "a domain is new").await?;
                }
                Some(_) => {
                    let name = format!("{ENROL}{id}");
                    store::ask_work(&mut tx, &name, "the domain's settings changed").await?;
                }
            }
            tx.commit().await?;
            self.ledger.bells.ring_domain(&id);
            self.seat(id, shutdown);
        }
        // Purged, or config-service forgot: nothing of it is rotated, and nothing that is known is dropped.
        for row in known {
            if row.settings.delete_time.is_some() {
                continue;
            }
            let mut settings = row.settings.clone();
            settings.delete_time = Some(api::convert::time::to_proto(now));
            let mut tx = self.ledger.db.begin().await?;
            store::put_settings(&mut tx, &row.id, &settings, now).await?;
            let name = format!("{ENROL}{}", row.id);
            store::ask_work(&mut tx, &name, "the domain is gone").await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Does what is asked for, unless another replica does.
    async fn work(&self) -> Result<(), SuperviseError> {
        let mut tx = self.ledger.db.begin().await?;
        let lease = lease::claim(&mut tx, LEASE, &self.instance, LEASE_TTL).await?;
        tx.commit().await?;
        let Some(lease) = lease else {
            return Ok(());
        };
        Box::pin(lease::under(
            &self.ledger.db,
            &lease,
            LEASE_TTL,
            self.work_under(&lease),
        ))
        .await
    }

    async fn work_under(&self, _lease: &Lease) -> Result<(), SuperviseError> {
        self.prune().await?;
        let pending = {
            let mut reader = self.ledger.db.read().await?;
            store::pending_work(&mut reader).await?
        };
        let mut failed = None;
        // One domain's connector that is away keeps no other's from being asked.
        for work in pending {
            let done = match work.name.strip_prefix(ENROL) {
                Some(domain) => self.enrol(domain).await,
                None if work.name == EMPLOYEES => self.snapshot_employees().await,
                None => self.snapshot_accounts(&work.name).await,
            };
            match done {
                Ok(()) => self.finish(&work).await?,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "failed to do `{}`: {error}", work.name
                    );
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn finish(&self, work: &Work) -> Result<(), SuperviseError> {
        let mut tx = self.ledger.db.begin().await?;
        store::finish_work(&mut tx, work).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn snapshot_accounts(&self, domain: &str) -> Result<(), SuperviseError> {
        let Ok(DomainName(id)) = domain.parse::<DomainName>() else {
            return Ok(());
        };
        let row = {
            let mut reader = self.ledger.db.read().await?;
            store::domain(&mut reader, &id).await?
        };
        let Some(row) = row else {
            return Ok(());
        };
        let mut client = self
            .connectors
            .accounts(&row.settings)
            .ok_or(SuperviseError::NoConnector)?;
        let request = StreamAccountsRequest {
            domain: domain.to_owned(),
        };
        let mut answers = match client.stream_accounts(request).await {
            Ok(answers) => answers.into_inner(),
            // The connector knows nothing of it yet: there is nothing to take.
            Err(status) if status.code() == Code::NotFound => return Ok(()),
            Err(status) => return Err(status.into()),
        };
        let (mut accounts, mut taken) = (Vec::new(), 0_usize);
        loop {
            let answer = answers.message().await?;
            let is_end = answer.is_none();
            accounts.extend(answer.and_then(|answer| answer.account));
            if accounts.len() >= BATCH || is_end {
                taken += accounts.len();
                let mut book = Book::open(&self.ledger).await?;
                for account in accounts.drain(..) {
                    book.account(account).await?;
                }
                book.close().await?;
            }
            if is_end {
                info!(domain.id = %id, accounts = taken, "took a snapshot of `{id}`: {taken} accounts");
                return Ok(());
            }
        }
    }

    async fn snapshot_employees(&self) -> Result<(), SuperviseError> {
        let mut client = EmployeeServiceClient::new(self.config.clone());
        let mut answers = client
            .stream_employees(StreamEmployeesRequest {})
            .await?
            .into_inner();
        let (mut employees, mut taken) = (Vec::new(), 0_usize);
        loop {
            let answer = answers.message().await?;
            let is_end = answer.is_none();
            employees.extend(answer.and_then(|answer| answer.employee));
            if employees.len() >= BATCH || is_end {
                taken += employees.len();
                let mut book = Book::open(&self.ledger).await?;
                for employee in employees.drain(..) {
                    book.employee(employee, true).await?;
                }
                book.close().await?;
            }
            if is_end {
                info!(employees = taken, "took a snapshot of {taken} employees");
                return Ok(());
            }
        }
    }

    /// Decides for each account of a domain anew.
    async fn enrol(&self, domain: &str) -> Result<(), SuperviseError> {
        let Ok(id) = domain.parse::<DomainId>() else {
            return Ok(());
        };
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let mut after = String::new();
        loop {
            let mut book = Book::open(&self.ledger).await?;
            let Some(row) = store::domain(book.transaction(), &id).await? else {
                return Ok(());
            };
            let accounts =
                store::accounts_of_domain(book.transaction(), &id, &after, limit).await?;
            let Some(last) = accounts.last() else {
                return Ok(());
            };
            after = last.key.object.to_string();
            for account in accounts {
                book.bring_up_to_date(&row, account).await?;
            }
            book.close().await?;
        }
    }

    /// Brings every value under the active key, row by row: one that can't be opened stops no other.
    async fn rewrap(&self) -> Result<(), SuperviseError> {
        let active = match self.ledger.sealer.active_key().await {
            Ok(key) => key.to_string(),
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to ask for the active key"
                );
                return Ok(());
            }
        };
        let mut after = String::new();
        loop {
            let ids = {
                let mut reader = self.ledger.db.read().await?;
                store::rotation_ids_not_under(&mut reader, &active, &after, 100).await?
            };
            let Some(last) = ids.last() else {
                return Ok(());
            };
            after = last.to_string();
            for id in ids {
                if let Err(error) = self.ledger.rewrap(id).await {
                    warn!(
                        rotation = %id,
                        error = &error as &dyn std::error::Error,
                        "failed to bring a password under the active key; it stays under its own"
                    );
                }
            }
        }
    }

    async fn prune(&self) -> Result<(), SuperviseError> {
        let now = self.ledger.now();
        let before = |age: SignedDuration| now.saturating_sub(age).unwrap_or_default();
        let mut tx = self.ledger.db.begin().await?;
        store::prune_rotations(&mut tx, before(KEEP_ROTATIONS)).await?;
        store::prune_incidents(&mut tx, before(KEEP_INCIDENTS)).await?;
        store::prune_offers(&mut tx, before(KEEP_OFFERS)).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Of a domain's settings, those that rotation depends on: a change of the others changes nothing here.
fn what_matters(domain: &Domain) -> Domain {
    use api::config::v1::domain::Directory;
    Domain {
        name: domain.name.clone(),
        directory: domain.directory.as_ref().map(|directory| match directory {
            Directory::ActiveDirectory(_) => Directory::ActiveDirectory(Default::default()),
            Directory::Entra(_) => Directory::Entra(Default::default()),
        }),
        auto_password_change_days: domain.auto_password_change_days,
        rotation_policy: domain.rotation_policy.clone(),
        credential_status: domain
            .credential_status
            .as_ref()
            .map(|status| CredentialStatus {
                state: status.state,
                ..CredentialStatus::default()
            }),
        identity: domain.identity.clone(),
        delete_time: domain.delete_time,
        ..Domain::default()
    }
}

//! A connector in a test: the real service on a real database and bus, with a config-service that the test plays.

mod config;
mod source;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::config::v1 as proto;
use api::config::v1::credential_service_server::CredentialServiceServer;
use api::config::v1::domain_service_server::DomainServiceServer;
use api::connector::v1::connector_service_client::ConnectorServiceClient;
use api::connector::v1::password_service_client::PasswordServiceClient;
use api::connector::v1::{self as connector, SyncRun};
use api::directory::v1::Account;
use api::event::v1::{Event, event::Payload};
use events::embedded::EmbeddedBus;
use events::{Bus, Envelope, Subject};
use prost::Message;
use runtime::auth::Authenticator;
use runtime::grpc::{Routes, channel, in_process};
use runtime::service::{Host, Running};
use runtime::{
    Caller, Channel, Ids, ManualClock, Service, SharedClock, Shutdown, SystemClock, Tasks,
};
use storage::{Database, Sql, params};
use tonic::Status;

pub use config::{FakeConfig, Held};
pub use source::{FakeDirectories, Shared};

use crate::{Deps, MIGRATIONS};

/// A connector at work.
pub struct World {
    pub config: FakeConfig,
    pub database: Database,
    pub clock: Option<ManualClock>,
    pub client: ConnectorServiceClient<Channel>,
    /// As rotation-scheduler, which alone may call it.
    pub passwords: PasswordServiceClient<Channel>,
    bus: EmbeddedBus,
    shutdown: Shutdown,
    running: Running,
}

/// How long a test waits for what must happen.
const DEADLINE: Duration = Duration::from_secs(120);

impl World {
    /// Starts the service that `build` makes, on the databases in `dir`. With a clock, time stands still.
    pub async fn start(
        dir: &Path,
        config: FakeConfig,
        clock: Option<ManualClock>,
        name: &'static str,
        build: impl FnOnce(Deps) -> Service,
    ) -> Self {
        Self::start_as("test", (dir, dir), config, clock, name, build).await
    }

    /// [`World::start`], as the replica `instance`: several may share the folder of the database, each with a folder of
    /// its own for the bus.
    pub async fn start_as(
        instance: &str,
        (dir, bus): (&Path, &Path),
        config: FakeConfig,
        clock: Option<ManualClock>,
        name: &'static str,
        build: impl FnOnce(Deps) -> Service,
    ) -> Self {
        let shared: SharedClock = match &clock {
            Some(clock) => clock.shared(),
            None => SystemClock::shared(),
        };
        let settings = storage::testing::settings(&dir.join("connector.db")).await;
        let database = Database::open_migrated(&settings, &MIGRATIONS)
            .await
            .unwrap();
        let now = shared.clone();
        let bus = EmbeddedBus::open(&bus.join("bus.db"), Arc::new(move || now.now()))
            .await
            .unwrap();
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let (way, listener) = in_process();
        let caller = |name| Caller::service(name).unwrap();
        let service = build(Deps {
            database: database.clone(),
            bus: Arc::new(bus.clone()),
            config: channel::in_process(&way, caller(name)),
            clock: shared,
            ids: Ids::system(),
            tasks: tasks.clone(),
            instance: instance.to_owned(),
        });
        let routes = Routes::new()
            .with(DomainServiceServer::new(config.clone()))
            .with(CredentialServiceServer::new(config.clone()));
        let host = Host {
            grpc: runtime::grpc::Settings::default(),
            lifecycle: runtime::service::Settings::default(),
            authenticator: Authenticator::new(),
            tasks,
        };
        let services = vec![Service::new("config-service").routes(routes), service];
        let running = host.start(services, vec![listener]).unwrap();
        let channel = channel::in_process(&way, caller("config-service"));
        Self {
            config,
            database,
            clock,
            client: ConnectorServiceClient::new(channel),
            passwords: PasswordServiceClient::new(channel::in_process(
                &way,
                caller("rotation-scheduler"),
            )),
            bus,
            shutdown,
            running,
        }
    }

    /// Stops in order, and waits for it.
    pub async fn stop(self) {
        self.shutdown.trigger();
        self.running.wait().await.unwrap();
        self.database.close().await;
        self.bus.close().await;
    }

    /// Tells the connector, as config-service does, that it should look again.
    pub async fn announce(&self, domain: &str) {
        let event = Envelope {
            id: Ids::system().uuid(),
            subject: Subject::new("config", domain, "domain", "updated").unwrap(),
            time: SystemClock::shared().now(),
            payload: Vec::new(),
            traceparent: None,
        };
        self.bus.publish(&[event]).await.unwrap();
    }

    /// Asks for a sync.
    pub async fn ask(&self, domain: &str, dry_run: bool) -> Result<SyncRun, Status> {
        let request = connector::StartSyncRequest {
            domain: format!("domains/{domain}"),
            validate_only: dry_run,
            requested_by: "tester".to_owned(),
            ..connector::StartSyncRequest::default()
        };
        let answer = self.client.clone().start_sync(request).await?;
        Ok(answer.into_inner())
    }

    /// Watches a run until it ends or is held.
    pub async fn rest(&self, run: &SyncRun) -> SyncRun {
        let request = connector::WatchSyncRunRequest {
            name: run.name.clone(),
        };
        let watch = async {
            let mut client = self.client.clone();
            let mut moves = client.watch_sync_run(request).await.unwrap().into_inner();
            let mut last = None;
            while let Some(moved) = moves.message().await.unwrap() {
                last = moved.sync_run;
            }
            last.unwrap()
        };
        tokio::time::timeout(DEADLINE, watch).await.unwrap()
    }

    /// Syncs, and returns how that ended.
    pub async fn sync(&self, domain: &str) -> SyncRun {
        let run = self.ask(domain, false).await.unwrap();
        self.rest(&run).await
    }

    pub async fn run(&self, name: &str) -> SyncRun {
        let request = connector::GetSyncRunRequest {
            name: name.to_owned(),
        };
        let answer = self.client.clone().get_sync_run(request).await.unwrap();
        answer.into_inner()
    }

    /// The run asked for last.
    pub async fn newest(&self, domain: &str) -> SyncRun {
        let request = connector::ListSyncRunsRequest {
            parent: format!("domains/{domain}"),
            page_size: 1,
            page_token: String::new(),
        };
        let answer = self.client.clone().list_sync_runs(request).await.unwrap();
        answer.into_inner().sync_runs.remove(0)
    }

    pub async fn decide(&self, run: &SyncRun, approve: bool) -> Result<SyncRun, Status> {
        let (name, by) = (run.name.clone(), "tester".to_owned());
        let mut client = self.client.clone();
        let answer = if approve {
            let request = connector::ApproveSyncRunRequest {
                name,
                requested_by: by,
            };
            client.approve_sync_run(request).await?
        } else {
            let request = connector::RejectSyncRunRequest {
                name,
                requested_by: by,
            };
            client.reject_sync_run(request).await?
        };
        Ok(answer.into_inner())
    }

    /// The whole plan, page by page.
    pub async fn plan(&self, run: &SyncRun) -> Vec<connector::PlanItem> {
        let mut items = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = connector::ListPlanItemsRequest {
                parent: run.name.clone(),
                page_size: 3,
                page_token,
            };
            let mut client = self.client.clone();
            let page = client.list_plan_items(request).await.unwrap().into_inner();
            items.extend(page.plan_items);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return items;
            }
        }
    }

    /// The accounts in the snapshot of a domain.
    pub async fn accounts(&self, domain: &str) -> Vec<Account> {
        let answers = self.snapshot(domain).await.into_iter();
        answers.filter_map(|answer| answer.account).collect()
    }

    /// The snapshot of a domain, answer by answer.
    pub async fn snapshot(&self, domain: &str) -> Vec<connector::StreamAccountsResponse> {
        let request = connector::StreamAccountsRequest {
            domain: format!("domains/{domain}"),
        };
        let mut client = self.client.clone();
        let mut stream = client.stream_accounts(request).await.unwrap().into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await.unwrap() {
            answers.push(answer);
        }
        answers
    }

    pub async fn state(&self, domain: &str) -> connector::SyncState {
        let request = connector::GetSyncStateRequest {
            domain: format!("domains/{domain}"),
        };
        let answer = self.client.clone().get_sync_state(request).await.unwrap();
        answer.into_inner()
    }

    /// Everything ever told, in order: subject and payload.
    pub async fn events(&self) -> Vec<(Subject, Payload)> {
        let mut db = self.database.read().await.unwrap();
        let rows = db
            .query(
                "SELECT subject, payload FROM hes_outbox ORDER BY seq",
                params![],
            )
            .await
            .unwrap();
        let event = |row: &storage::Row| {
            let subject: String = row.get("subject").unwrap();
            let payload: Vec<u8> = row.get("payload").unwrap();
            let event = Event::decode(payload.as_slice()).unwrap();
            (subject.parse().unwrap(), event.payload.unwrap())
        };
        rows.iter().map(event).collect()
    }
}

/// An Active Directory domain with the credentials set and default settings; nothing is behind its address.
pub fn domain(id: &str) -> proto::Domain {
    proto::Domain {
        name: format!("domains/{id}"),
        directory: Some(proto::domain::Directory::ActiveDirectory(
            proto::ActiveDirectorySettings {
                domain_name: format!("{id}.test"),
                servers: vec!["ldaps://127.0.0.1:1".to_owned()],
                ..proto::ActiveDirectorySettings::default()
            },
        )),
        credential_status: Some(proto::CredentialStatus {
            state: proto::CredentialState::Set.into(),
            version: 1,
            ..proto::CredentialStatus::default()
        }),
        group_revision: 1,
        create_time: Some(prost_types::Timestamp {
            seconds: 1_790_000_000,
            nanos: 0,
        }),
        ..proto::Domain::default()
    }
}

//! What every test stands in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::config::v1::audit_service_client::AuditServiceClient;
use api::config::v1::credential_service_client::CredentialServiceClient;
use api::config::v1::domain_service_client::DomainServiceClient;
use api::config::v1::employee_service_client::EmployeeServiceClient;
use api::config::v1::{
    ActiveDirectoryCredentials, ActiveDirectorySettings, CreateDomainRequest, Credentials, Domain,
    Employee, ListEmployeesRequest, create_domain_request::Logon, credentials::Kind,
    domain::Directory,
};
use api::connector::v1::connector_service_server::ConnectorServiceServer;
use api::connector::v1::sync_service_client::SyncServiceClient;
use api::directory::v1::DirectoryPinned;
use api::directory::v1::{
    Account, AccountKind, AccountState, DirectoryIdentity, Presence, Privilege,
};
use api::event::v1::{AccountChanged, Event, event::Payload};
use config_service::{Connectors, Deps, MIGRATIONS, Settings, build};
use events::embedded::EmbeddedBus;
use events::{Bus as _, Envelope, Subject};
use jiff::Timestamp;
use prost::Message as _;
use runtime::auth::{Authenticator, Role};
use runtime::grpc::{InProcess, channel, in_process};
use runtime::service::{Host, Running};
use runtime::{Caller, Channel, Clock as _, Ids, ManualClock, Service, Shutdown, Tasks};
use sealing::{FileKeyProvider, Placement, Sealer};
use storage::{Database, Sql as _};
use tempfile::TempDir;
use uuid::Uuid;

use crate::connector::FakeConnector;

pub(crate) const PASSWORD: &str = "canary-Passw0rd-4711";
pub(crate) const LOGON_NAME: &str = "canary-logon-0815@corp.example.com";

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) bus: EmbeddedBus,
    pub(crate) connector: Arc<FakeConnector>,
    way: InProcess,
    ids: Ids,
    shutdown: Shutdown,
    running: Vec<Running>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

fn serve(service: Service, shutdown: &Shutdown) -> (InProcess, Running) {
    let (way, listener) = in_process();
    let host = Host {
        grpc: Default::default(),
        lifecycle: Default::default(),
        authenticator: Authenticator::new(),
        tasks: Tasks::new(shutdown.clone()),
    };
    let running = host.start(vec![service], vec![listener]).unwrap();
    (way, running)
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::in_dir(TempDir::new().unwrap()).await
    }

    pub(crate) async fn in_dir(dir: TempDir) -> Self {
        Self::with(dir, Arc::new(FakeConnector::default())).await
    }

    pub(crate) async fn with(dir: TempDir, connector: Arc<FakeConnector>) -> Self {
        let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
        let now = clock.clone();
        let bus = EmbeddedBus::open(&dir.path().join("bus.db"), Arc::new(move || now.now()))
            .await
            .unwrap();
        let settings = storage::testing::settings(&dir.path().join("config.db")).await;
        let db = Database::open_migrated(&settings, &MIGRATIONS)
            .await
            .unwrap();
        let key_file = dir.path().join("kek");
        if !key_file.exists() {
            FileKeyProvider::create(&key_file).unwrap();
        }
        let keys = FileKeyProvider::load(&key_file, &Placement::Anywhere).unwrap();
        let (shutdown, ids) = (Shutdown::new(), Ids::system());

        let served =
            runtime::grpc::Routes::new().with(ConnectorServiceServer::from_arc(connector.clone()));
        let (connector_way, connecting) =
            serve(Service::new("ad-connector").routes(served), &shutdown);
        let to_connector =
            channel::in_process(&connector_way, Caller::service("config-service").unwrap());

        let deps = Deps {
            db,
            bus: Arc::new(bus.clone()),
            clock: clock.shared(),
            instance: "test".to_owned(),
            ids: ids.clone(),
            sealer: Sealer::new(Arc::new(keys)),
            connectors: Connectors {
                active_directory: Some(to_connector),
                entra_id: None,
            },
            rotation: None,
        };
        let (way, serving) = serve(build(Settings::default(), deps), &shutdown);
        let running = vec![serving, connecting];
        Self {
            dir,
            clock,
            bus,
            connector,
            way,
            ids,
            shutdown,
            running,
        }
    }

    /// Runs a statement past the service, as somebody with the file would.
    pub(crate) async fn execute(&self, sql: &'static str) -> Result<u64, storage::Error> {
        let mut tx = self.own().await.begin().await?;
        let rows = tx.execute(sql, storage::params![]).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// The keys that credentials are sealed under.
    pub(crate) async fn key_ids(&self) -> Vec<String> {
        let mut reader = self.own().await.read().await.unwrap();
        let rows = reader
            .query("SELECT key_id FROM credential", storage::params![])
            .await
            .unwrap();
        rows.iter().map(|row| row.get("key_id").unwrap()).collect()
    }

    async fn own(&self) -> Database {
        let settings = storage::testing::settings(&self.dir.path().join("config.db")).await;
        Database::open(&settings, &MIGRATIONS).await.unwrap()
    }

    /// Ends the service and returns its files.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.shutdown.trigger();
        for running in std::mem::take(&mut self.running) {
            running.wait().await.unwrap();
        }
        std::mem::replace(&mut self.dir, TempDir::new().unwrap())
    }

    pub(crate) fn channel(&self, caller: Caller) -> Channel {
        channel::in_process(&self.way, caller)
    }

    pub(crate) fn domains(&self) -> DomainServiceClient<Channel> {
        self.domains_as(Caller::Administrator)
    }

    pub(crate) fn domains_as(&self, caller: Caller) -> DomainServiceClient<Channel> {
        DomainServiceClient::new(self.channel(caller))
    }

    pub(crate) fn credentials_as(&self, service: &str) -> CredentialServiceClient<Channel> {
        CredentialServiceClient::new(self.channel(Caller::service(service).unwrap()))
    }

    pub(crate) fn employees(&self) -> EmployeeServiceClient<Channel> {
        EmployeeServiceClient::new(self.channel(Caller::Administrator))
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel(Caller::Administrator))
    }

    pub(crate) fn syncs(&self) -> SyncServiceClient<Channel> {
        SyncServiceClient::new(self.channel(operator()))
    }

    /// A domain with credentials, whose directory is known and proves `<id>.example.com`.
    pub(crate) async fn domain(&self, id: &str) -> Domain {
        self.domain_with(id, |_| {}).await
    }

    pub(crate) async fn domain_with(&self, id: &str, change: impl FnOnce(&mut Domain)) -> Domain {
        let mut request = create(id);
        change(request.domain.as_mut().unwrap());
        let domain = self
            .domains()
            .create_domain(request)
            .await
            .unwrap()
            .into_inner();
        self.pin(id, 1).await;
        domain
    }

    pub(crate) async fn pin(&self, id: &str, generation: i64) {
        let pinned = pinned(id, generation);
        self.publish(id, "domain", "pinned", Payload::DirectoryPinned(pinned))
            .await;
    }

    pub(crate) async fn tell(&self, account: &Account) {
        let (domain, payload) = changed(account);
        self.publish(&domain, "account", "updated", payload).await;
    }

    async fn publish(&self, scope: &str, what: &str, verb: &str, payload: Payload) {
        let subject = Subject::new("directory", scope, what, verb).unwrap();
        let envelope = envelope(self.ids.uuid(), subject, self.clock.now(), payload);
        self.bus.publish(&[envelope]).await.unwrap();
    }

    pub(crate) async fn all_employees(&self) -> Vec<Employee> {
        let request = ListEmployeesRequest::default();
        self.employees()
            .list_employees(request)
            .await
            .unwrap()
            .into_inner()
            .into_employees()
            .unwrap()
    }

    /// The employee who has this account, once the account's generation has been taken.
    pub(crate) async fn employee_of(&self, account: &Account) -> Employee {
        poll("the account is taken", async || {
            self.all_employees().await.into_iter().find(|employee| {
                let accounts = employee
                    .accounts
                    .iter()
                    .filter_map(|held| held.account.as_ref());
                accounts
                    .into_iter()
                    .any(|held| held.name == account.name && held.generation >= account.generation)
            })
        })
        .await
    }

    /// Waits until everything told so far has been taken: events of one stream are taken in order.
    pub(crate) async fn settled(&self) {
        let generation = i64::try_from(self.ids.uuid().as_u128() >> 70).unwrap();
        let marker = person("marker", 0xffff).generation(generation).account();
        if self.domains().get_domain(get("marker")).await.is_err() {
            self.domains()
                .create_domain(create("marker"))
                .await
                .unwrap();
        }
        self.tell(&marker).await;
        self.employee_of(&marker).await;
    }
}

fn changed(account: &Account) -> (String, Payload) {
    let domain = account.name.split('/').nth(1).unwrap().to_owned();
    let changed = AccountChanged {
        account: Some(account.clone()),
        ..Default::default()
    };
    (domain, Payload::AccountChanged(changed))
}

fn envelope(id: Uuid, subject: Subject, time: Timestamp, payload: Payload) -> Envelope {
    let event = Event {
        payload: Some(payload),
    };
    Envelope {
        id,
        subject,
        time,
        payload: event.encode_to_vec(),
        traceparent: None,
    }
}

/// Tells of an account on the bus in `dir`, which forgets it before anybody listens.
pub(crate) async fn tell_late(dir: &Path, account: &Account) {
    let (domain, payload) = changed(account);
    let subject = Subject::new("directory", &domain, "account", "created").unwrap();
    let envelope = envelope(Uuid::from_u128(1), subject, Timestamp::UNIX_EPOCH, payload);
    for (day, events) in [
        ("2026-12-01T00:00:00Z", vec![envelope]),
        ("2026-12-20T00:00:00Z", vec![]),
    ] {
        let day: Timestamp = day.parse().unwrap();
        let bus = EmbeddedBus::open(&dir.join("bus.db"), Arc::new(move || day))
            .await
            .unwrap();
        bus.publish(&events).await.unwrap();
        bus.close().await;
    }
}

pub(crate) fn operator() -> Caller {
    Caller::person("olga", [Role::Operator])
}

pub(crate) fn get(id: &str) -> api::config::v1::GetDomainRequest {
    api::config::v1::GetDomainRequest {
        name: format!("domains/{id}"),
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        kind: Some(Kind::ActiveDirectory(ActiveDirectoryCredentials {
            logon_name: LOGON_NAME.into(),
            password: PASSWORD.into(),
        })),
        expire_time: None,
    }
}

pub(crate) fn create(id: &str) -> CreateDomainRequest {
    CreateDomainRequest {
        domain_id: id.into(),
        domain: Some(Domain {
            directory: Some(Directory::ActiveDirectory(ActiveDirectorySettings {
                domain_name: format!("{id}.example.com"),
                servers: vec![format!("ldaps://dc1.{id}.example.com")],
                ..Default::default()
            })),
            ..Default::default()
        }),
        logon: Some(Logon::Credentials(credentials())),
        ..Default::default()
    }
}

/// Asks again until there is an answer, at most ten seconds.
pub(crate) async fn poll<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Builds an account, as a connector tells of it.
pub(crate) struct Person(Account);

pub(crate) fn person(domain: &str, number: u128) -> Person {
    Person(Account {
        name: format!("domains/{domain}/accounts/{}", Uuid::from_u128(number)),
        generation: 1,
        presence: Presence::Member.into(),
        kind: AccountKind::Member.into(),
        logon_name: format!("{domain}-{number}"),
        display_name: format!("Person {number} of {domain}"),
        state: Some(AccountState {
            privileged: Privilege::No.into(),
            ..Default::default()
        }),
        in_sync_group: true,
        ..Default::default()
    })
}

impl Person {
    pub(crate) fn mail(mut self, mail: &str) -> Self {
        self.0.mail = mail.into();
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.0.display_name = name.into();
        self
    }

    pub(crate) fn sid(mut self, sid: &str) -> Self {
        self.0.security_identifier = sid.into();
        self
    }

    pub(crate) fn presence(mut self, presence: Presence) -> Self {
        self.0.presence = presence.into();
        self
    }

    pub(crate) fn disabled(mut self) -> Self {
        self.0.state.as_mut().unwrap().disabled = true;
        self
    }

    pub(crate) fn privileged(mut self) -> Self {
        self.0.state.as_mut().unwrap().privileged = Privilege::Yes.into();
        self
    }

    pub(crate) fn generation(mut self, generation: i64) -> Self {
        self.0.generation = generation;
        self
    }

    pub(crate) fn account(self) -> Account {
        self.0
    }
}

/// What a connector tells of a domain after its first success.
pub(crate) fn pinned(id: &str, generation: i64) -> DirectoryPinned {
    DirectoryPinned {
        domain: format!("domains/{id}"),
        identity: Some(DirectoryIdentity {
            directory_id: Uuid::from_u128(0xd0).to_string(),
            security_identifier: format!("S-1-5-21-1-2-{}", id.len()),
            dns_name: format!("{id}.example.com"),
            netbios_name: id.to_uppercase(),
            proven_mail_suffixes: vec![format!("{id}.example.com"), "example.com".into()],
        }),
        sync_group: None,
        rotation_group: None,
        generation,
    }
}

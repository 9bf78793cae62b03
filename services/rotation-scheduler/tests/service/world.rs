//! What every test stands in.

use std::sync::Arc;
use std::time::Duration;

use api::config::v1::domain_service_server::DomainServiceServer;
use api::config::v1::{Domain, Employee, EmployeeAccount, RotationPolicy};
use api::connector::v1::Eligibility;
use api::connector::v1::password_service_server::PasswordServiceServer;
use api::directory::v1 as told;
use api::event::v1::{AccountChanged, EmployeeChanged, Event, event::Payload};
use api::rotation::v1 as proto;
use api::rotation::v1::delivery_service_client::DeliveryServiceClient;
use api::rotation::v1::rotation_service_client::RotationServiceClient;
use connector::testing::{FakeConfig, domain};
use events::embedded::EmbeddedBus;
use events::{Bus as _, Envelope, Subject};
use jiff::SignedDuration;
use prost::Message as _;
use rotation_scheduler::{Connectors, Deps, MIGRATIONS, Settings, build};
use runtime::auth::{Authenticator, Role};
use runtime::grpc::{InProcess, Routes, channel, in_process};
use runtime::service::{Host, Running};
use runtime::{Caller, Channel, Clock as _, Ids, ManualClock, Service, Shutdown, Tasks};
use sealing::{FileKeyProvider, Placement, PresenceSecret, Sealer, TargetSecret};
use storage::{Database, Sql as _};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::Status;
use uuid::Uuid;

use crate::directory::{Account, Directory};
use crate::key::Key;

/// What everybody has at first.
pub(crate) const FIRST: &str = "first password";

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) directory: Directory,
    pub(crate) config: FakeConfig,
    bus: EmbeddedBus,
    way: InProcess,
    shutdown: Shutdown,
    running: Vec<Running>,
    clients: Vec<JoinHandle<Status>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.trigger();
        for client in &self.clients {
            client.abort();
        }
    }
}

fn serve(service: Service, tasks: Tasks) -> (InProcess, Running) {
    let (way, listener) = in_process();
    let host = Host {
        grpc: Default::default(),
        lifecycle: Default::default(),
        authenticator: Authenticator::new(),
        tasks,
    };
    (way, host.start(vec![service], vec![listener]).unwrap())
}

impl World {
    /// A domain `corp` whose limits hold nothing back.
    pub(crate) async fn new() -> Self {
        Self::with(RotationPolicy {
            at_once: Some(100),
            per_hour: Some(100_000),
            percent_per_hour: Some(100_000),
            canaries: Some(0),
            ..RotationPolicy::default()
        })
        .await
    }

    pub(crate) async fn with(policy: RotationPolicy) -> Self {
        let clock = ManualClock::starting_at("2026-11-26T10:00:00Z".parse().unwrap());
        let config = FakeConfig::default();
        config.set(Domain {
            auto_password_change_days: Some(28),
            rotation_policy: Some(policy),
            identity: Some(told::DirectoryIdentity {
                directory_id: Uuid::from_u128(0xd1).to_string(),
                ..told::DirectoryIdentity::default()
            }),
            ..domain("corp")
        });
        let directory = Directory::new(clock.clone());
        Self::start(TempDir::new().unwrap(), clock, config, directory).await
    }

    async fn start(
        dir: TempDir,
        clock: ManualClock,
        config: FakeConfig,
        directory: Directory,
    ) -> Self {
        let now = clock.clone();
        let bus = EmbeddedBus::open(&dir.path().join("bus.db"), Arc::new(move || now.now()))
            .await
            .unwrap();
        let settings = storage::testing::settings(&dir.path().join("rotation.db")).await;
        let db = Database::open_migrated(&settings, &MIGRATIONS)
            .await
            .unwrap();
        let key_file = dir.path().join("kek");
        if !key_file.exists() {
            FileKeyProvider::create(&key_file).unwrap();
        }
        let keys = FileKeyProvider::load(&key_file, &Placement::Anywhere).unwrap();
        let shutdown = Shutdown::new();
        let routes = Routes::new()
            .with(DomainServiceServer::new(config.clone()))
            .with(PasswordServiceServer::new(directory.clone()));
        let others = Service::new("others").routes(routes);
        let (others, playing) = serve(others, Tasks::new(shutdown.clone()));
        let peer = channel::in_process(&others, Caller::service("rotation-scheduler").unwrap());
        let tasks = Tasks::new(shutdown.clone());
        let service = build(
            Settings::default(),
            Deps {
                db,
                bus: Arc::new(bus.clone()),
                config: peer.clone(),
                clock: clock.shared(),
                ids: Ids::system(),
                tasks: tasks.clone(),
                sealer: Sealer::new(Arc::new(keys)),
                connectors: Connectors {
                    active_directory: Some(peer),
                    entra_id: None,
                },
                instance: "test".to_owned(),
            },
        );
        let (way, serving) = serve(service, tasks);
        Self {
            dir,
            clock,
            directory,
            config,
            bus,
            way,
            shutdown,
            running: vec![serving, playing],
            clients: Vec::new(),
        }
    }

    /// Ends the service and starts it again on what it stored.
    pub(crate) async fn restarted(mut self) -> Self {
        for client in std::mem::take(&mut self.clients) {
            client.abort();
        }
        self.shutdown.trigger();
        for running in std::mem::take(&mut self.running) {
            running.wait().await.unwrap();
        }
        let dir = std::mem::replace(&mut self.dir, TempDir::new().unwrap());
        let (clock, config, directory) = (
            self.clock.clone(),
            self.config.clone(),
            self.directory.clone(),
        );
        drop(self);
        Self::start(dir, clock, config, directory).await
    }

    pub(crate) fn rotations(&self) -> RotationServiceClient<Channel> {
        RotationServiceClient::new(channel::in_process(&self.way, Caller::Administrator))
    }

    pub(crate) fn deliveries(&self) -> DeliveryServiceClient<Channel> {
        DeliveryServiceClient::new(channel::in_process(&self.way, Caller::Administrator))
    }

    /// As a delivery client of this id.
    pub(crate) fn as_client(&self, id: &str) -> Channel {
        let caller = Caller::person(format!("delivery:{id}"), [Role::Delivery]);
        channel::in_process(&self.way, caller)
    }

    pub(crate) async fn add_client(&self, id: &str, offers_per_hour: i32) {
        let request = proto::CreateDeliveryClientRequest {
            client_id: id.to_owned(),
            domains: vec!["domains/corp".to_owned()],
            offers_per_hour,
        };
        self.deliveries()
            .create_delivery_client(request)
            .await
            .unwrap();
    }

    /// Somebody in both groups, told of, whose password was set 40 days ago. Returns the account's name.
    pub(crate) async fn person(&self, number: u128) -> String {
        let name = format!("domains/corp/accounts/{}", Uuid::from_u128(number));
        let set = self.clock.now() - SignedDuration::from_hours(40 * 24);
        self.directory.put(
            &name,
            Account {
                version: 1,
                set,
                value: FIRST.to_owned(),
                eligibility: Eligibility::Eligible,
            },
        );
        let account = account(&name, 1);
        self.tell_account(&account).await;
        let employee = Employee {
            name: employee(number),
            generation: 1,
            active: true,
            accounts: vec![EmployeeAccount {
                account: Some(account),
                ..EmployeeAccount::default()
            }],
            ..Employee::default()
        };
        self.publish(
            "employee",
            &Uuid::from_u128(number).to_string(),
            "employee",
            Payload::EmployeeChanged(EmployeeChanged {
                employee: Some(employee),
            }),
        )
        .await;
        name
    }

    /// Tells that these accounts are an employee's.
    pub(crate) async fn link(&self, number: u128, accounts: &[u128], generation: i64) {
        let accounts = accounts.iter().map(|account| {
            let name = format!("domains/corp/accounts/{}", Uuid::from_u128(*account));
            EmployeeAccount {
                account: Some(self::account(&name, 1)),
                ..EmployeeAccount::default()
            }
        });
        let employee = Employee {
            name: employee(number),
            generation,
            active: true,
            accounts: accounts.collect(),
            ..Employee::default()
        };
        let scope = Uuid::from_u128(number).to_string();
        let payload = Payload::EmployeeChanged(EmployeeChanged {
            employee: Some(employee),
        });
        self.publish("employee", &scope, "employee", payload).await;
    }

    /// So many people, told of at once, as a first import does. Nobody waits for them.
    pub(crate) async fn crowd(&self, count: u128) {
        let set = self.clock.now() - SignedDuration::from_hours(40 * 24);
        let mut envelopes = Vec::new();
        for number in 1..=count {
            let name = format!("domains/corp/accounts/{}", Uuid::from_u128(number));
            self.directory.put(
                &name,
                Account {
                    version: 1,
                    set,
                    value: FIRST.to_owned(),
                    eligibility: Eligibility::Eligible,
                },
            );
            let employee = Employee {
                name: employee(number),
                generation: 1,
                active: true,
                accounts: vec![EmployeeAccount {
                    account: Some(account(&name, 1)),
                    ..EmployeeAccount::default()
                }],
                ..Employee::default()
            };
            let payload = Payload::EmployeeChanged(EmployeeChanged {
                employee: Some(employee),
            });
            let scope = Uuid::from_u128(number).to_string();
            envelopes.push(self.envelope("employee", &scope, "employee", payload));
        }
        for some in envelopes.chunks(500) {
            self.bus.publish(some).await.unwrap();
        }
    }

    pub(crate) async fn tell_account(&self, account: &told::Account) {
        self.publish(
            "directory",
            "corp",
            "account",
            Payload::AccountChanged(AccountChanged {
                account: Some(account.clone()),
                ..AccountChanged::default()
            }),
        )
        .await;
    }

    async fn publish(&self, family: &str, scope: &str, what: &str, payload: Payload) {
        let envelope = self.envelope(family, scope, what, payload);
        self.bus.publish(&[envelope]).await.unwrap();
    }

    fn envelope(&self, family: &str, scope: &str, what: &str, payload: Payload) -> Envelope {
        let event = Event {
            payload: Some(payload),
        };
        Envelope {
            id: Ids::system().uuid(),
            subject: Subject::new(family, scope, what, "updated").unwrap(),
            time: self.clock.now(),
            payload: event.encode_to_vec(),
            traceparent: None,
        }
    }

    /// So many people, known, each with a key; the client `desk` has been added.
    pub(crate) async fn people(&mut self, count: u128) -> Vec<(String, Arc<Key>)> {
        self.known().await;
        self.add_client("desk", 100_000).await;
        let mut people = Vec::new();
        for number in 1..=count {
            people.push(self.person(number).await);
        }
        let wanted = usize::try_from(count).unwrap();
        poll("everybody rotates", async || {
            let forecasts = self.forecasts().await;
            let known = forecasts
                .iter()
                .filter(|forecast| forecast.due_time.is_some() && !forecast.employee.is_empty());
            (known.count() == wanted).then_some(())
        })
        .await;
        // What happens at the moment a domain is made known is no reason to stop it.
        self.clock.advance(Duration::from_secs(1));
        let mut keys = Vec::new();
        for (number, name) in (1..).zip(people) {
            keys.push((name, self.key(number).await));
        }
        keys
    }

    /// Waits until the domain is known: before that, what is told of its accounts is left to a snapshot, which nobody
    /// plays here.
    pub(crate) async fn known(&self) {
        poll("the domain is known", async || {
            let request = proto::GetDomainRotationRequest {
                domain: "domains/corp".to_owned(),
            };
            let answer = self.rotations().get_domain_rotation(request).await;
            answer.ok().map(drop)
        })
        .await;
    }

    /// One more key of an employee.
    pub(crate) async fn key(&self, number: u128) -> Arc<Key> {
        let (sealing, signing) = (
            TargetSecret::generate().unwrap(),
            PresenceSecret::generate().unwrap(),
        );
        let request = proto::EnrollTargetRequest {
            employee: employee(number),
            display_name: "a key".to_owned(),
            sealing_key: sealing.public().to_bytes().to_vec(),
            signing_key: signing.public().to_bytes().to_vec(),
        };
        let target = self.deliveries().enroll_target(request).await.unwrap();
        let name = target.into_inner().name;
        Arc::new(Key::new(sealing, signing, name))
    }

    /// Has the client beside a key work.
    #[expect(
        clippy::disallowed_methods,
        reason = "a client beside the service, ended with the test"
    )]
    pub(crate) fn come(&mut self, key: &Arc<Key>) {
        let serving = Arc::clone(key).serve(self.as_client("desk"));
        self.clients.push(tokio::spawn(serving));
    }

    pub(crate) async fn forecasts(&self) -> Vec<proto::Forecast> {
        let request = proto::ForecastDomainRequest {
            domain: "domains/corp".to_owned(),
            page_size: 1_000,
            ..proto::ForecastDomainRequest::default()
        };
        let answer = self.rotations().forecast_domain(request).await;
        answer.map_or_else(|_| Vec::new(), |answer| answer.into_inner().forecasts)
    }

    pub(crate) async fn standing(&self) -> proto::DomainRotation {
        let request = proto::GetDomainRotationRequest {
            domain: "domains/corp".to_owned(),
        };
        let answer = self.rotations().get_domain_rotation(request).await;
        answer.unwrap().into_inner()
    }

    /// All rotations, newest first.
    pub(crate) async fn all(&self) -> Vec<proto::Rotation> {
        let request = proto::ListRotationsRequest {
            filter: proto::RotationFilter::All.into(),
            page_size: 1_000,
            ..proto::ListRotationsRequest::default()
        };
        let answer = self.rotations().list_rotations(request).await;
        answer.unwrap().into_inner().rotations
    }

    /// The newest rotation of an account, once it is in a state.
    pub(crate) async fn until(
        &self,
        account: &str,
        state: proto::RotationState,
    ) -> proto::Rotation {
        poll(&format!("{account} is {state:?}"), async || {
            let all = self.all().await;
            all.into_iter()
                .find(|rotation| rotation.account == account)
                .filter(|rotation| rotation.state() == state)
        })
        .await
    }

    pub(crate) async fn now(&self, number: u128) -> proto::RotateNowResponse {
        let request = proto::RotateNowRequest {
            whose: Some(proto::rotate_now_request::Whose::Employee(employee(number))),
        };
        let answer = self.rotations().rotate_now(request).await;
        answer.unwrap().into_inner()
    }

    pub(crate) async fn resume(&self) {
        let request = proto::ResumeDomainRequest {
            domain: "domains/corp".to_owned(),
        };
        self.rotations().resume_domain(request).await.unwrap();
    }

    pub(crate) fn pass(&self, hours: u64) {
        self.clock.advance(Duration::from_hours(hours));
    }

    /// Runs a statement past the service.
    pub(crate) async fn execute(&self, sql: &'static str) -> Result<u64, storage::Error> {
        let settings = storage::testing::settings(&self.dir.path().join("rotation.db")).await;
        let db = Database::open(&settings, &MIGRATIONS).await?;
        let mut tx = db.begin().await?;
        let rows = tx.execute(sql, storage::params![]).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// What a column of every row holds.
    pub(crate) async fn column(&self, sql: &'static str) -> Vec<Option<Vec<u8>>> {
        let settings = storage::testing::settings(&self.dir.path().join("rotation.db")).await;
        let db = Database::open(&settings, &MIGRATIONS).await.unwrap();
        let mut reader = db.read().await.unwrap();
        let rows = reader.query(sql, storage::params![]).await.unwrap();
        rows.iter().map(|row| row.get("value").unwrap()).collect()
    }
}

pub(crate) fn employee(number: u128) -> String {
    format!("employees/{}", Uuid::from_u128(number))
}

pub(crate) fn account(name: &str, generation: i64) -> told::Account {
    told::Account {
        name: name.to_owned(),
        generation,
        presence: told::Presence::Member.into(),
        kind: told::AccountKind::Member.into(),
        logon_name: "somebody".to_owned(),
        in_sync_group: true,
        in_rotation_group: true,
        state: Some(told::AccountState {
            privileged: told::Privilege::No.into(),
            ..told::AccountState::default()
        }),
        ..told::Account::default()
    }
}

pub(crate) async fn poll<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    poll_within(Duration::from_secs(20), what, ask).await
}

/// For many.
pub(crate) async fn poll_long<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    poll_within(Duration::from_secs(300), what, ask).await
}

async fn poll_within<T>(within: Duration, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + within;
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

/// The same while time goes on, ten seconds at a time: slowly enough for challenges to be answered.
pub(crate) async fn poll_while_time_passes<T>(
    world: &World,
    what: &str,
    ask: impl AsyncFn() -> Option<T>,
) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        for _ in 0..20 {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited in vain until {what}"
        );
        world.clock.advance(Duration::from_secs(10));
    }
}

/// Days from now on which everybody is due, whatever the spread.
pub(crate) const A_WEEK_AND_A_DAY: u64 = 8 * 24;

pub(crate) fn seconds(time: Option<prost_types::Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds)
}

//! `ListEmployees` over TLS, pages of 100 of 100,000 employees in PostgreSQL, beside the query alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use api::config::v1::employee_service_client::EmployeeServiceClient;
use api::config::v1::{Employee, EmployeeAccount, ListEmployeesRequest};
use api::directory::v1::Account;
use config_service::{Connectors, Deps, MIGRATIONS};
use events::embedded::EmbeddedBus;
use prost::Message as _;
use runtime::auth::{Authenticator, BootstrapToken};
use runtime::grpc::{self, Listener, channel};
use runtime::service::{self, Host};
use runtime::{Channel, Ids, Shutdown, SystemClock, Tasks, tls};
use sealing::{FileKeyProvider, Placement, Sealer};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use storage::Database;
use storage::settings::{Postgres as Server, Settings};
use tempfile::TempDir;
use testkit::ca::{Ca, Names};
use testkit::postgres::{Database as Made, Postgres};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use crate::row::{Row, Times, median};

const EMPLOYEES: usize = 100_000;
const PAGE: usize = 100;
/// The query of a page, one more than it holds to know whether there is a next one.
const QUERY: &str = "SELECT * FROM employee WHERE id > $1 ORDER BY id LIMIT 101";

pub(crate) async fn measure(host: &Handle) -> Result<Row> {
    let folder = TempDir::new()?;
    let server = Postgres::start().await?;
    let made = server.create_database("bench").await?;
    let settings = settings(&made, &folder)?;
    storage::migrate(&settings, &MIGRATIONS).await?;
    let mut bare = connect(&made).await?;
    fill(&mut bare).await?;
    let tasks = Tasks::new(Shutdown::new());
    let served = serve(settings, folder.path().to_owned(), tasks.clone());
    let served = host.spawn(served).await??;
    let channel = channel::connect(&served.url, &served.options)?;
    let client = EmployeeServiceClient::new(channel);

    // In turns, page by page: how fast the machine is changes within a run, and then it changes for both. Twice: the first
    // time fills caches.
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        (floor, ours) = in_turns(&mut bare, &client).await?;
    }
    tasks.shutdown().trigger();
    Ok(Row {
        work: "`ListEmployees`, pages of 100, 100,000 employees, PostgreSQL",
        floor: "the bare SQL query",
        times: Some(Times {
            floor: median(floor),
            ours: median(ours),
            target: 2.0,
        }),
        memory: None,
    })
}

/// How long each page took, asked for by the query and by the service. Each is first at every other page: the second one
/// finds what the first has brought into the caches.
async fn in_turns(
    bare: &mut PgConnection,
    client: &EmployeeServiceClient<Channel>,
) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    let (mut after, mut token) = (String::new(), String::new());
    for page in 0..EMPLOYEES / PAGE {
        let (queried, served);
        if page % 2 == 0 {
            queried = by_query(bare, &after).await?;
            served = by_service(client, &token).await?;
        } else {
            served = by_service(client, &token).await?;
            queried = by_query(bare, &after).await?;
        }
        floor.push(queried.took);
        ours.push(served.took);
        let (last, name) = (queried.last, served.last);
        anyhow::ensure!(name.ends_with(&last), "they read different pages");
        (after, token) = (last, served.next);
    }
    anyhow::ensure!(token.is_empty(), "there are more than {EMPLOYEES}");
    Ok((floor, ours))
}

/// A page that was read.
struct Read {
    took: Duration,
    /// Its last employee.
    last: String,
    /// What the next page is asked with.
    next: String,
}

async fn by_query(bare: &mut PgConnection, after: &str) -> Result<Read> {
    let started = now();
    let rows = sqlx::query(QUERY).bind(after).fetch_all(bare).await?;
    let took = started.elapsed();
    let last: String = rows.get(PAGE - 1).context("a short page")?.get("id");
    Ok(Read {
        took,
        next: last.clone(),
        last,
    })
}

async fn by_service(client: &EmployeeServiceClient<Channel>, token: &str) -> Result<Read> {
    let request = ListEmployeesRequest {
        page_size: i32::try_from(PAGE)?,
        page_token: token.to_owned(),
        ..ListEmployeesRequest::default()
    };
    let started = now();
    let page = client.clone().list_employees(request).await?.into_inner();
    let next = page.next_page_token.clone();
    let employees = page.into_employees()?;
    let took = started.elapsed();
    let last = employees.last().context("an empty page")?.name.clone();
    Ok(Read { took, last, next })
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn settings(made: &Made, folder: &TempDir) -> Result<Settings> {
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, &made.password)?;
    Ok(Settings::on(Server {
        host: made.host.clone(),
        port: made.port,
        name: made.name.clone(),
        user: made.user.clone(),
        password_file,
        ca_file: made.ca_file.clone(),
        ..Server::default()
    }))
}

/// As directly as it gets, over TLS as the service's own connections.
async fn connect(made: &Made) -> Result<PgConnection> {
    let options = PgConnectOptions::new_without_pgpass()
        .host(&made.host)
        .port(made.port)
        .database(&made.name)
        .username(&made.user)
        .password(&made.password)
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(&made.ca_file);
    Ok(PgConnection::connect_with(&options).await?)
}

/// Employees as a sync makes them, each with an account. One statement: an id of its own is all that tells them apart.
async fn fill(bare: &mut PgConnection) -> Result<()> {
    let template = Employee {
        display_name: "Ada Augusta Lovelace".to_owned(),
        given_name: "Ada".to_owned(),
        surname: "Lovelace".to_owned(),
        mail: "ada.lovelace@corp.example.com".to_owned(),
        department: "Analytical Engines".to_owned(),
        title: "Countess".to_owned(),
        active: true,
        generation: 1,
        etag: "g1".to_owned(),
        accounts: vec![EmployeeAccount {
            account: Some(Account {
                name: "domains/corp/accounts/0b9d3c4e-5f6a-4b7c-8d9e-0f1a2b3c4d5e".to_owned(),
                logon_name: "ada.lovelace".to_owned(),
                user_principal_name: "ada.lovelace@corp.example.com".to_owned(),
                display_name: "Ada Augusta Lovelace".to_owned(),
                mail: "ada.lovelace@corp.example.com".to_owned(),
                generation: 1,
                ..Account::default()
            }),
            ..EmployeeAccount::default()
        }],
        ..Employee::default()
    };
    let hex: String = template
        .encode_to_vec()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // A field that stands twice has its last value: the name is appended, 46 bytes as field 1.
    let sql = format!(
        "INSERT INTO employee (id, generation, active, state, created, updated)
         SELECT id, 1, 1, '\\x{hex}'::bytea || '\\x0a2e'::bytea || convert_to('employees/' || id, 'UTF8'), 0, 0
         FROM (SELECT gen_random_uuid()::text AS id FROM generate_series(1, {EMPLOYEES})) AS made"
    );
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *bare).await?;
    sqlx::query("ANALYZE employee").execute(bare).await?;
    Ok(())
}

/// Where a service is, and what it takes to be let in.
struct Served {
    url: String,
    options: channel::Options,
    /// Keeps its certificate's file.
    _authority: Ca,
}

/// config-service, whole, over TLS on loopback.
async fn serve(settings: Settings, folder: PathBuf, tasks: Tasks) -> Result<Served> {
    let ca = Ca::new("bench authority")?;
    let issued = ca.server(&Names::dns("localhost"))?;
    let file = |name: &str| folder.join(name);
    std::fs::write(file("server.pem"), &issued.certificate)?;
    std::fs::write(file("server.key"), &issued.key)?;
    FileKeyProvider::create(&file("kek"))?;
    let keys = FileKeyProvider::load(&file("kek"), &Placement::Anywhere)?;
    let (clock, ids) = (SystemClock::shared(), Ids::system());
    let now = clock.clone();
    let bus = EmbeddedBus::open(&file("bus.db"), Arc::new(move || now.now())).await?;
    let service = config_service::build(
        config_service::Settings::default(),
        Deps {
            db: Database::open(&settings, &MIGRATIONS).await?,
            bus: Arc::new(bus),
            clock,
            ids: ids.clone(),
            sealer: Sealer::new(Arc::new(keys)),
            connectors: Connectors::default(),
            rotation: None,
            instance: "bench".to_owned(),
        },
    );
    let token = BootstrapToken::generate(&ids);
    let tls = tls::server(&tls::Settings {
        certificate_file: Some(file("server.pem")),
        key_file: Some(file("server.key")),
        client_ca_file: None,
    })?
    .context("no certificate")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    let host = Host {
        grpc: grpc::Settings::default(),
        lifecycle: service::Settings::default(),
        authenticator: Authenticator::new().accepting(token.hash()),
        tasks,
    };
    host.start(vec![service], vec![Listener::Tls(listener, tls)])?;
    let options = channel::Options {
        ca_file: Some(ca.file()),
        token: Some(token.secret().clone()),
        ..channel::Options::default()
    };
    Ok(Served {
        url,
        options,
        _authority: ca,
    })
}

//! What only PostgreSQL can do to a store: cut it off, keep it waiting, be several, be somebody else.
#![expect(
    clippy::unwrap_used,
    reason = "code of tests: a failure here is a failed test"
)]

use std::sync::Arc;
use std::time::Duration;

use storage::settings::{Postgres as Server, Settings, Tls};
use storage::{Database, Error, Migration, Migrations, Sql as _, params};
use testkit::postgres::{self, Postgres};

const SCHEMA: Migrations = Migrations {
    sqlite: &[],
    postgres: &[Migration {
        version: 1,
        name: "thing",
        sql: "CREATE TABLE thing (id TEXT COLLATE \"C\" NOT NULL PRIMARY KEY)",
    }],
};

struct World {
    folder: tempfile::TempDir,
    _server: Arc<Postgres>,
    settings: Settings,
}

impl World {
    async fn new(name: &str) -> Self {
        let server = postgres::shared().await.unwrap();
        Self::on(server, name).await
    }

    async fn on(server: Arc<Postgres>, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = server.create_database(name).await.unwrap();
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, format!("{}\n", made.password)).unwrap();
        let settings = Settings::on(Server {
            host: made.host,
            port: made.port,
            name: made.name,
            user: made.user,
            password_file,
            ca_file: made.ca_file,
            connections: 4,
            lock_timeout_seconds: 20,
            query_timeout_seconds: 20,
            ..Server::default()
        });
        Self {
            folder,
            _server: server,
            settings,
        }
    }

    async fn open(&self) -> Database {
        Database::open_migrated(&self.settings, &SCHEMA)
            .await
            .unwrap()
    }

    fn with(&self, change: impl FnOnce(&mut Server)) -> Settings {
        let mut settings = self.settings.clone();
        change(&mut settings.postgres);
        settings
    }
}

async fn insert(database: &Database, id: &str) -> Result<(), Error> {
    let mut transaction = database.begin().await?;
    transaction
        .execute("INSERT INTO thing (id) VALUES ($1)", params![id])
        .await?;
    transaction.commit().await
}

async fn ids(database: &Database) -> Vec<String> {
    let mut reader = database.read().await.unwrap();
    let rows = reader.query("SELECT id FROM thing ORDER BY id", params![]);
    let rows = rows.await.unwrap();
    rows.iter().map(|row| row.get("id").unwrap()).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[tokio::test]
async fn a_writer_of_another_process_is_waited_for_and_then_seen() {
    let world = World::new("two_writers").await;
    let (one, two) = (world.open().await, world.open().await);
    let mut first = one.begin().await.unwrap();
    let count = "SELECT COUNT(*) AS n FROM thing";
    first
        .execute("INSERT INTO thing (id) VALUES ('first')", params![])
        .await
        .unwrap();

    let second = async {
        let mut second = two.begin().await?;
        let row = second.query_one(count, params![]).await?;
        row.get::<i64>("n")
    };
    let mut second = std::pin::pin!(second);
    let waited = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(waited.is_err(), "two wrote at once");
    first.commit().await.unwrap();

    assert_eq!(second.await.unwrap(), 1);
}

#[tokio::test]
async fn a_writer_that_gives_up_in_the_middle_keeps_nobody_waiting() {
    let world = World::new("gives_up").await;
    let database = world.open().await;
    // Dropped while its query runs, and dropped between queries.
    let mut transaction = database.begin().await.unwrap();
    let asleep = transaction.query("SELECT CAST(pg_sleep(3600) AS TEXT) AS t", params![]);
    let gave_up = tokio::time::timeout(Duration::from_millis(100), asleep).await;
    assert!(gave_up.is_err());
    drop(transaction);
    let mut transaction = database.begin().await.unwrap();
    transaction
        .execute("INSERT INTO thing (id) VALUES ('dropped')", params![])
        .await
        .unwrap();
    drop(transaction);

    insert(&database, "next").await.unwrap();

    assert_eq!(ids(&database).await, ["next"]);
}

#[tokio::test]
async fn a_transaction_in_which_a_query_failed_is_not_reported_as_committed() {
    let world = World::new("aborted").await;
    let database = world.open().await;
    insert(&database, "a").await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    transaction
        .execute("INSERT INTO thing (id) VALUES ('b')", params![])
        .await
        .unwrap();
    let again = transaction.execute("INSERT INTO thing (id) VALUES ('a')", params![]);
    assert!(again.await.unwrap_err().is_unique_violation());

    let committed = transaction.commit().await;

    assert!(matches!(committed, Err(Error::Commit(_))));
    assert_eq!(ids(&database).await, ["a"]);
}

#[tokio::test]
async fn several_that_migrate_at_once_run_each_step_once() {
    let world = World::new("at_once").await;

    let migrate = || storage::migrate(&world.settings, &SCHEMA);
    let (one, two, three) = tokio::join!(migrate(), migrate(), migrate());

    for ran in [one, two, three] {
        ran.unwrap();
    }
    assert_eq!(
        storage::pending(&world.settings, &SCHEMA).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn a_server_that_stops_and_starts_is_found_again() {
    let server = Arc::new(Postgres::start().await.unwrap());
    let world = World::on(Arc::clone(&server), "restarted").await;
    let database = world.open().await;
    insert(&database, "before").await.unwrap();
    let single = async || {
        let mut reader = database.single().await?;
        let rows = reader.query("SELECT id FROM thing", params![]).await?;
        Ok::<_, Error>(rows.len())
    };
    // Leaves a connection for the next single query, which will be dead by then.
    assert_eq!(single().await.unwrap(), 1);

    server.kill().await.unwrap();
    let down = insert(&database, "down").await;
    server.start_again().await.unwrap();

    assert!(down.is_err());
    assert_eq!(single().await.unwrap(), 1);
    insert(&database, "after").await.unwrap();
    assert_eq!(ids(&database).await, ["after", "before"]);
    // What is kept for the next single query is not waited for.
    assert_eq!(single().await.unwrap(), 2);
    tokio::time::timeout(Duration::from_secs(30), database.close())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let server = Arc::new(Postgres::start().await.unwrap());
    let world = World::on(Arc::clone(&server), "paused").await;
    let settings = world.with(|server| {
        server.query_timeout_seconds = 1;
        server.acquire_timeout_seconds = 1;
    });
    let database = Database::open_migrated(&settings, &SCHEMA).await.unwrap();
    let mut transaction = database.begin().await.unwrap();

    server.pause().unwrap();
    let answer = transaction
        .execute("INSERT INTO thing (id) VALUES ('a')", params![])
        .await
        .unwrap_err();
    drop(transaction);
    let later = insert(&database, "b").await;
    server.resume().unwrap();

    assert!(chain(&answer).contains("no answer in time"), "{answer:?}");
    assert!(later.is_err());
    testkit::poll_until(Duration::from_secs(30), "a write", async || {
        insert(&database, "c").await.ok()
    })
    .await
    .unwrap();
    assert_eq!(ids(&database).await, ["c"]);
}

#[tokio::test]
async fn the_server_must_prove_its_name_and_who_logs_on_theirs() {
    let world = World::new("proven").await;
    let other = testkit::ca::Ca::new("another authority").unwrap();
    let other_ca = world.folder.path().join("other-ca.pem");
    std::fs::write(&other_ca, other.pem()).unwrap();
    let wrong_password = world.folder.path().join("wrong");
    std::fs::write(&wrong_password, "canary-of-a-password").unwrap();

    let stranger = world.with(|server| server.ca_file = other_ca);
    let stranger = storage::migrate(&stranger, &SCHEMA).await.unwrap_err();
    let public = world.with(|server| server.ca_file = "".into());
    let public = storage::migrate(&public, &SCHEMA).await.unwrap_err();
    let refused = world.with(|server| server.password_file = wrong_password);
    let refused = storage::migrate(&refused, &SCHEMA).await.unwrap_err();
    let missing = world.with(|server| server.password_file = "/nowhere/password".into());
    let missing = storage::migrate(&missing, &SCHEMA).await.unwrap_err();
    let plain = world.with(|server| server.tls = Tls::Off);

    for error in [&stranger, &public] {
        let said = chain(error);
        assert!(said.contains("UnknownIssuer"), "{said}");
    }
    let said = format!("{} {refused:?}", chain(&refused));
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    assert!(matches!(missing, Error::PasswordFile { .. }), "{missing:?}");
    // It is for whoever brings their own encryption, and has to be asked for.
    storage::migrate(&plain, &SCHEMA).await.unwrap();
}

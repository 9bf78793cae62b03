//! The kit on a real database, of the engine that the environment names.

use std::time::Duration;

use crate::{Database, Error, Migration, Migrations, Settings, Sql, lease, params};
use jiff::Timestamp;
use uuid::Uuid;

const SCHEMA: Migrations = Migrations {
    sqlite: &[Migration {
        version: 1,
        name: "thing",
        sql: "CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, at BIGINT, flag BIGINT, body BLOB)",
    }],
    postgres: &[Migration {
        version: 1,
        name: "thing",
        sql: "CREATE TABLE thing (id TEXT COLLATE \"C\" NOT NULL PRIMARY KEY, at BIGINT, flag BIGINT, body BYTEA)",
    }],
};

struct World {
    directory: tempfile::TempDir,
    database: Database,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = crate::testing::settings(&directory.path().join("test.db")).await;
        let database = Database::open_migrated(&settings, &SCHEMA).await.unwrap();
        Self {
            directory,
            database,
        }
    }

    async fn reopened(self, migrations: &Migrations) -> Result<Self, Error> {
        self.database.close().await;
        let settings = self.settings().await;
        let database = Database::open(&settings, migrations).await?;
        Ok(Self {
            directory: self.directory,
            database,
        })
    }

    async fn settings(&self) -> Settings {
        crate::testing::settings(&self.directory.path().join("test.db")).await
    }

    async fn count(&self) -> i64 {
        let mut reader = self.database.read().await.unwrap();
        let row = reader
            .query_one("SELECT COUNT(*) AS n FROM thing", params![])
            .await
            .unwrap();
        row.get("n").unwrap()
    }
}

async fn insert(database: &Database, id: &str) -> Result<(), Error> {
    let mut transaction = database.begin().await?;
    transaction
        .execute("INSERT INTO thing (id) VALUES ($1)", params![id])
        .await?;
    transaction.commit().await
}

#[tokio::test]
async fn every_type_comes_back_as_it_went_in() {
    let world = World::new().await;
    let id = Uuid::from_u128(7);
    let at: Timestamp = "2026-11-23T10:00:00.123456Z".parse().unwrap();
    let mut transaction = world.database.begin().await.unwrap();

    let row = transaction
        .query_one(
            "INSERT INTO thing (id, at, flag, body) VALUES ($1, $2, $3, $4)
             RETURNING *, 1 AS literal, EXISTS (SELECT 1) AS truth, CAST(NULL AS BIGINT) AS absent",
            params![id, at, true, vec![0_u8, 255]],
        )
        .await
        .unwrap();

    assert_eq!(row.get::<Uuid>("id").unwrap(), id);
    assert_eq!(row.get::<Timestamp>("at").unwrap(), at);
    assert!(row.get::<bool>("flag").unwrap());
    assert_eq!(row.get::<Vec<u8>>("body").unwrap(), [0, 255]);
    assert_eq!(row.get::<i64>("literal").unwrap(), 1);
    assert!(row.get::<bool>("truth").unwrap());
    assert_eq!(row.get::<Option<i64>>("absent").unwrap(), None);
    assert!(matches!(row.get::<i64>("absent"), Err(Error::Value { .. })));
    assert!(matches!(
        row.get::<i64>("missing"),
        Err(Error::Column { .. })
    ));
}

#[tokio::test]
async fn a_null_fits_wherever_it_stands() {
    let world = World::new().await;
    let mut transaction = world.database.begin().await.unwrap();
    let sql = "INSERT INTO thing (id, at, flag, body) VALUES ($1, $2, $3, $4)";

    // The same statement, prepared once, with and without values.
    let nothing = None::<i64>;
    for (id, body) in [("a", None), ("b", Some(vec![1_u8])), ("c", None)] {
        transaction
            .execute(sql, params![id, nothing, nothing, body])
            .await
            .unwrap();
    }
    let rows = transaction
        .query(
            "SELECT id FROM thing WHERE (CAST($1 AS TEXT) IS NULL OR id > $1) AND body IS NULL ORDER BY id",
            params![None::<&str>],
        )
        .await
        .unwrap();

    let ids: Vec<String> = rows.iter().map(|row| row.get("id").unwrap()).collect();
    assert_eq!(ids, ["a", "c"]);
}

#[tokio::test]
async fn text_is_in_the_order_of_its_bytes() {
    let world = World::new().await;
    for id in ["b", "B", "a-b", "ab", "ä", "a"] {
        insert(&world.database, id).await.unwrap();
    }

    let mut reader = world.database.read().await.unwrap();
    let rows = reader
        .query("SELECT id FROM thing ORDER BY id", params![])
        .await
        .unwrap();

    let ids: Vec<String> = rows.iter().map(|row| row.get("id").unwrap()).collect();
    assert_eq!(ids, ["B", "a", "a-b", "ab", "b", "ä"]);
}

#[tokio::test]
async fn a_database_that_lacks_migrations_is_refused_until_they_have_run() {
    let directory = tempfile::tempdir().unwrap();
    let settings = crate::testing::settings(&directory.path().join("test.db")).await;
    let names = |steps: Vec<crate::Step>| -> Vec<String> {
        steps.into_iter().map(|step| step.name).collect()
    };

    let early = Database::open(&settings, &SCHEMA).await.unwrap_err();
    assert!(
        matches!(&early, Error::Pending { steps, .. } if steps == "0001_kit, thing"),
        "{early}"
    );
    let pending = crate::migrate::pending(&settings, &SCHEMA).await.unwrap();
    assert_eq!(names(pending), ["0001_kit", "thing"]);
    let run = crate::migrate::migrate(&settings, &SCHEMA).await.unwrap();
    assert_eq!(names(run), ["0001_kit", "thing"]);

    assert_eq!(
        crate::migrate::pending(&settings, &SCHEMA).await.unwrap(),
        []
    );
    assert_eq!(
        crate::migrate::migrate(&settings, &SCHEMA).await.unwrap(),
        []
    );
    Database::open(&settings, &SCHEMA).await.unwrap();
}

#[tokio::test]
async fn what_is_not_committed_never_was() {
    let world = World::new().await;
    let mut transaction = world.database.begin().await.unwrap();
    transaction
        .execute("INSERT INTO thing (id) VALUES ('a')", params![])
        .await
        .unwrap();

    drop(transaction);

    insert(&world.database, "b").await.unwrap();
    let world = world.reopened(&SCHEMA).await.unwrap();
    assert_eq!(world.count().await, 1);
}

#[tokio::test]
async fn a_reader_sees_one_moment() {
    let world = World::new().await;
    let mut reader = world.database.read().await.unwrap();
    let count = "SELECT COUNT(*) AS n FROM thing";
    let before: i64 = reader
        .query_one(count, params![])
        .await
        .unwrap()
        .get("n")
        .unwrap();

    insert(&world.database, "a").await.unwrap();

    let after: i64 = reader
        .query_one(count, params![])
        .await
        .unwrap()
        .get("n")
        .unwrap();
    assert_eq!((before, after), (0, 0));
    drop(reader);
    assert_eq!(world.count().await, 1);
}

#[tokio::test]
async fn writers_wait_for_one_another_instead_of_failing() {
    let world = World::new().await;
    insert(&world.database, "a").await.unwrap();

    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let database = world.database.clone();
        writers.spawn(async move {
            let mut transaction = database.begin().await?;
            transaction.query("SELECT * FROM thing", params![]).await?;
            tokio::task::yield_now().await;
            let count = "UPDATE thing SET at = COALESCE(at, 0) + 1";
            transaction.execute(count, params![]).await?;
            transaction.commit().await
        });
    }
    for written in writers.join_all().await {
        written.unwrap();
    }

    let mut reader = world.database.read().await.unwrap();
    let row = reader
        .query_one("SELECT at FROM thing", params![])
        .await
        .unwrap();
    assert_eq!(row.get::<i64>("at").unwrap(), 16);
}

#[tokio::test]
async fn a_second_row_of_the_same_key_is_told_apart_from_other_errors() {
    let world = World::new().await;
    insert(&world.database, "a").await.unwrap();

    let again = insert(&world.database, "a").await.unwrap_err();

    assert!(again.is_unique_violation(), "{again:?}");
    let mut reader = world.database.read().await.unwrap();
    let broken = reader
        .query("SELECT nothing FROM nowhere", params![])
        .await
        .map(|_| ());
    assert!(!broken.unwrap_err().is_unique_violation());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let world = World::new().await;

    let older = world.reopened(&Migrations::NONE).await;

    assert!(matches!(older.map(|_| ()), Err(Error::Migrate { .. })));
}

#[tokio::test]
async fn a_lease_has_one_holder_and_a_stale_one_is_fenced_off() {
    let world = World::new().await;
    let hour = Duration::from_secs(3600);
    let mut transaction = world.database.begin().await.unwrap();
    let first = lease::claim(&mut transaction, "relay", "one", hour)
        .await
        .unwrap()
        .unwrap();
    let again = lease::claim(&mut transaction, "relay", "one", hour)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(
        lease::claim(&mut transaction, "relay", "two", hour)
            .await
            .unwrap(),
        None
    );

    // The holder's time runs out.
    lease::renew(&mut transaction, &first, Duration::ZERO)
        .await
        .unwrap();
    // Nobody has taken it: it can be prolonged, and runs out again.
    lease::renew(&mut transaction, &first, hour).await.unwrap();
    lease::assert_held(&mut transaction, &first).await.unwrap();
    lease::renew(&mut transaction, &first, Duration::ZERO)
        .await
        .unwrap();
    let second = lease::claim(&mut transaction, "relay", "two", hour)
        .await
        .unwrap()
        .unwrap();

    assert!(second.token > first.token);
    let stale = lease::assert_held(&mut transaction, &first).await;
    assert!(matches!(stale, Err(Error::LeaseLost { .. })));
    let renewed = lease::renew(&mut transaction, &first, hour).await;
    assert!(matches!(renewed, Err(Error::LeaseLost { .. })));
    lease::assert_held(&mut transaction, &second).await.unwrap();
}

#[tokio::test]
async fn a_released_lease_is_free_and_its_token_is_never_given_again() {
    let world = World::new().await;
    let hour = Duration::from_secs(3600);
    let mut transaction = world.database.begin().await.unwrap();
    let first = lease::claim(&mut transaction, "relay", "one", hour)
        .await
        .unwrap()
        .unwrap();

    lease::release(&mut transaction, &first).await.unwrap();

    let next = lease::claim(&mut transaction, "relay", "one", hour)
        .await
        .unwrap()
        .unwrap();
    assert!(next.token > first.token);
}

#[tokio::test]
async fn the_file_and_those_beside_it_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::at(directory.path().join("test.db"));
    let database = Database::open_migrated(&settings, &SCHEMA).await.unwrap();
    insert(&database, "a").await.unwrap();

    let files: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap())
        .collect();

    // The database, its log, and the log's index.
    assert_eq!(files.len(), 3);
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[test]
fn parameters_show_their_kind_and_never_their_value() {
    let printed = format!("{:?}", params!["Ada", vec![1_u8, 2], 42_i64, None::<i64>]);

    assert_eq!(printed, "[Text(..), Bytes(..), Int(..), Null]");
}

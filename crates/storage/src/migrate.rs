//! Bringing a database to a version's schema, and refusing one that is at another.

use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migrator};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::{Database, Error, Migrations, Settings, postgres, settings::Engine, sqlite};

const TABLE: &str = "_sqlx_migrations";
const SQLITE_HAS_TABLE: &str =
    "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')";
const POSTGRES_HAS_TABLE: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";

/// One step of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// In the order in which they run.
    pub version: i64,
    pub name: String,
}

/// Runs the steps that the database lacks, each in a transaction, and returns them. Several may run it at once on
/// PostgreSQL: one works, the others wait.
pub async fn migrate(settings: &Settings, migrations: &Migrations) -> Result<Vec<Step>, Error> {
    let (steps, migrator) = (
        pending(settings, migrations).await?,
        migrations.of(settings.engine),
    );
    match settings.engine {
        Engine::Sqlite => {
            let mut connection = sqlite::connect(&settings.sqlite)
                .await
                .map_err(|source| open(settings, source))?;
            let done = migrator.run_direct(None, &mut connection, false).await;
            drop(connection.close().await);
            done
        }
        Engine::Postgres => {
            let mut connection = postgres::connect(settings).await?;
            let done = migrator.run_direct(None, &mut connection, false).await;
            // Its end is the end of the lock that it took, whatever became of it.
            drop(connection.close().await);
            done
        }
    }
    .map_err(|source| wrong(settings, source))?;
    Ok(steps)
}

/// The steps that the database lacks, without running them. Makes nothing, not even a missing file.
pub async fn pending(settings: &Settings, migrations: &Migrations) -> Result<Vec<Step>, Error> {
    let migrator = migrations.of(settings.engine);
    let applied = match settings.engine {
        Engine::Sqlite if !settings.sqlite.path.exists() => Ok(Vec::new()),
        Engine::Sqlite => {
            let mut connection = sqlite::connect(&settings.sqlite)
                .await
                .map_err(|source| open(settings, source))?;
            let applied = sqlite_applied(&mut connection).await;
            drop(connection.close().await);
            applied
        }
        Engine::Postgres => {
            let mut connection = postgres::connect(settings).await?;
            let applied = postgres_applied(&mut connection).await;
            drop(connection.close().await);
            applied
        }
    };
    applied
        .and_then(|applied| lacking(&migrator, &applied))
        .map_err(|source| wrong(settings, source))
}

impl Database {
    /// [`migrate`], then [`Database::open`]: for who is alone with the database, such as a process with its own files.
    pub async fn open_migrated(
        settings: &Settings,
        migrations: &Migrations,
    ) -> Result<Self, Error> {
        migrate(settings, migrations).await?;
        Self::open(settings, migrations).await
    }
}

/// Refuses a database at another version's schema.
pub(crate) async fn check(settings: &Settings, migrations: &Migrations) -> Result<(), Error> {
    let pending = pending(settings, migrations).await?;
    if pending.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = pending.iter().map(|step| step.name.as_str()).collect();
    Err(Error::Pending {
        place: settings.place(),
        steps: names.join(", "),
    })
}

async fn sqlite_applied(
    connection: &mut SqliteConnection,
) -> Result<Vec<AppliedMigration>, MigrateError> {
    let has_table = sqlx::query_scalar(SQLITE_HAS_TABLE).fetch_one(&mut *connection);
    if has_table.await? {
        connection.list_applied_migrations(TABLE).await
    } else {
        Ok(Vec::new())
    }
}

async fn postgres_applied(
    connection: &mut PgConnection,
) -> Result<Vec<AppliedMigration>, MigrateError> {
    let has_table = sqlx::query_scalar(POSTGRES_HAS_TABLE).fetch_one(&mut *connection);
    if has_table.await? {
        connection.list_applied_migrations(TABLE).await
    } else {
        Ok(Vec::new())
    }
}

/// What of the schema isn't there. An error where something else is.
fn lacking(migrator: &Migrator, applied: &[AppliedMigration]) -> Result<Vec<Step>, MigrateError> {
    for done in applied {
        let Some(known) = migrator.iter().find(|step| step.version == done.version) else {
            return Err(MigrateError::VersionMissing(done.version));
        };
        if known.checksum != done.checksum {
            return Err(MigrateError::VersionMismatch(done.version));
        }
    }
    Ok(migrator
        .iter()
        .filter(|step| !applied.iter().any(|done| done.version == step.version))
        .map(|step| Step {
            version: step.version,
            name: step.description.to_string(),
        })
        .collect())
}

fn open(settings: &Settings, source: sqlx::Error) -> Error {
    Error::Open {
        place: settings.place(),
        source,
    }
}

fn wrong(settings: &Settings, source: MigrateError) -> Error {
    Error::Migrate {
        place: settings.place(),
        source,
    }
}

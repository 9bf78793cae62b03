//! SQLite: one file, one writer.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use crate::settings::Sqlite;

/// What SQLite takes of the process's memory before it gives up cached pages, for all files and connections together, in
/// bytes: without it each cache grows with what its connection ever touched (O5).
const HEAP: &str = "8388608";

/// Connections to one file.
#[derive(Debug)]
pub(crate) struct Pools {
    /// One connection: SQLite has one writer at a time, and waiting here is fair, unlike waiting on its lock.
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

impl Pools {
    pub(crate) async fn open(settings: &Sqlite) -> Result<Self, sqlx::Error> {
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(settings.busy_timeout())
            .connect_with(options(settings))
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(settings.readers.max(1))
            .acquire_timeout(settings.busy_timeout())
            .connect_with(options(settings).read_only(true).create_if_missing(false))
            .await?;
        Ok(Self { writer, readers })
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// One connection, the file made where it is missing.
pub(crate) async fn connect(settings: &Sqlite) -> Result<SqliteConnection, sqlx::Error> {
    owners_only(&settings.path)?;
    SqliteConnection::connect_with(&options(settings)).await
}

fn options(settings: &Sqlite) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&settings.path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: with WAL, NORMAL may lose the last commits in a power cut, and a password with them (R1).
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("soft_heap_limit", HEAP)
        .busy_timeout(settings.busy_timeout())
}

/// Makes the file where it is missing. SQLite would let everybody read it, and gives the files beside it its permissions.
fn owners_only(path: &Path) -> Result<(), std::io::Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
}

//! A database and its connections.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::sql::{Inner, Reader, Transaction};
use crate::{Error, Migrations, Settings};

/// A database, opened. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database(Arc<Engine>);

#[derive(Debug)]
pub(crate) enum Engine {
    Sqlite {
        /// One connection: SQLite has one writer at a time, and waiting here is fair, unlike waiting on its lock.
        writer: SqlitePool,
        readers: SqlitePool,
    },
}

impl Database {
    /// Opens the database, making it where it is missing, and brings it to the present schema.
    pub async fn open(settings: &Settings, migrations: &Migrations) -> Result<Self, Error> {
        let open = |source| Error::Open {
            path: settings.path.clone(),
            source,
        };
        owners_only(&settings.path).map_err(|error| open(error.into()))?;
        let options = SqliteConnectOptions::new()
            .filename(&settings.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: with WAL, NORMAL may lose the last commits in a power cut, and a password with them (R1).
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(settings.busy_timeout());
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(settings.busy_timeout())
            .connect_with(options.clone())
            .await
            .map_err(open)?;
        migrations
            .for_sqlite()
            .run(&writer)
            .await
            .map_err(|source| Error::Migrate {
                path: settings.path.clone(),
                source,
            })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(settings.readers.max(1))
            .acquire_timeout(settings.busy_timeout())
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(open)?;
        Ok(Self(Arc::new(Engine::Sqlite { writer, readers })))
    }

    /// A consistent snapshot to read from; writers do not wait for it, nor it for them.
    pub async fn read(&self) -> Result<Reader, Error> {
        let Engine::Sqlite { readers, .. } = &*self.0;
        let transaction = readers.begin().await.map_err(Error::Begin)?;
        Ok(Reader(Inner::Sqlite(transaction)))
    }

    /// A transaction to write in. It holds the write lock from its start: one that read first and then had to wait for
    /// the lock would be refused at once.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        let Engine::Sqlite { writer, .. } = &*self.0;
        let transaction = writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(Error::Begin)?;
        Ok(Transaction(Inner::Sqlite(transaction)))
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        let Engine::Sqlite { writer, readers } = &*self.0;
        readers.close().await;
        writer.close().await;
    }
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

//! A database and its connections.

use std::sync::Arc;

use crate::postgres::{self, Connections, PgTransaction};
use crate::settings::Engine as Kind;
use crate::sql::{Inner, Reader, Transaction};
use crate::{Error, Migrations, Settings, migrate, sqlite};

/// A database, opened. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database(Arc<Engine>);

#[derive(Debug)]
enum Engine {
    Sqlite(sqlite::Pools),
    Postgres(Connections),
}

impl Database {
    /// Opens a database that has the schema of this version; [`migrate()`](crate::migrate()) brings it there.
    pub async fn open(settings: &Settings, migrations: &Migrations) -> Result<Self, Error> {
        migrate::check(settings, migrations).await?;
        let place = settings.place();
        let engine = match settings.engine {
            Kind::Sqlite => Engine::Sqlite(
                sqlite::Pools::open(&settings.sqlite)
                    .await
                    .map_err(|source| Error::Open { place, source })?,
            ),
            Kind::Postgres => Engine::Postgres(postgres::connections(&settings.postgres, &place)?),
        };
        Ok(Self(Arc::new(engine)))
    }

    /// A consistent snapshot to read from; writers do not wait for it, nor it for them.
    pub async fn read(&self) -> Result<Reader, Error> {
        let inner = match &*self.0 {
            Engine::Sqlite(pools) => {
                Inner::Sqlite(pools.readers.begin().await.map_err(Error::Begin)?)
            }
            Engine::Postgres(connections) => Inner::Postgres(
                Box::pin(PgTransaction::read(connections))
                    .await
                    .map_err(Error::Begin)?,
            ),
        };
        Ok(Reader(inner))
    }

    /// For one query, which is cheaper without a transaction around it. Several may each see another moment.
    pub async fn single(&self) -> Result<Reader, Error> {
        let Engine::Postgres(connections) = &*self.0 else {
            return self.read().await;
        };
        let single = Box::pin(PgTransaction::single(connections)).await;
        Ok(Reader(Inner::Postgres(single.map_err(Error::Begin)?)))
    }

    /// A transaction to write in. It holds the write lock from its start: one that read first and then had to wait for
    /// the lock would be refused at once on SQLite, and would know less than was committed on PostgreSQL.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        let inner = match &*self.0 {
            Engine::Sqlite(pools) => {
                let transaction = pools.writer.begin_with("BEGIN IMMEDIATE").await;
                Inner::Sqlite(transaction.map_err(Error::Begin)?)
            }
            Engine::Postgres(connections) => Inner::Postgres(
                Box::pin(PgTransaction::write(connections))
                    .await
                    .map_err(Error::Begin)?,
            ),
        };
        Ok(Transaction(inner))
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        match &*self.0 {
            Engine::Sqlite(pools) => pools.close().await,
            Engine::Postgres(connections) => connections.close().await,
        }
    }
}

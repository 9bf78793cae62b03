//! A transaction that leaves nothing behind, however it ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo};
use sqlx::{Encode, Executor as _, PgConnection, PgPool, Postgres, Type};
use tokio::time::error::Elapsed;

use super::timed_out;
use crate::Value;

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Read committed: with the lock held, nobody commits anything, and each statement sees all there is.
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// Waiting for it is in order of arrival. `pg_dump` and reading don't conflict with it.
const LOCK: &str = "LOCK TABLE hes_writer IN EXCLUSIVE MODE";

/// How long ending what was left open may take before the connection counts as dead.
const ROLLBACK: Duration = Duration::from_secs(5);

/// Connections, and one more that single queries take turns on: the one used last, still warm, and with nothing said on
/// it when it is put back, where the pool would ask the server whether it is there and lend it out in rotation.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(crate) pool: PgPool,
    pub(crate) timeout: Duration,
    spare: Arc<Mutex<Option<PoolConnection<Postgres>>>>,
}

impl Connections {
    /// `timeout`: how long a query may take before its connection counts as dead.
    pub(crate) fn new(pool: PgPool, timeout: Duration) -> Self {
        Self {
            pool,
            timeout,
            spare: Arc::default(),
        }
    }

    /// Waits for what is under way and closes every connection.
    pub(crate) async fn close(&self) {
        // It is closed from here on, so that nothing is put aside any more; what is aside would be waited for in vain.
        let closing = self.pool.close();
        drop(self.spare().take());
        closing.await;
    }

    fn spare(&self) -> MutexGuard<'_, Option<PoolConnection<Postgres>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Its own, not sqlx's: one whose query was dropped or timed out closes its connection, since what would come back on
/// it next is the answer to another question, if anything ever does.
pub(crate) struct PgTransaction {
    /// There until it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    connections: Connections,
    /// The server has a transaction open.
    open: bool,
    /// A query is under way.
    asking: bool,
    /// A query failed, and with it all that came before.
    aborted: bool,
}

impl PgTransaction {
    /// A consistent view.
    pub(crate) async fn read(connections: &Connections) -> Result<Self, sqlx::Error> {
        Self::begin(connections, READ).await
    }

    pub(crate) async fn write(connections: &Connections) -> Result<Self, sqlx::Error> {
        let mut transaction = Self::begin(connections, WRITE).await?;
        transaction.run(LOCK).await?;
        Ok(transaction)
    }

    /// No transaction: each query reads for itself.
    pub(crate) async fn single(connections: &Connections) -> Result<Self, sqlx::Error> {
        let spare = connections.spare().take();
        match spare {
            Some(spare) => Ok(Self::on(spare, connections)),
            None => Self::pooled(connections).await,
        }
    }

    async fn pooled(connections: &Connections) -> Result<Self, sqlx::Error> {
        Ok(Self::on(connections.pool.acquire().await?, connections))
    }

    fn on(connection: PoolConnection<Postgres>, connections: &Connections) -> Self {
        Self {
            connection: Some(connection),
            connections: connections.clone(),
            open: false,
            asking: false,
            aborted: false,
        }
    }

    /// Beginning is how a connection is tested, too: of a server that was restarted, each one in the pool is dead.
    async fn begin(
        connections: &Connections,
        statement: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let pool = &connections.pool;
        let mut dead = 0;
        loop {
            let mut transaction = Self::pooled(connections).await?;
            match transaction.run(statement).await {
                Ok(()) => {
                    transaction.open = true;
                    return Ok(transaction);
                }
                Err(error) if is_broken(&error) && dead < pool.options().get_max_connections() => {
                    transaction.give_up();
                    dead += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The server answers `COMMIT` with success even where it rolled back.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.aborted {
            return Err(sqlx::Error::Protocol(
                "an earlier error has ended the transaction".to_owned(),
            ));
        }
        self.run("COMMIT").await?;
        self.open = false;
        Ok(())
    }

    pub(crate) async fn fetch_all(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if self.open {
            return self.fetch(sql, params).await;
        }
        // On its own it is only reading, which may be done again.
        match self.fetch(sql, params.clone()).await {
            Err(error) if is_broken(&error) => {
                let retry = Self::begin(&self.connections, READ).await?;
                self.give_up();
                *self = retry;
                self.fetch(sql, params).await
            }
            answer => answer,
        }
    }

    async fn fetch(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        self.asking = true;
        let query = bound(sql, params).fetch_all(connection(&mut self.connection)?);
        let answer = tokio::time::timeout(self.connections.timeout, query).await;
        self.heard(answer)
    }

    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<u64, sqlx::Error> {
        self.asking = true;
        let query = bound(sql, params).execute(connection(&mut self.connection)?);
        let answer = tokio::time::timeout(self.connections.timeout, query).await;
        self.heard(answer).map(|done| done.rows_affected())
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.asking = true;
        let query = connection(&mut self.connection)?.execute(sql);
        let answer = tokio::time::timeout(self.connections.timeout, query).await;
        self.heard(answer).map(|_| ())
    }

    fn heard<T>(
        &mut self,
        answer: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, sqlx::Error> {
        let answer = answer.map_err(|_elapsed| timed_out())?;
        self.asking = false;
        self.aborted |= answer.is_err();
        answer
    }

    /// The connection is of no use any more.
    fn give_up(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
    }
}

impl Drop for PgTransaction {
    fn drop(&mut self) {
        if self.asking {
            return self.give_up();
        }
        let Some(connection) = self.connection.take() else {
            return;
        };
        if !self.open {
            let mut spare = self.connections.spare();
            if spare.is_none() && !self.aborted && !self.connections.pool.is_closed() {
                *spare = Some(connection);
            }
            // Any other goes back to the pool by itself.
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return drop(connection.detach());
        };
        // At once, and not when the connection is next used: it may hold the write lock.
        #[expect(
            clippy::let_underscore_future,
            reason = "it has an end of its own, and nobody waits for it"
        )]
        let _ = runtime.spawn(roll_back(connection));
    }
}

async fn roll_back(mut connection: PoolConnection<Postgres>) {
    let ended = tokio::time::timeout(ROLLBACK, connection.execute("ROLLBACK")).await;
    if !matches!(ended, Ok(Ok(_))) {
        connection.close_on_drop();
    }
}

fn connection(
    connection: &mut Option<PoolConnection<Postgres>>,
) -> Result<&mut PgConnection, sqlx::Error> {
    connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
}

/// Whether the connection itself failed, and not what was asked on it.
fn is_broken(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Io(error) = error {
        return error.kind() != std::io::ErrorKind::TimedOut;
    }
    // 57P01 to 57P03: the server is leaving, has crashed, or is not there yet.
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code.starts_with("57P0"))
}

fn bound(
    sql: &'static str,
    params: Vec<Value>,
) -> sqlx::query::Query<'static, Postgres, PgArguments> {
    params
        .into_iter()
        .fold(sqlx::query(sql), |query, value| match value {
            Value::Null => query.bind(Untyped),
            Value::Int(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
}

/// NULL of the type that its place in the query asks for: a NULL of a stated type fits nowhere else.
struct Untyped;

impl Type<Postgres> for Untyped {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Untyped {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

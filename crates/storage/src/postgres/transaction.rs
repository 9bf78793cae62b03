//! A transaction that leaves nothing behind, however it ends.

use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo};
use sqlx::{Encode, Executor as _, PgPool, Postgres, Type};
use tokio::time::error::Elapsed;

use super::timed_out;
use crate::Value;

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Read committed: with the lock held, nobody commits anything, and each statement sees all there is.
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// Waiting for it is in order of arrival. `pg_dump` and reading don't conflict with it.
const LOCK: &str = "LOCK TABLE hes_writer IN EXCLUSIVE MODE";

/// Its own, not sqlx's: one whose query was dropped or timed out closes its connection, since what would come back on
/// it next is the answer to another question, if anything ever does.
pub(crate) struct PgTransaction {
    connection: PoolConnection<Postgres>,
    timeout: Duration,
    /// A query is under way.
    asking: bool,
    /// A query failed, and with it all that came before.
    aborted: bool,
}

impl PgTransaction {
    pub(crate) async fn read(pool: &PgPool, timeout: Duration) -> Result<Self, sqlx::Error> {
        let mut transaction = Self::on(pool, timeout).await?;
        transaction.run(READ).await?;
        Ok(transaction)
    }

    pub(crate) async fn write(pool: &PgPool, timeout: Duration) -> Result<Self, sqlx::Error> {
        let mut transaction = Self::on(pool, timeout).await?;
        transaction.run(WRITE).await?;
        transaction.run(LOCK).await?;
        Ok(transaction)
    }

    async fn on(pool: &PgPool, timeout: Duration) -> Result<Self, sqlx::Error> {
        Ok(Self {
            connection: pool.acquire().await?,
            timeout,
            asking: false,
            aborted: false,
        })
    }

    /// The server answers `COMMIT` with success even where it rolled back.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.aborted {
            return Err(sqlx::Error::Protocol(
                "an earlier error has ended the transaction".to_owned(),
            ));
        }
        self.run("COMMIT").await
    }

    pub(crate) async fn fetch_all(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        self.asking = true;
        let query = bound(sql, params).fetch_all(&mut *self.connection);
        let answer = tokio::time::timeout(self.timeout, query).await;
        self.heard(answer)
    }

    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<u64, sqlx::Error> {
        self.asking = true;
        let query = bound(sql, params).execute(&mut *self.connection);
        let answer = tokio::time::timeout(self.timeout, query).await;
        self.heard(answer).map(|done| done.rows_affected())
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.asking = true;
        let answer = tokio::time::timeout(self.timeout, self.connection.execute(sql)).await;
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
}

impl Drop for PgTransaction {
    fn drop(&mut self) {
        if self.asking {
            self.connection.close_on_drop();
        }
    }
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

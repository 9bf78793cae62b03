//! Queries, on a snapshot or in a transaction.

use std::future::Future;

use sqlx::Sqlite;

use crate::postgres::PgTransaction;
use crate::row::{Inner as RowInner, Row};
use crate::{Error, Value};

/// A consistent view of the database, which sees nothing that is committed after its first query; or, by
/// [`Database::single`](crate::Database::single), a view for one query.
pub struct Reader(pub(crate) Inner);

/// Changes that happen together or not at all. Dropped without [`Transaction::commit`], it leaves nothing behind.
pub struct Transaction(pub(crate) Inner);

pub(crate) enum Inner {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(PgTransaction),
}

impl Inner {
    async fn query(&mut self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        let rows = match self {
            Self::Sqlite(transaction) => sqlite_bound(sql, params)
                .fetch_all(&mut **transaction)
                .await
                .map(|rows| rows.into_iter().map(RowInner::Sqlite).map(Row).collect()),
            // Boxed, for the sake of every future that holds one of these.
            Self::Postgres(transaction) => Box::pin(transaction.fetch_all(sql, params))
                .await
                .map(|rows| rows.into_iter().map(RowInner::Postgres).map(Row).collect()),
        };
        rows.map_err(|source| Error::Query { sql, source })
    }

    async fn execute(&mut self, sql: &'static str, params: Vec<Value>) -> Result<u64, Error> {
        match self {
            Self::Sqlite(transaction) => sqlite_bound(sql, params)
                .execute(&mut **transaction)
                .await
                .map(|done| done.rows_affected()),
            Self::Postgres(transaction) => Box::pin(transaction.execute(sql, params)).await,
        }
        .map_err(|source| Error::Query { sql, source })
    }

    async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => Box::pin(transaction.commit()).await,
        }
        .map_err(Error::Commit)
    }
}

fn sqlite_bound(
    sql: &'static str,
    params: Vec<Value>,
) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
    params
        .into_iter()
        .fold(sqlx::query(sql), |query, value| match value {
            Value::Null => query.bind(None::<i64>),
            Value::Int(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
}

/// What a [`Reader`] and a [`Transaction`] have in common. Queries are constants: nothing is ever pasted into one.
pub trait Sql: Send {
    /// All rows of the answer. Ask for pages where there may be many.
    fn query(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;

    /// The only row, or none.
    fn query_optional(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> impl Future<Output = Result<Option<Row>, Error>> + Send {
        async move {
            let mut rows = self.query(sql, params).await?;
            match rows.len() {
                0 | 1 => Ok(rows.pop()),
                rows => Err(Error::RowCount { sql, rows }),
            }
        }
    }

    /// The only row.
    fn query_one(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> impl Future<Output = Result<Row, Error>> + Send {
        async move {
            self.query_optional(sql, params)
                .await?
                .ok_or(Error::RowCount { sql, rows: 0 })
        }
    }
}

impl Sql for Reader {
    async fn query(&mut self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.0.query(sql, params).await
    }
}

impl Sql for Transaction {
    async fn query(&mut self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.0.query(sql, params).await
    }
}

impl Transaction {
    /// Runs a statement and returns how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str, params: Vec<Value>) -> Result<u64, Error> {
        self.0.execute(sql, params).await
    }

    /// Makes the changes durable. After an error it cannot be told whether they are.
    pub async fn commit(self) -> Result<(), Error> {
        self.0.commit().await
    }
}

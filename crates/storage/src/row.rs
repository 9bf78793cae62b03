//! Rows and typed columns.

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use crate::Error;

/// One row of an answer.
pub struct Row(pub(crate) Inner);

pub(crate) enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The column's value. A NULL is an error unless `T` is an `Option`.
    pub fn get<T: FromColumn>(&self, column: &str) -> Result<T, Error> {
        T::from_column(self, column)
    }

    fn int(&self, column: &str) -> Result<Option<i64>, Error> {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get(column),
            Inner::Postgres(row) => postgres_int(row, column),
        }
        .map_err(|source| unreadable(column, source))
    }

    fn text(&self, column: &str) -> Result<Option<String>, Error> {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get(column),
            Inner::Postgres(row) => row.try_get(column),
        }
        .map_err(|source| unreadable(column, source))
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Error> {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get(column),
            Inner::Postgres(row) => row.try_get(column),
        }
        .map_err(|source| unreadable(column, source))
    }
}

/// Of any whole type: literals are INTEGER there, `EXISTS` is BOOLEAN, and to SQLite they are all the same.
fn postgres_int(row: &PgRow, column: &str) -> Result<Option<i64>, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    match value.type_info().name() {
        "INT4" => Ok(row.try_get::<Option<i32>, _>(column)?.map(i64::from)),
        "BOOL" => Ok(row.try_get::<Option<bool>, _>(column)?.map(i64::from)),
        _ => row.try_get(column),
    }
}

fn unreadable(column: &str, source: sqlx::Error) -> Error {
    Error::Column {
        column: column.to_owned(),
        source,
    }
}

/// A type that a column can hold.
pub trait FromColumn: Sized {
    /// The value, or nothing where it is NULL.
    fn from_nullable(row: &Row, column: &str) -> Result<Option<Self>, Error>;

    fn from_column(row: &Row, column: &str) -> Result<Self, Error> {
        Self::from_nullable(row, column)?.ok_or_else(|| invalid(column, "NULL"))
    }
}

fn invalid(column: &str, problem: &'static str) -> Error {
    Error::Value {
        column: column.to_owned(),
        problem,
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_nullable(row: &Row, column: &str) -> Result<Option<Self>, Error> {
        T::from_nullable(row, column).map(Some)
    }
}

impl FromColumn for i64 {
    fn from_nullable(row: &Row, column: &str) -> Result<Option<Self>, Error> {
        row.int(column)
    }
}

impl FromColumn for String {
    fn from_nullable(row: &Row, column: &str) -> Result<Option<Self>, Error> {
        row.text(column)
    }
}

impl FromColumn for Vec<u8> {
    fn from_nullable(row: &Row, column: &str) -> Result<Option<Self>, Error> {
        row.bytes(column)
    }
}

/// Columns stored as another type, checked on the way out.
macro_rules! from_stored {
    ($($type:ty: $stored:ty => $parse:expr, $problem:literal;)+) => {
        $(impl FromColumn for $type {
            fn from_nullable(row: &Row, column: &str) -> Result<Option<Self>, Error> {
                let stored = <$stored as FromColumn>::from_nullable(row, column)?;
                let parse: fn($stored) -> Option<Self> = $parse;
                stored
                    .map(|stored| parse(stored).ok_or_else(|| invalid(column, $problem)))
                    .transpose()
            }
        })+
    };
}

from_stored! {
    u64: i64 => |value| value.try_into().ok(), "a negative number where a count was expected";
    u32: i64 => |value| value.try_into().ok(), "a number out of range";
    i32: i64 => |value| value.try_into().ok(), "a number out of range";
    bool: i64 => |value| match value { 0 => Some(false), 1 => Some(true), _ => None }, "no truth value";
    Timestamp: i64 => |value| Self::from_microsecond(value).ok(), "no point in time";
    Uuid: String => |value| value.parse().ok(), "no UUID";
}

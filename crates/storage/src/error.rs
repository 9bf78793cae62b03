//! What can go wrong with a database.

use std::io;
use std::path::PathBuf;

use crate::settings::Place;

/// A failed operation on a database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`{setting}` is not set: give it in the settings file, or as an environment variable or flag"
    )]
    NotSet { setting: &'static str },
    #[error("failed to use {} as the authorities of the database `{place}`", path.display())]
    CaFile {
        place: Place,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to open the database `{place}`")]
    Open {
        place: Place,
        #[source]
        source: sqlx::Error,
    },
    #[error("failed to read the password for the database `{place}` from {}", path.display())]
    PasswordFile {
        place: Place,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the database `{place}` is of PostgreSQL {version}: {oldest} is the oldest that works")]
    TooOld {
        place: Place,
        version: u32,
        oldest: u32,
    },
    #[error(
        "failed to bring the database `{place}` to this version's schema; was it used by a newer version?"
    )]
    Migrate {
        place: Place,
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    #[error(
        "the database `{place}` lacks migrations of this version ({steps}): run `hes migrate` before it"
    )]
    Pending { place: Place, steps: String },
    #[error("failed to begin a transaction")]
    Begin(#[source] sqlx::Error),
    #[error("failed to commit a transaction")]
    Commit(#[source] sqlx::Error),
    #[error("failed to run `{sql}`")]
    Query {
        /// The query's text; values are never part of it.
        sql: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("`{sql}` returned {rows} rows where exactly one was expected")]
    RowCount { sql: &'static str, rows: usize },
    #[error("failed to read column `{column}`")]
    Column {
        column: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("column `{column}` holds {problem}")]
    Value {
        column: String,
        problem: &'static str,
    },
    #[error("lease `{name}` was lost: somebody else holds it, or it expired")]
    LeaseLost { name: String },
}

impl Error {
    fn database_error(&self) -> Option<&dyn sqlx::error::DatabaseError> {
        match self {
            Self::Query { source, .. } | Self::Commit(source) => source.as_database_error(),
            Self::NotSet { .. }
            | Self::CaFile { .. }
            | Self::Open { .. }
            | Self::PasswordFile { .. }
            | Self::TooOld { .. }
            | Self::Migrate { .. }
            | Self::Pending { .. }
            | Self::Begin(_)
            | Self::RowCount { .. }
            | Self::Column { .. }
            | Self::Value { .. }
            | Self::LeaseLost { .. } => None,
        }
    }

    /// Whether a unique index or primary key refused it.
    pub fn is_unique_violation(&self) -> bool {
        self.database_error()
            .is_some_and(|error| error.is_unique_violation())
    }
}

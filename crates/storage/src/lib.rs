#![doc = include_str!("../README.md")]

mod bulk;
mod database;
mod error;
pub mod lease;
mod migrate;
mod migrations;
mod postgres;
mod row;
pub mod settings;
mod sql;
mod sqlite;
#[cfg(feature = "testing")]
#[expect(
    clippy::unwrap_used,
    reason = "code of tests: a failure here is a failed test"
)]
pub mod testing;
#[cfg(test)]
mod tests;
mod value;

pub use bulk::Bulk;
pub use database::Database;
pub use error::Error;
pub use migrate::{Step, migrate, pending};
pub use migrations::{Migration, Migrations};
pub use row::{FromColumn, Row};
pub use settings::Settings;
pub use sql::{Reader, Sql, Transaction};
pub use value::Value;

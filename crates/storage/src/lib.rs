#![doc = include_str!("../README.md")]

mod database;
mod error;
pub mod lease;
mod migrations;
mod row;
mod settings;
mod sql;
#[cfg(test)]
mod tests;
mod value;

pub use database::Database;
pub use error::Error;
pub use migrations::{Migration, Migrations};
pub use row::{FromColumn, Row};
pub use settings::Settings;
pub use sql::{Reader, Sql, Transaction};
pub use value::Value;

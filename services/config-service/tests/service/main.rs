//! The service in process: a real database, the embedded bus, a connector that remembers what it was asked.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod audit;
mod connection;
mod connector;
mod credentials;
mod domains;
mod employees;
mod links;
mod passwordless;
mod requests;
mod secrets;
mod syncs;
mod updates;
mod world;

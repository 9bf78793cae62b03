//! The service in process: a real database, the embedded bus, a directory that remembers what it was asked, and keys.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod clients;
mod clocks;
mod directory;
mod key;
mod limits;
mod links;
mod outcomes;
mod world;

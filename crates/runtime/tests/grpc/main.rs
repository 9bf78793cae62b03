//! The server and the channel, over real TLS and over a pipe.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "all of this is test code, helpers included"
)]

mod access;
mod counted;
mod deadlines;
mod lifecycle;
mod observability;
mod reach;
mod toy;
mod world;

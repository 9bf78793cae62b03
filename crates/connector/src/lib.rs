#![doc = include_str!("../README.md")]

mod configured;
mod credentials;
mod failure;
mod grpc;
mod listened;
mod metrics;
mod passwords;
mod peer;
mod settings;
mod source;
pub mod store;
mod supervisor;
#[cfg(feature = "testing")]
#[expect(
    clippy::unwrap_used,
    reason = "code of tests: a failure here is a failed test"
)]
pub mod testing;
mod timing;
mod wiring;
mod worker;

pub use credentials::Credentials;
pub use failure::{Failure, FailureReason, chain};
pub use passwords::{Logon, Passwords, Set, Verify};
pub use settings::{DEFAULTS, Settings};
pub use source::{Directory, Observed, Opened, Readable, Reader};
pub use store::{MIGRATIONS, Store};
pub use wiring::{Deps, build};

#![doc = include_str!("../README.md")]

mod configured;
mod credentials;
mod failure;
mod grpc;
mod listened;
mod metrics;
mod peer;
mod settings;
mod source;
pub mod store;
mod supervisor;
mod timing;
mod wiring;
mod worker;

pub use credentials::Credentials;
pub use failure::{Failure, FailureReason, chain};
pub use settings::{DEFAULTS, Settings};
pub use source::{Directory, Observed, Opened, Readable, Reader};
pub use store::{MIGRATIONS, Store};
pub use wiring::{Deps, build};

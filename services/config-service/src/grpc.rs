//! The handlers: decode, call, encode.

mod audit;
mod credential;
mod domain;
mod employee;
mod standing;
mod status;
mod sync;

use std::pin::Pin;

use futures::Stream;
use jiff::Timestamp;
use runtime::{Caller, SharedClock, grpc::Failure};
use tonic::{Request, Status};

pub(crate) use audit::AuditHandler;
pub(crate) use credential::CredentialHandler;
pub(crate) use domain::DomainHandler;
pub(crate) use employee::EmployeeHandler;
pub(crate) use standing::StatusHandler;
pub(crate) use sync::SyncHandler;

use crate::domains::By;

/// An answer of many messages.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Who asks, and when: to the microsecond, as it is stored.
fn by<T>(request: &Request<T>, clock: &SharedClock) -> By {
    By {
        actor: Caller::of(request).to_string(),
        now: now(clock),
    }
}

pub(crate) fn now(clock: &SharedClock) -> Timestamp {
    let now = clock.now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// The status of an error of ours.
pub(crate) fn status(error: impl Into<Failure>) -> Status {
    error.into().into_status()
}

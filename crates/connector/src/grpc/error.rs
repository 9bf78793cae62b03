//! Errors as the contract tells them.

use api::name::{DomainName, SyncRunName};
use directory::DomainId;
use runtime::grpc::{Failure, Reason};
use sync::RunState;
use tonic::Status;

use crate::failure::{self, FailureReason, chain};
use crate::store::{Error, Run};
use crate::supervisor::LookUpError;

pub(super) fn internal(error: Error) -> Status {
    let reason = match &error {
        Error::Storage(_) => Reason::DatabaseUnavailable,
        Error::Corrupt(_) => Reason::DataCorrupt,
        Error::NoSuchRun | Error::NoSuchDomain => Reason::NotFound,
        Error::Event(_) | Error::Moved(_) | Error::Taken(_) => Reason::Internal,
    };
    tracing::error!("a call failed: {}", chain(&error));
    Failure::new(reason, error.to_string()).into()
}

pub(super) fn look_up(error: LookUpError) -> Status {
    match error {
        LookUpError::Store(error) => internal(error),
        LookUpError::Peer(status) => Failure::new(
            Reason::ServiceUnavailable,
            format!(
                "config-service did not tell the domain's settings: {}",
                status.message()
            ),
        )
        .into(),
    }
}

pub(super) fn no_domain(domain: &DomainId) -> Status {
    let message = format!("there is no domain `{domain}` of this connector's kind");
    Failure::new(Reason::NotFound, message)
        .with("domain", DomainName(domain.clone()))
        .into()
}

pub(super) fn no_run(name: &SyncRunName) -> Status {
    let message = format!(
        "there is no sync run `{}`; ended runs are cleared after a while",
        name.run
    );
    Failure::new(Reason::NotFound, message)
        .with("sync_run", name)
        .into()
}

/// Sync is off.
pub(super) fn off(domain: &DomainId, failure: &failure::Failure) -> Status {
    let reason = if failure.reason == FailureReason::DomainDeleted {
        Reason::DomainDeleted
    } else {
        Reason::CredentialsMissing
    };
    Failure::new(reason, format!("{}. {}", failure.message, failure.remedy))
        .with("domain", DomainName(domain.clone()))
        .into()
}

pub(super) fn not_held(run: &Run, state: RunState) -> Status {
    let (reason, what) = match state {
        RunState::Expired => (
            Reason::PlanExpired,
            "expired: start another sync to get a plan of today",
        ),
        RunState::Superseded => (
            Reason::PlanSuperseded,
            "superseded by a newer plan: decide on that one",
        ),
        RunState::Queued
        | RunState::Reading
        | RunState::Planning
        | RunState::Held
        | RunState::Approved
        | RunState::Applying
        | RunState::Applied
        | RunState::NothingToDo
        | RunState::DryRun
        | RunState::Failed
        | RunState::Rejected => (
            Reason::RunNotHeld,
            "not waiting for a decision: look at its state",
        ),
    };
    Failure::new(reason, format!("the sync run `{}` is {what}", run.id))
        .with("sync_run", &run.message.name)
        .with("state", state)
        .into()
}

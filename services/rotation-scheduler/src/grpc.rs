//! The handlers: decode, call, encode.

mod delivery;
mod rotation;

use runtime::Caller;
use runtime::grpc::{Failure, Reason};
use tonic::{Request, Status};

pub(crate) use delivery::DeliveryHandler;
pub(crate) use rotation::RotationHandler;

use crate::ledger::LedgerError;
use crate::store::StoreError;

fn actor<T>(request: &Request<T>) -> String {
    Caller::of(request).to_string()
}

/// The status of an error of ours.
fn status(error: impl Into<Failure>) -> Status {
    error.into().into_status()
}

fn unavailable(error: storage::Error) -> Status {
    status(StoreError::from(error))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        // What the database said is for the operator's log, not for the caller.
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the database gave no answer"
        );
        match error {
            StoreError::Database(_) => Self::new(
                Reason::DatabaseUnavailable,
                "the database failed, nothing was changed; try again, and look at the service's log if it stays so",
            ),
            StoreError::Corrupt { what, key } => Self::new(
                Reason::DataCorrupt,
                format!(
                    "{what} `{key}` is stored in a form that can't be read; was it written by a newer version?"
                ),
            ),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let message = error.to_string();
        match error {
            LedgerError::Store(error) => error.into(),
            LedgerError::Rejected(::rotation::Rejected::NotQuiet { until }) => Self::new(
                Reason::RotationNotQuiet,
                format!("a write of it may still arrive; try again after {until:.0}"),
            ),
            LedgerError::Rejected(_) => Self::new(
                Reason::RotationNotHeld,
                format!("{message}; hes rotation show says how it stands"),
            ),
            LedgerError::Sealing(_, source) => {
                tracing::error!(error = &source as &dyn std::error::Error, "{message}");
                Self::new(Reason::CredentialsSealed, message)
            }
            LedgerError::NotFound(_) => Self::new(Reason::NotFound, message),
            LedgerError::NoValue(_) => Self::new(Reason::NothingToRelease, message),
        }
    }
}

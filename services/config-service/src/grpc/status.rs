//! Every error as the contract tells it: a code, a reason from the closed set, the fields concerned. Exhaustive: a new
//! error doesn't compile until it has its place here.

use runtime::grpc::{Failure, Reason};

use crate::domains::DomainError;
use crate::employees::{LinkError, ReadError};
use crate::log::LogError;
use crate::store::StoreError;
use crate::validate::Violation;

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

fn fields(reason: Reason, violations: Vec<Violation>) -> Failure {
    let told: Vec<String> = violations
        .iter()
        .map(|Violation { field, problem }| format!("{field}: {problem}"))
        .collect();
    violations.into_iter().fold(
        Failure::new(reason, told.join("\n")),
        |failure, Violation { field, problem }| failure.field(field, problem),
    )
}

impl From<DomainError> for Failure {
    fn from(error: DomainError) -> Self {
        let message = error.to_string();
        let about = |reason, domain: &directory::DomainId| {
            Self::new(reason, message.clone()).with("domain", domain)
        };
        match error {
            DomainError::Invalid(violations) => fields(Reason::InvalidField, violations),
            DomainError::Immutable(violations) => fields(Reason::ImmutableField, violations),
            DomainError::Page(error) => error.into(),
            DomainError::Contract(source) => {
                tracing::error!(
                    error = &source as &dyn std::error::Error,
                    "the contract can't be read"
                );
                Self::new(Reason::Internal, message)
            }
            DomainError::EntraNotYet => Self::new(Reason::NotImplemented, message),
            DomainError::NotFound(domain) => about(Reason::NotFound, &domain),
            DomainError::Exists(domain) | DomainError::ExistsDeleted(domain) => {
                about(Reason::AlreadyExists, &domain)
            }
            DomainError::Deleted(domain) => about(Reason::DomainDeleted, &domain),
            DomainError::NotDeleted(domain) => about(Reason::DomainNotDeleted, &domain),
            DomainError::Etag(domain) => about(Reason::EtagMismatch, &domain),
            DomainError::RequestIdReused => Self::new(Reason::RequestIdReused, message),
            DomainError::NoCredentials(domain) => about(Reason::CredentialsMissing, &domain),
            DomainError::ForeignKind { domain, .. } => about(Reason::PermissionDenied, &domain),
            DomainError::UnsavedTest => Self::new(Reason::PermissionDenied, message),
            DomainError::Unsealed(domain, source) | DomainError::Unsealable(domain, source) => {
                tracing::error!(error = &source as &dyn std::error::Error, domain.id = %domain, "{message}");
                Self::new(Reason::CredentialsSealed, message).with("domain", domain)
            }
            DomainError::BadSecret(domain) => about(Reason::DataCorrupt, &domain),
            DomainError::Store(error) => error.into(),
        }
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        let message = error.to_string();
        match error {
            LinkError::NoEmployee(_) | LinkError::NoProposal(_) => {
                Self::new(Reason::NotFound, message)
            }
            LinkError::Same(_)
            | LinkError::SameDomain(_)
            | LinkError::NotTheirs(_)
            | LinkError::OnlyAccount(_) => Self::new(Reason::LinkConflict, message),
            LinkError::Decided(_) => Self::new(Reason::ProposalDecided, message),
            LinkError::Store(error) => error.into(),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let message = error.to_string();
        match error {
            ReadError::Invalid { field, problem } => Self::invalid(field, problem),
            ReadError::NotFound(_) => Self::new(Reason::NotFound, message),
            ReadError::Page(error) => error.into(),
            ReadError::Store(error) => error.into(),
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Page(error) => error.into(),
            LogError::Store(error) => error.into(),
        }
    }
}

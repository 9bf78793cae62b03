use directory::DomainId;

use crate::mask::MaskError;
use crate::store::StoreError;
use crate::validate::Violation;
use crate::validate::domain::Refusal;

/// Why a call on domains fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DomainError {
    #[error("the request can't be taken as it is")]
    Invalid(Vec<Violation>),
    #[error("the request would change what never changes")]
    Immutable(Vec<Violation>),
    #[error("the contract can't be read through its descriptor")]
    Contract(#[source] MaskError),
    #[error(
        "Entra ID domains are part of the contract and come with a later version; only Active Directory domains can be added now"
    )]
    EntraNotYet,
    #[error("there is no domain `{0}`; list the domains to see which there are")]
    NotFound(DomainId),
    #[error("there is a domain `{0}` already; choose another id, or update that one")]
    Exists(DomainId),
    #[error("there is a deleted domain `{0}`; undelete it, or choose another id")]
    ExistsDeleted(DomainId),
    #[error("domain `{0}` is deleted; undelete it first")]
    Deleted(DomainId),
    #[error("domain `{0}` isn't deleted")]
    NotDeleted(DomainId),
    #[error(
        "domain `{0}` was changed since it was read; read it again and repeat the change on what you find"
    )]
    Etag(DomainId),
    #[error("the request id was used for a different request; use a new one")]
    RequestIdReused,
    #[error("domain `{0}` has no credentials; set them first")]
    NoCredentials(DomainId),
    #[error("domain `{domain}` is of another kind than the connector `{caller}`")]
    ForeignKind { domain: DomainId, caller: String },
    #[error("testing settings or credentials that aren't saved takes an administrator")]
    UnsavedTest,
    #[error(
        "the credentials of domain `{0}` can't be opened; is the key file the one they were sealed with?"
    )]
    Unsealed(DomainId, #[source] sealing::Error),
    #[error("the credentials of domain `{0}` can't be sealed")]
    Unsealable(DomainId, #[source] sealing::Error),
    #[error("the opened credentials of domain `{0}` aren't what was sealed")]
    BadSecret(DomainId),
    #[error(transparent)]
    Page(#[from] runtime::grpc::PageError),
    #[error("failed to read or write a domain")]
    Store(#[from] StoreError),
}

impl From<MaskError> for DomainError {
    fn from(error: MaskError) -> Self {
        match error {
            MaskError::Refused(violations) => Self::Invalid(violations),
            MaskError::Immutable(violations) => Self::Immutable(violations),
            MaskError::Descriptor { .. } | MaskError::UnknownMessage(_) => Self::Contract(error),
        }
    }
}

impl From<Refusal> for DomainError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(violations) => Self::Invalid(violations),
            Refusal::EntraNotYet => Self::EntraNotYet,
        }
    }
}

impl DomainError {
    pub(crate) fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation {
            field: field.into(),
            problem: problem.into(),
        }])
    }
}

impl From<storage::Error> for DomainError {
    fn from(error: storage::Error) -> Self {
        Self::Store(error.into())
    }
}

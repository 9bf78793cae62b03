//! Errors of the directory as reasons people and programs are told, each with what to do.

use ad_client::{Error, ScopeError, TargetError, TlsReason};
use connector::{Failure, FailureReason as Reason};

pub(crate) fn error(error: Error) -> Failure {
    let reason = match &error {
        Error::NameResolution { .. } => Reason::NameResolution,
        Error::Connect { .. } => Reason::Unreachable,
        Error::Timeout { .. } => Reason::Timeout,
        Error::StartTls { .. } | Error::StrongerAuthRequired { .. } => Reason::TlsFailed,
        Error::Tls { failure, .. } => match &failure.reason {
            TlsReason::Expired | TlsReason::NotYetValid => Reason::TlsCertificateExpired,
            TlsReason::SelfSigned | TlsReason::UnknownIssuer => Reason::TlsUnknownIssuer,
            TlsReason::NameMismatch { .. } => Reason::TlsNameMismatch,
            TlsReason::WrongPurpose
            | TlsReason::Revoked
            | TlsReason::NotTls
            | TlsReason::Closed
            | TlsReason::Other(_) => Reason::TlsFailed,
        },
        Error::Bind { .. } | Error::EmptyPassword => Reason::BindRefused,
        Error::Refused { code: 50, .. } => Reason::AccessDenied,
        Error::Refused { .. } => Reason::DirectoryRefused,
        Error::NoSuchObject { .. } => Reason::OuMissing,
        Error::Lost { .. } | Error::Incomplete { .. } => Reason::ReadIncomplete,
        Error::Scope(scope) => match scope {
            ScopeError::Filter(_) => Reason::FilterInvalid,
            ScopeError::NotFound { .. } => Reason::OuMissing,
            ScopeError::Dn(_) | ScopeError::Outside { .. } => Reason::SettingsInvalid,
        },
    };
    Failure {
        reason,
        message: connector::chain(&error),
        remedy: error.what_to_do(),
        transient: error.is_transient(),
    }
}

pub(crate) fn target(error: TargetError) -> Failure {
    let remedy = match &error {
        TargetError::NoServer => "Name at least one domain controller in the domain's settings.",
        TargetError::Plaintext(_) => "Use ldaps://, or switch StartTLS on.",
        TargetError::Ca(_) => "Give the authority's certificates as PEM.",
    };
    Failure::lasting(Reason::SettingsInvalid, connector::chain(&error), remedy)
}

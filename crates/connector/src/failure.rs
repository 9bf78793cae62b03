//! Why a run failed: a closed set of reasons, each with what to do about it.

use std::fmt;

/// Why a run failed, for machines: the reasons of `RunFailure`. Stable; a new one may be added, none changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The name of no configured server can be resolved.
    NameResolution,
    /// No configured server can be connected to.
    Unreachable,
    /// The server answers too slowly.
    Timeout,
    /// The connection broke, or the directory answered only a part.
    ReadIncomplete,
    /// The server's certificate has expired, or is not valid yet.
    TlsCertificateExpired,
    /// The server's certificate was issued by an authority that is not trusted, or by itself.
    TlsUnknownIssuer,
    /// The server's certificate is for another name.
    TlsNameMismatch,
    /// TLS failed otherwise.
    TlsFailed,
    /// The directory refused the logon.
    BindRefused,
    /// The directory refused to answer: a right is missing.
    AccessDenied,
    /// The directory answered with an error.
    DirectoryRefused,
    /// No credentials are set, or they were removed.
    CredentialsMissing,
    /// config-service did not hand out the credentials.
    CredentialsUnavailable,
    /// The domain's settings cannot be used.
    SettingsInvalid,
    /// The LDAP filter is not one.
    FilterInvalid,
    /// A configured organizational unit, or the base, does not exist.
    OuMissing,
    /// Nobody at all is in the configured scope.
    ScopeEmpty,
    /// No group has the configured name.
    GroupMissing,
    /// Several groups have the configured name.
    GroupAmbiguous,
    /// A plan was approved for another group than the one found now.
    GroupChanged,
    /// Another directory answers than the one the domain was pinned to.
    DirectoryChanged,
    /// Another domain is already this directory.
    DirectoryDuplicate,
    /// The domain was deleted.
    DomainDeleted,
    /// A defect of this program.
    Internal,
}

impl FailureReason {
    pub const ALL: [Self; 24] = [
        Self::NameResolution,
        Self::Unreachable,
        Self::Timeout,
        Self::ReadIncomplete,
        Self::TlsCertificateExpired,
        Self::TlsUnknownIssuer,
        Self::TlsNameMismatch,
        Self::TlsFailed,
        Self::BindRefused,
        Self::AccessDenied,
        Self::DirectoryRefused,
        Self::CredentialsMissing,
        Self::CredentialsUnavailable,
        Self::SettingsInvalid,
        Self::FilterInvalid,
        Self::OuMissing,
        Self::ScopeEmpty,
        Self::GroupMissing,
        Self::GroupAmbiguous,
        Self::GroupChanged,
        Self::DirectoryChanged,
        Self::DirectoryDuplicate,
        Self::DomainDeleted,
        Self::Internal,
    ];

    /// As stored and served.
    pub fn name(self) -> &'static str {
        match self {
            Self::NameResolution => "NAME_RESOLUTION",
            Self::Unreachable => "UNREACHABLE",
            Self::Timeout => "TIMEOUT",
            Self::ReadIncomplete => "READ_INCOMPLETE",
            Self::TlsCertificateExpired => "TLS_CERTIFICATE_EXPIRED",
            Self::TlsUnknownIssuer => "TLS_UNKNOWN_ISSUER",
            Self::TlsNameMismatch => "TLS_NAME_MISMATCH",
            Self::TlsFailed => "TLS_FAILED",
            Self::BindRefused => "BIND_REFUSED",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::DirectoryRefused => "DIRECTORY_REFUSED",
            Self::CredentialsMissing => "CREDENTIALS_MISSING",
            Self::CredentialsUnavailable => "CREDENTIALS_UNAVAILABLE",
            Self::SettingsInvalid => "SETTINGS_INVALID",
            Self::FilterInvalid => "FILTER_INVALID",
            Self::OuMissing => "OU_MISSING",
            Self::ScopeEmpty => "SCOPE_EMPTY",
            Self::GroupMissing => "GROUP_MISSING",
            Self::GroupAmbiguous => "GROUP_AMBIGUOUS",
            Self::GroupChanged => "GROUP_CHANGED",
            Self::DirectoryChanged => "DIRECTORY_CHANGED",
            Self::DirectoryDuplicate => "DIRECTORY_DUPLICATE",
            Self::DomainDeleted => "DOMAIN_DELETED",
            Self::Internal => "INTERNAL",
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure as people are told of it. It carries no secret: it is stored, served and sent in events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub reason: FailureReason,
    /// What was tried and why it failed.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether trying again may help without anyone changing anything.
    pub transient: bool,
}

impl Failure {
    /// One that lasts until somebody changes something.
    pub fn lasting(
        reason: FailureReason,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            message: message.into(),
            remedy: remedy.into(),
            transient: false,
        }
    }

    /// One that may pass by itself.
    pub fn passing(
        reason: FailureReason,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            transient: true,
            ..Self::lasting(reason, message, remedy)
        }
    }
}

impl sync::SourceError for Failure {
    fn is_transient(&self) -> bool {
        self.transient
    }
}

/// An error and its causes, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Transparent errors repeat the message they wrap.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

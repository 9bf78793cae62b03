//! Why a call failed, in a form that both people and programs can read.

use std::{collections::HashMap, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The `domain` of every `google.rpc.ErrorInfo` we send.
pub const DOMAIN: &str = "hes";

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal => $code:ident,)+) => {
        /// The closed set of reasons: the `reason` of `google.rpc.ErrorInfo`, each with its gRPC code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            pub fn code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)+ }
            }

            /// What it means, for the page that lists them.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    // The call itself.

    /// No identity, or a bearer token that is unknown, revoked or expired.
    Unauthenticated = "UNAUTHENTICATED" => Unauthenticated,
    /// The caller is known and may not call this method.
    PermissionDenied = "PERMISSION_DENIED" => PermissionDenied,
    /// There is no such method here.
    MethodUnknown = "METHOD_UNKNOWN" => Unimplemented,
    /// The method is part of the contract and this version does not do it yet.
    NotImplemented = "NOT_IMPLEMENTED" => Unimplemented,
    /// The call's deadline passed. Whether its work was done is unknown.
    DeadlineExceeded = "DEADLINE_EXCEEDED" => DeadlineExceeded,
    /// The server is leaving; call again and another, or its successor, answers.
    ShuttingDown = "SHUTTING_DOWN" => Unavailable,
    /// The server can't be reached.
    Unreachable = "UNREACHABLE" => Unavailable,
    /// Too much is asked at once; wait as long as RetryInfo says.
    Throttled = "THROTTLED" => ResourceExhausted,
    /// A defect of the server. The log tells more.
    Internal = "INTERNAL" => Internal,

    // The request.

    /// A field is missing, malformed or out of range; BadRequest names it.
    InvalidField = "INVALID_FIELD" => InvalidArgument,
    /// A field can't be changed once set; BadRequest names it.
    ImmutableField = "IMMUTABLE_FIELD" => InvalidArgument,
    /// The page token is malformed, or belongs to another request.
    InvalidPageToken = "INVALID_PAGE_TOKEN" => InvalidArgument,
    /// The request id was used for a different request.
    RequestIdReused = "REQUEST_ID_REUSED" => AlreadyExists,
    /// There is no such thing.
    NotFound = "NOT_FOUND" => NotFound,
    /// There is one of that name already.
    AlreadyExists = "ALREADY_EXISTS" => AlreadyExists,
    /// It was changed since it was read: read it again.
    EtagMismatch = "ETAG_MISMATCH" => Aborted,

    // Domains.

    /// The domain's record is deleted.
    DomainDeleted = "DOMAIN_DELETED" => FailedPrecondition,
    /// The domain's record isn't deleted, so it can't be undeleted.
    DomainNotDeleted = "DOMAIN_NOT_DELETED" => FailedPrecondition,
    /// The domain's sync or rotation is switched off.
    DomainDisabled = "DOMAIN_DISABLED" => FailedPrecondition,
    /// The domain is of a kind for which this makes no sense.
    WrongDomainKind = "WRONG_DOMAIN_KIND" => FailedPrecondition,
    /// The domain has rotations that aren't finished.
    OpenRotations = "OPEN_ROTATIONS" => FailedPrecondition,
    /// The domain's credentials were skipped or removed.
    CredentialsMissing = "CREDENTIALS_MISSING" => FailedPrecondition,
    /// The key that seals the credentials isn't at hand.
    CredentialsSealed = "CREDENTIALS_SEALED" => FailedPrecondition,
    /// Another domain record stands for the same directory.
    DirectoryAlreadyConfigured = "DIRECTORY_ALREADY_CONFIGURED" => AlreadyExists,
    /// The directory that answers isn't the one that was pinned.
    DirectoryMismatch = "DIRECTORY_MISMATCH" => FailedPrecondition,

    // The directory, when it is asked.

    /// No server of the directory can be reached.
    DirectoryUnreachable = "DIRECTORY_UNREACHABLE" => Unavailable,
    /// The directory's certificate isn't trusted, or TLS failed otherwise.
    DirectoryUntrusted = "DIRECTORY_UNTRUSTED" => FailedPrecondition,
    /// The directory refused the credentials.
    DirectoryLogonRefused = "DIRECTORY_LOGON_REFUSED" => FailedPrecondition,
    /// The directory refused the request or answered in part; nothing was changed.
    DirectoryRefused = "DIRECTORY_REFUSED" => FailedPrecondition,
    /// A group isn't there.
    GroupNotFound = "GROUP_NOT_FOUND" => FailedPrecondition,
    /// Several groups have that name.
    GroupAmbiguous = "GROUP_AMBIGUOUS" => FailedPrecondition,

    // Syncs.

    /// A run of this domain is in progress.
    SyncRunning = "SYNC_RUNNING" => FailedPrecondition,
    /// The run isn't waiting for a decision.
    RunNotHeld = "RUN_NOT_HELD" => FailedPrecondition,
    /// The held plan is too old: run again.
    PlanExpired = "PLAN_EXPIRED" => FailedPrecondition,
    /// A newer plan stands in its place.
    PlanSuperseded = "PLAN_SUPERSEDED" => FailedPrecondition,

    // Rotations and targets.

    /// The rotation isn't waiting for a person.
    RotationNotHeld = "ROTATION_NOT_HELD" => FailedPrecondition,
    /// A write of the rotation may still arrive; the message says until when.
    RotationNotQuiet = "ROTATION_NOT_QUIET" => FailedPrecondition,
    /// There is no value to hand out, or it was handed out before.
    NothingToRelease = "NOTHING_TO_RELEASE" => FailedPrecondition,
    /// The proof of a target's presence is false, late, or of another challenge.
    PresenceNotProven = "PRESENCE_NOT_PROVEN" => Unauthenticated,
    /// The challenge was not answered in time.
    PresenceLapsed = "PRESENCE_LAPSED" => DeadlineExceeded,
    /// The client was offered as many passwords as it may be in an hour; wait as long as RetryInfo says.
    TooManyOffers = "TOO_MANY_OFFERS" => ResourceExhausted,

    // Employees.

    /// The accounts can't be linked, or the account isn't linked to that employee.
    LinkConflict = "LINK_CONFLICT" => FailedPrecondition,
    /// The proposal has been decided already.
    ProposalDecided = "PROPOSAL_DECIDED" => FailedPrecondition,

    /// Changes came faster than the watch was read, and some were missed: take a snapshot and watch again.
    WatchLagged = "WATCH_LAGGED" => OutOfRange,

    // What the service stands on.

    /// The database can't be reached or is busy.
    DatabaseUnavailable = "DATABASE_UNAVAILABLE" => Unavailable,
    /// Another service of the suite can't be reached.
    ServiceUnavailable = "SERVICE_UNAVAILABLE" => Unavailable,
    /// Stored data isn't what was written.
    DataCorrupt = "DATA_CORRUPT" => DataLoss,
}

impl Reason {
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.name() == name)
    }

    /// The reason in a status we sent.
    pub fn of(status: &Status) -> Option<Self> {
        let info = status.get_details_error_info()?;
        (info.domain == DOMAIN).then(|| Self::from_name(&info.reason))?
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed call in the making. The message says what was tried, why it failed and what to do next.
#[must_use]
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    reason: Reason,
    message: String,
    metadata: HashMap<String, String>,
    fields: Vec<(String, String)>,
    retry_after: Option<Duration>,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            fields: Vec::new(),
            retry_after: None,
        }
    }

    /// One field of the request is wrong.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let (field, problem) = (field.into(), problem.into());
        Self::new(Reason::InvalidField, format!("{field}: {problem}")).field(field, problem)
    }

    /// For programs: ids and counts that the message tells people in words.
    pub fn with(mut self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        self.metadata.insert(key.into(), value.to_string());
        self
    }

    /// A field of the request that is wrong, by its path: `active_directory.servers[0]`.
    pub fn field(mut self, path: impl Into<String>, problem: impl Into<String>) -> Self {
        self.fields.push((path.into(), problem.into()));
        self
    }

    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    pub fn reason(&self) -> Reason {
        self.reason
    }

    pub fn into_status(self) -> Status {
        let mut details = ErrorDetails::with_error_info(self.reason.name(), DOMAIN, self.metadata);
        for (field, problem) in self.fields {
            details.add_bad_request_violation(field, problem);
        }
        if self.retry_after.is_some() {
            details.set_retry_info(self.retry_after);
        }
        Status::with_error_details(self.reason.code(), self.message, details)
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        failure.into_status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_its_reason_its_fields_and_its_facts() {
        let status = Failure::invalid("servers[0]", "must begin with ldaps://")
            .with("domain", "corp")
            .retry_after(Duration::from_secs(2))
            .into_status();

        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(Reason::of(&status), Some(Reason::InvalidField));
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["domain"], "corp");
        assert_eq!(
            details.bad_request().unwrap().field_violations[0].field,
            "servers[0]"
        );
        assert_eq!(
            details.retry_info().unwrap().retry_delay,
            Some(Duration::from_secs(2))
        );
    }

    #[test]
    fn a_reason_of_another_domain_is_not_ours() {
        let details = ErrorDetails::with_error_info("NOT_FOUND", "example.org", HashMap::new());
        let status = Status::with_error_details(Code::NotFound, "", details);
        assert_eq!(Reason::of(&status), None);
    }

    #[test]
    fn every_reason_has_a_name_of_its_own_and_a_meaning() {
        let names: std::collections::HashSet<_> =
            Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(
            Reason::ALL
                .iter()
                .all(|reason| reason.meaning().ends_with('.'))
        );
    }
}

//! How a run ends early.

use std::error::Error as StdError;

use directory::DomainId;

use crate::{FailureCode, Identity, Phase, RunState, SourceError};

/// Why a run did not get on.
#[derive(Debug, thiserror::Error)]
pub enum Error<S: StdError + 'static, T: StdError + 'static> {
    #[error("failed to {phase}; nothing was changed")]
    Source {
        phase: Phase,
        #[source]
        source: S,
    },
    #[error("failed to {phase}: the connector's own database did not answer as it should")]
    Store {
        phase: Phase,
        #[source]
        source: T,
    },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why a run must not get on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "this domain was pinned to the directory with {pinned}, but the one that answers has {found}; nothing was \
         changed. Point the domain's servers back to its own directory, or add another domain for this one"
    )]
    IdentityMismatch { pinned: Identity, found: Identity },
    #[error(
        "the directory that answers is already the domain {owner}; nothing was changed. Delete one of the two domains, \
         or point this one to another directory"
    )]
    DirectoryTaken { owner: DomainId },
    #[error(
        "the directory has no group named {name:?}, or the account used to log on may not see it; nothing was changed. \
         Create it, give the right to read it, or set the domain's sync group to the right name"
    )]
    GroupMissing { name: String },
    #[error(
        "{count} groups are named {name:?}; nothing was changed. Rename all but one, or choose a group whose name is \
         its own"
    )]
    GroupAmbiguous { name: String, count: usize },
    #[error(
        "a group is not the one that the approved plan was made with: it was replaced, or another one was chosen; \
         nothing was changed. Sync again, and decide on the new plan"
    )]
    GroupChanged,
    #[error(
        "the directory sent {sent} {what}, of which {staged} arrived; nothing was changed. Sync again, and report this \
         if it repeats"
    )]
    Incomplete {
        what: &'static str,
        sent: u64,
        staged: u64,
    },
    #[error("a run that is {0} has nothing left to do")]
    NotRunnable(RunState),
}

impl<S: StdError + 'static, T: StdError + 'static> Error<S, T> {
    pub(super) fn source(phase: Phase) -> impl FnOnce(S) -> Self {
        move |source| Self::Source { phase, source }
    }

    pub(super) fn store(phase: Phase) -> impl FnOnce(T) -> Self {
        move |source| Self::Store { phase, source }
    }

    /// The message and its causes, for a person.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source_of();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    fn source_of(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Source { source, .. } => Some(source),
            Self::Store { source, .. } => Some(source),
            Self::Refused(_) => None,
        }
    }

    /// What to record of the run; nothing where the run is not over.
    pub fn failure(&self) -> Option<FailureCode> {
        match self {
            Self::Source { .. } => Some(FailureCode::Source),
            Self::Store { .. } => None,
            Self::Refused(refusal) => match refusal {
                Refusal::IdentityMismatch { .. } => Some(FailureCode::IdentityMismatch),
                Refusal::DirectoryTaken { .. } => Some(FailureCode::DirectoryTaken),
                Refusal::GroupMissing { .. } => Some(FailureCode::GroupMissing),
                Refusal::GroupAmbiguous { .. } => Some(FailureCode::GroupAmbiguous),
                Refusal::GroupChanged => Some(FailureCode::GroupChanged),
                Refusal::Incomplete { .. } => Some(FailureCode::Incomplete),
                Refusal::NotRunnable(_) => None,
            },
        }
    }
}

impl<S: SourceError, T: StdError + 'static> Error<S, T> {
    /// Whether the same run may succeed later without anybody's help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Source { source, .. } => source.is_transient(),
            Self::Store { .. } => true,
            Self::Refused(_) => false,
        }
    }
}

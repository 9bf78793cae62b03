//! What can go wrong with NATS.

use std::path::PathBuf;
use std::sync::Arc;

use crate::bus::Cause;

/// Why the bus can't be set up. Waiting would not mend it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "no NATS server is given: `servers` needs at least one, such as tls://nats.example:4222"
    )]
    NoServer,
    #[error(
        "`{server}` is no address of a NATS server: expected tls://HOST:PORT or nats://HOST:PORT"
    )]
    Address { server: String },
    #[error("`servers` mixes tls:// and nats://: a cluster is reached by one of them")]
    Mixed,
    #[error("streams can be kept on 1, 3 or 5 servers, not on {0}")]
    Replicas(usize),
    #[error("failed to read {what} from {}", path.display())]
    Read {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} holds no {what}", path.display())]
    Content { what: &'static str, path: PathBuf },
    #[error("failed to set up the client of NATS")]
    Client(#[source] async_nats::ConnectError),
}

/// Why NATS did not do as asked. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("NATS gave no answer in time{0}")]
    NoAnswer(LastProblem),
    #[error("the NATS server is of version {version}: {oldest} is the oldest that works")]
    TooOld {
        version: String,
        oldest: &'static str,
    },
    #[error("failed to {doing}{problem}")]
    Asking {
        doing: &'static str,
        problem: LastProblem,
        #[source]
        source: Cause,
    },
    #[error(
        "stream `{stream}` exists with {what}, which can't be changed: delete it, or give the suite an account of its own"
    )]
    OtherStream { stream: String, what: &'static str },
    #[error("`{0}` can't be a consumer's name: letters, digits, `-` and `_` only")]
    Name(String),
    #[error("an event was acknowledged that is not in hand")]
    NotInHand,
}

impl Error {
    /// Whether NATS answered with an error of that type and kind.
    pub(super) fn is<E: std::error::Error + 'static>(&self, kind: impl FnOnce(&E) -> bool) -> bool {
        match self {
            Self::Asking { source, .. } => source.downcast_ref().is_some_and(kind),
            Self::NoAnswer(_)
            | Self::TooOld { .. }
            | Self::OtherStream { .. }
            | Self::Name(_)
            | Self::NotInHand => false,
        }
    }
}

/// What the connection last failed with, while it is down.
#[derive(Clone, Debug, Default)]
pub(super) struct LastProblem(pub(super) Option<Arc<str>>);

impl std::fmt::Display for LastProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(problem) => write!(f, " (not connected: {problem})"),
            None => Ok(()),
        }
    }
}

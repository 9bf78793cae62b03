//! The reader of a directory, as both connectors bring it, and what is noted while it reads.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::config::v1 as config;
use api::directory::v1 as proto;
use directory::{Attribute, DirectoryKind, ObjectId};
use futures::stream::BoxStream;
use sync::{GroupRef, Identity, Read, Reading, Resolved, Source, Whereabouts};

use crate::credentials::Credentials;
use crate::failure::{Failure, FailureReason};

/// A directory that is open: read as the steps of a run want it, and asked what only an adapter knows.
pub trait Reader: Source<Error = Failure> {
    /// For each of these groups, whether its members may be read. A group that hides them looks like an empty one.
    fn members_readable(
        &mut self,
        groups: &[ObjectId],
    ) -> impl Future<Output = Result<Vec<(ObjectId, Readable)>, Failure>> + Send;
}

/// Whether something may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    Yes,
    No,
    /// It can't be told.
    Unknown,
}

/// One kind of directory. It connects; it keeps nothing.
pub trait Directory: Send + Sync + 'static {
    type Source: Reader;

    fn kind(&self) -> DirectoryKind;

    /// Connects, logs on, and finds out which directory it is. The credentials are used here and not kept longer than
    /// the source.
    fn open(
        &self,
        domain: &config::Domain,
        credentials: &Credentials,
    ) -> impl Future<Output = Result<Opened<Self::Source>, Failure>> + Send;

    /// Tests a domain, saved or not, and tells each check as it finishes.
    fn test(
        &self,
        domain: config::Domain,
        credentials: Option<Credentials>,
    ) -> BoxStream<'static, proto::Check>;
}

/// A directory that answers.
#[derive(Debug)]
pub struct Opened<S> {
    pub source: S,
    /// Who answers, as `host:port`.
    pub server: String,
    /// What is shown of the directory; what it is pinned by comes from [`Source::identify`].
    pub identity: proto::DirectoryIdentity,
}

/// What was noted while a run read, beside what the run itself needs. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Observed(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) identity: Option<proto::DirectoryIdentity>,
    /// The names that groups have now.
    pub(crate) groups: HashMap<ObjectId, String>,
    /// The last failure of the source: a run's record needs more of it than its message.
    pub(crate) failure: Option<Failure>,
}

impl Observed {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For a run that only has to be finished: it is not read again.
#[derive(Debug)]
pub(crate) struct Unneeded;

impl Unneeded {
    fn refuse<T>() -> Result<T, Failure> {
        Err(Failure::lasting(
            FailureReason::Internal,
            "a run that was being applied asked for the directory",
            "Report this.",
        ))
    }
}

impl Source for Unneeded {
    type Error = Failure;

    async fn identify(&mut self) -> Result<Identity, Failure> {
        Self::refuse()
    }

    async fn resolve(&mut self, _: GroupRef<'_>) -> Result<Resolved, Failure> {
        Self::refuse()
    }

    async fn begin(&mut self, _: &Read) -> Result<(), Failure> {
        Self::refuse()
    }

    async fn next(&mut self) -> Result<Reading, Failure> {
        Self::refuse()
    }

    async fn whereabouts(
        &mut self,
        _: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Whereabouts)>, Failure> {
        Self::refuse()
    }

    async fn readable(
        &mut self,
        _: &[ObjectId],
        _: &[Attribute],
    ) -> Result<Vec<(ObjectId, Vec<Attribute>)>, Failure> {
        Self::refuse()
    }
}

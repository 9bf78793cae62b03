//! Directories in memory, one a domain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::config::v1 as config;
use api::connector::v1 as passwords;
use api::directory::v1 as proto;
use directory::{Attribute, DirectoryKind, ObjectId};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use sync::testing::{FakeError, FakeSource};
use sync::{GroupRef, Identity, Read, Reading, Resolved, Source, Whereabouts};
use tokio::sync::watch;

use crate::failure::{Failure, FailureReason};
use crate::source::{Opened, Readable, Reader};
use crate::{Credentials, Directory, Logon, Passwords, Set, Verify};

/// Directories by domain; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct FakeDirectories(Arc<Mutex<BTreeMap<String, Shared>>>);

/// One directory, as the test changes it between and during runs. All clones are one.
#[derive(Clone, Debug)]
pub struct Shared {
    source: Arc<Mutex<FakeSource>>,
    /// Groups whose members are not shown.
    hidden: Arc<Mutex<BTreeSet<ObjectId>>>,
    down: Arc<Mutex<Option<Failure>>>,
    /// Whether pages come.
    gate: Arc<watch::Sender<bool>>,
    opened: Arc<AtomicUsize>,
}

impl FakeDirectories {
    /// Puts a directory behind a domain.
    pub fn add(&self, domain: &str, source: FakeSource) -> Shared {
        let shared = Shared {
            source: Arc::new(Mutex::new(source)),
            hidden: Arc::default(),
            down: Arc::default(),
            gate: Arc::new(watch::Sender::new(true)),
            opened: Arc::default(),
        };
        let mut directories = locked(&self.0);
        directories.insert(format!("domains/{domain}"), shared.clone());
        shared
    }
}

impl Shared {
    pub fn change(&self, change: impl FnOnce(&mut FakeSource)) {
        change(&mut locked(&self.source));
    }

    /// Shows a group without its members.
    pub fn hide_members(&self, group: ObjectId) {
        locked(&self.hidden).insert(group);
        self.change(|source| source.edges.retain(|edge| edge.group != group));
    }

    /// Whether it can be opened.
    pub fn set_down(&self, failure: Option<Failure>) {
        *locked(&self.down) = failure;
    }

    /// How often somebody began to read it.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// Stops pages from coming, or lets them come again.
    pub fn pause(&self, paused: bool) {
        self.gate.send_replace(!paused);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory for FakeDirectories {
    type Source = FakeReader;

    fn kind(&self) -> DirectoryKind {
        DirectoryKind::ActiveDirectory
    }

    async fn open(
        &self,
        domain: &config::Domain,
        _: &Credentials,
    ) -> Result<Opened<FakeReader>, Failure> {
        let shared = locked(&self.0).get(&domain.name).cloned();
        let Some(shared) = shared else {
            return Err(failure(FailureReason::Unreachable, true));
        };
        if let Some(failure) = &*locked(&shared.down) {
            return Err(failure.clone());
        }
        let source = locked(&shared.source).clone();
        shared.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Opened {
            server: "dc1.test:636".to_owned(),
            identity: proto::DirectoryIdentity {
                directory_id: source.identity.to_string(),
                ..proto::DirectoryIdentity::default()
            },
            source: FakeReader { source, shared },
        })
    }

    fn test(&self, _: config::Domain, _: Option<Credentials>) -> BoxStream<'static, proto::Check> {
        stream::iter(["tcp", "bind"])
            .map(|id| proto::Check {
                id: id.to_owned(),
                ..proto::Check::default()
            })
            .boxed()
    }
}

/// It has people, and none of them a password.
impl Passwords for FakeDirectories {
    async fn read(
        &self,
        _: Logon<'_>,
        _: ObjectId,
        _: Option<passwords::PasswordAnchor>,
    ) -> Result<(passwords::ReadResponse, passwords::PasswordAnchor), Failure> {
        Err(failure(FailureReason::DirectoryRefused, false))
    }

    async fn set(&self, _: Logon<'_>, _: Set) -> Result<passwords::SetResponse, Failure> {
        Err(failure(FailureReason::DirectoryRefused, false))
    }

    async fn verify(&self, _: Logon<'_>, _: Verify) -> Result<passwords::VerifyResponse, Failure> {
        Err(failure(FailureReason::DirectoryRefused, false))
    }
}

/// A read of the directory as it was when it was opened.
#[derive(Debug)]
pub struct FakeReader {
    source: FakeSource,
    shared: Shared,
}

fn failure(reason: FailureReason, passing: bool) -> Failure {
    Failure {
        reason,
        message: "the directory in memory was told to fail".to_owned(),
        remedy: "Tell it otherwise.".to_owned(),
        transient: passing,
    }
}

fn failed(error: FakeError) -> Failure {
    let passing = matches!(error, FakeError::Injected { transient: true });
    failure(FailureReason::ReadIncomplete, passing)
}

impl Source for FakeReader {
    type Error = Failure;

    async fn identify(&mut self) -> Result<Identity, Failure> {
        self.source.identify().await.map_err(failed)
    }

    async fn resolve(&mut self, group: GroupRef<'_>) -> Result<Resolved, Failure> {
        self.source.resolve(group).await.map_err(failed)
    }

    async fn begin(&mut self, read: &Read) -> Result<(), Failure> {
        self.source.begin(read).await.map_err(failed)
    }

    async fn next(&mut self) -> Result<Reading, Failure> {
        let mut gate = self.shared.gate.subscribe();
        // The gate is never dropped while this reads.
        drop(gate.wait_for(|open| *open).await);
        self.source.next().await.map_err(failed)
    }

    async fn whereabouts(
        &mut self,
        ids: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Whereabouts)>, Failure> {
        self.source.whereabouts(ids).await.map_err(failed)
    }

    async fn readable(
        &mut self,
        ids: &[ObjectId],
        attributes: &[Attribute],
    ) -> Result<Vec<(ObjectId, Vec<Attribute>)>, Failure> {
        self.source.readable(ids, attributes).await.map_err(failed)
    }
}

impl Reader for FakeReader {
    async fn members_readable(
        &mut self,
        groups: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Readable)>, Failure> {
        let hidden = locked(&self.shared.hidden);
        let readable = |group: &ObjectId| match hidden.contains(group) {
            true => (*group, Readable::No),
            false => (*group, Readable::Yes),
        };
        Ok(groups.iter().map(readable).collect())
    }
}

//! Runs of the whole connector, on directories in memory and a real database.
#![expect(clippy::unwrap_used, reason = "what tests share fails the test")]

mod changes;
mod decisions;
mod domains;
mod replicas;
mod schedule;

use std::collections::BTreeMap;
use std::path::Path;

use api::config::v1::Domain;
use api::config::v1::domain::Directory;
use api::connector::v1::{SyncRun, SyncRunState};
use api::directory::v1::{Account, Presence};
use connector::testing::{FakeConfig, FakeDirectories, Shared, World, domain};
use connector::{Deps, Settings};
use runtime::{ManualClock, Service};
use sync::testing::FakeSource;
use tempfile::TempDir;

pub(crate) const NAMES: [&str; 8] = ["ada", "bob", "cyd", "dee", "eve", "fay", "gus", "hal"];

pub(crate) struct Test {
    pub(crate) dir: TempDir,
    pub(crate) config: FakeConfig,
    pub(crate) directories: FakeDirectories,
}

impl Test {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            config: FakeConfig::default(),
            directories: FakeDirectories::default(),
        }
    }

    pub(crate) fn domain(&self, id: &str, source: FakeSource) -> Shared {
        self.config.set(domain(id));
        self.config.set_credentials(id, "svc", "secret");
        self.directories.add(id, source)
    }

    pub(crate) async fn start(&self) -> World {
        self.start_with(None).await
    }

    pub(crate) async fn start_with(&self, clock: Option<ManualClock>) -> World {
        start(self.dir.path(), self, clock).await
    }
}

pub(crate) async fn start(dir: &Path, test: &Test, clock: Option<ManualClock>) -> World {
    let build = build(test);
    World::start(dir, test.config.clone(), clock, "ad-connector", build).await
}

/// As a replica, on the database in `dir`, with a bus of its own in `bus`.
pub(crate) async fn start_as(instance: &str, dir: &Path, bus: &Path, test: &Test) -> World {
    let (config, build) = (test.config.clone(), build(test));
    World::start_as(instance, (dir, bus), config, None, "ad-connector", build).await
}

fn build(test: &Test) -> impl FnOnce(Deps) -> Service + use<> {
    let directories = test.directories.clone();
    |deps| {
        let settings = Settings {
            batch: 3,
            ..Settings::default()
        };
        connector::build("ad-connector", settings, deps, directories)
    }
}

pub(crate) fn state(run: &SyncRun) -> SyncRunState {
    run.state()
}

pub(crate) fn presences(accounts: &[Account]) -> BTreeMap<&str, Presence> {
    let presence = |account: &Account| account.presence();
    let pairs = accounts
        .iter()
        .map(|account| (account.logon_name.as_str(), presence(account)));
    pairs.collect()
}

pub(crate) fn corp() -> FakeSource {
    FakeSource::with_users(NAMES)
}

/// Counts direct members alone.
pub(crate) fn not_nested(domain: &mut Domain) {
    if let Some(Directory::ActiveDirectory(settings)) = &mut domain.directory {
        settings.nested_groups = Some(false);
    }
}

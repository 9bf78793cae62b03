//! The domain controller, and a connector in front of it.

use std::collections::BTreeMap;

use ad_connector::Settings;
use api::config::v1::{ActiveDirectorySettings, domain::Directory};
use api::connector::v1::{SyncRun, SyncRunState};
use api::directory::v1::Account;
use connector::testing::{FakeConfig, World, domain};
use tempfile::TempDir;
use testkit::Samba;
use testkit::samba::Options;
use tokio::sync::OnceCell;

/// Started at the first use; it ends with this process.
pub(crate) async fn dc() -> &'static Samba {
    static DC: OnceCell<Samba> = OnceCell::const_new();
    DC.get_or_init(async || Samba::start(Options::default()).await.unwrap())
        .await
}

/// A connector with one domain, `corp`, whose groups carry the test's prefix.
pub(crate) struct Test {
    pub(crate) world: World,
    pub(crate) config: FakeConfig,
    _dir: TempDir,
}

impl Test {
    /// `{prefix}-keys` is the sync group, `{prefix}-rotation` the rotation group; both are made here.
    pub(crate) async fn start(prefix: &str) -> Self {
        let samba = dc().await;
        samba.create_group(names(prefix).0.as_str()).await.unwrap();
        samba.create_group(names(prefix).1.as_str()).await.unwrap();
        Self::on(samba, prefix, Settings::default()).await
    }

    pub(crate) async fn on(samba: &Samba, prefix: &str, settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = FakeConfig::default();
        let (sync_group, rotation_group) = names(prefix);
        let mut corp = domain("corp");
        corp.sync_group = sync_group;
        corp.rotation_group = rotation_group;
        corp.directory = Some(Directory::ActiveDirectory(ActiveDirectorySettings {
            domain_name: samba.dns_domain().to_owned(),
            servers: vec![samba.ldaps_url()],
            ca_bundle_pem: samba.ca().pem(),
            ..ActiveDirectorySettings::default()
        }));
        config.set(corp);
        let logon = samba.service();
        config.set_credentials("corp", &logon.name, &logon.password);
        let world = World::start(
            dir.path(),
            config.clone(),
            None,
            ad_connector::NAME,
            |deps| ad_connector::build(settings, deps),
        )
        .await;
        Self {
            world,
            config,
            _dir: dir,
        }
    }

    /// Changes how the directory is reached and read.
    pub(crate) fn settings(&self, change: impl FnOnce(&mut ActiveDirectorySettings)) {
        self.config.change("corp", |domain| {
            if let Some(Directory::ActiveDirectory(settings)) = &mut domain.directory {
                change(settings);
            }
        });
    }

    pub(crate) async fn sync(&self) -> SyncRun {
        self.world.sync("corp").await
    }

    /// Syncs, and insists that it went well.
    pub(crate) async fn applied(&self) -> SyncRun {
        let run = self.sync().await;
        assert_eq!(run.state(), SyncRunState::Applied, "{run:#?}");
        run
    }

    /// Syncs, and insists that it failed, for a reason and with something to do.
    pub(crate) async fn failed(&self) -> String {
        let before = self.world.accounts("corp").await;
        let run = self.sync().await;
        assert_eq!(run.state(), SyncRunState::Failed, "{run:#?}");
        let failure = run.failure.unwrap();
        assert!(
            !failure.message.is_empty() && !failure.remedy.is_empty(),
            "{failure:?}"
        );
        assert_eq!(
            self.world.accounts("corp").await,
            before,
            "somebody was touched"
        );
        failure.reason
    }

    /// Accounts by logon name.
    pub(crate) async fn accounts(&self) -> BTreeMap<String, Account> {
        let accounts = self.world.accounts("corp").await.into_iter();
        accounts
            .map(|account| (account.logon_name.clone(), account))
            .collect()
    }
}

pub(crate) fn names(prefix: &str) -> (String, String) {
    (format!("{prefix}-keys"), format!("{prefix}-rotation"))
}

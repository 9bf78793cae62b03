//! The service as a program of its own.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use program::{Base, Ground};
use runtime::auth::{Authenticator, TokenHash};
use runtime::{Channel, Service, settings};
use sealing::{FileKeyProvider, Placement, Sealer};
use serde::Deserialize;
use storage::Migrations;

use crate::{Connectors, DEFAULT_SETTINGS, Deps, MIGRATIONS, NAME, build};

/// `rotation-scheduler`.
pub struct Program;

/// The sections that only this program has.
#[derive(Debug, Deserialize)]
pub struct Settings {
    rotation_scheduler: crate::Settings,
    peers: Peers,
    authentication: Authentication,
    sealing: Sealing,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peers {
    #[serde(deserialize_with = "settings::optional")]
    config_service: Option<String>,
    #[serde(deserialize_with = "settings::optional")]
    ad_connector: Option<String>,
    #[serde(deserialize_with = "settings::optional")]
    entra_connector: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authentication {
    #[serde(deserialize_with = "settings::optional")]
    bootstrap_token_hash_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealing {
    #[serde(deserialize_with = "settings::optional")]
    kek_file: Option<PathBuf>,
}

/// Settings that are in order.
pub struct Prepared {
    settings: crate::Settings,
    config: Channel,
    sealer: Sealer,
    connectors: Connectors,
}

impl program::Program for Program {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str = "Changes passwords when they are due, and hands them to the keys of their \
                                 owners";
    type Settings = Settings;
    type Prepared = Prepared;

    fn defaults() -> Vec<&'static str> {
        vec![DEFAULT_SETTINGS, include_str!("../program.default.toml")]
    }

    fn migrations() -> &'static Migrations {
        &MIGRATIONS
    }

    fn authenticator(settings: &Settings) -> Result<Authenticator> {
        let authenticator = Authenticator::new();
        let Some(path) = &settings.authentication.bootstrap_token_hash_file else {
            return Ok(authenticator);
        };
        let failed = || {
            format!(
                "failed to read the administrator's token hash from {}",
                path.display()
            )
        };
        let text = std::fs::read_to_string(path).with_context(failed)?;
        let hash: TokenHash = text.trim().parse().with_context(failed)?;
        Ok(authenticator.accepting(hash))
    }

    fn prepare(settings: Settings, ground: &Ground) -> Result<Prepared> {
        let kek_file = settings.sealing.kek_file.context(
            "`sealing.kek_file` is not set: passwords can't be sealed without a key; \
             `hes generate kek` makes one, for all replicas",
        )?;
        let placement = ground
            .data_directory
            .clone()
            .map_or(Placement::Anywhere, Placement::Outside);
        let keys = FileKeyProvider::load(&kek_file, &placement)
            .with_context(|| format!("failed to use the key in {}", kek_file.display()))?;
        let connector = |service: &str, url: Option<String>| -> Result<Option<Channel>> {
            url.map(|url| ground.peers.channel(service, &url))
                .transpose()
        };
        let config = connector("config-service", settings.peers.config_service)?.context(
            "`peers.config_service` is not set: domains and employees are learnt from there",
        )?;
        Ok(Prepared {
            settings: settings.rotation_scheduler,
            config,
            sealer: Sealer::new(Arc::new(keys)),
            connectors: Connectors {
                active_directory: connector("ad-connector", settings.peers.ad_connector)?,
                entra_id: connector("entra-connector", settings.peers.entra_connector)?,
            },
        })
    }

    fn build(prepared: Prepared, base: Base) -> Result<Service> {
        let deps = Deps {
            db: base.database,
            bus: base.bus,
            config: prepared.config,
            tasks: base.tasks,
            clock: base.clock,
            ids: base.ids,
            sealer: prepared.sealer,
            connectors: prepared.connectors,
            instance: base.instance,
        };
        Ok(build(prepared.settings, deps))
    }
}

//! The service as a program of its own.

use anyhow::{Context as _, Result};
use program::{Authentication, Base, Ground, Sealing};
use runtime::auth::Authenticator;
use runtime::{Channel, Service, settings};
use sealing::Sealer;
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
        settings.authentication.authenticator()
    }

    fn prepare(settings: Settings, ground: &Ground) -> Result<Prepared> {
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
            sealer: settings.sealing.sealer("passwords", ground)?,
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

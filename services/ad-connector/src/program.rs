//! The connector as a program of its own.

use anyhow::{Context as _, Result};
use program::{Base, Ground};
use runtime::auth::Authenticator;
use runtime::{Channel, Service, settings};
use serde::Deserialize;
use storage::Migrations;

use crate::settings::Directory;
use crate::{DEFAULTS, Deps, MIGRATIONS, NAME, build};

/// `ad-connector`.
pub struct Program;

/// The sections that only this program has.
#[derive(Debug, Deserialize)]
pub struct Settings {
    sync: connector::Settings,
    directory: Directory,
    peers: Peers,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peers {
    #[serde(deserialize_with = "settings::optional")]
    config_service: Option<String>,
}

/// Settings that are in order.
pub struct Prepared {
    settings: crate::Settings,
    config: Channel,
}

impl program::Program for Program {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str =
        "Reads Active Directory domains and keeps what is known of their people";
    type Settings = Settings;
    type Prepared = Prepared;

    fn defaults() -> Vec<&'static str> {
        let mut defaults = DEFAULTS.to_vec();
        defaults.push(include_str!("settings/program.toml"));
        defaults
    }

    fn migrations() -> &'static Migrations {
        &MIGRATIONS
    }

    /// Services only, by certificate.
    fn authenticator(_: &Settings) -> Result<Authenticator> {
        Ok(Authenticator::new())
    }

    fn prepare(settings: Settings, ground: &Ground) -> Result<Prepared> {
        let url = settings.peers.config_service.context(
            "`peers.config_service` is not set: the connector learns its domains from there",
        )?;
        Ok(Prepared {
            settings: crate::Settings {
                sync: settings.sync,
                directory: settings.directory,
            },
            config: ground.peers.channel("config-service", &url)?,
        })
    }

    fn build(prepared: Prepared, base: Base) -> Result<Service> {
        let deps = Deps {
            config: prepared.config,
            database: base.database,
            bus: base.bus,
            clock: base.clock,
            ids: base.ids,
            tasks: base.tasks,
            instance: base.instance,
        };
        Ok(build(prepared.settings, deps))
    }
}

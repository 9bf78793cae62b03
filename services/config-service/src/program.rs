//! The service as a program of its own.

use anyhow::Result;
use program::{Authentication, Base, Ground, Sealing};
use runtime::auth::Authenticator;
use runtime::{Channel, Service, settings};
use sealing::Sealer;
use serde::Deserialize;
use storage::Migrations;

use crate::{Connectors, DEFAULT_SETTINGS, Deps, MIGRATIONS, NAME, build};

/// `config-service`.
pub struct Program;

/// The sections that only this program has.
#[derive(Debug, Deserialize)]
pub struct Settings {
    config_service: crate::Settings,
    peers: Peers,
    authentication: Authentication,
    sealing: Sealing,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peers {
    #[serde(deserialize_with = "settings::optional")]
    ad_connector: Option<String>,
    #[serde(deserialize_with = "settings::optional")]
    entra_connector: Option<String>,
    #[serde(deserialize_with = "settings::optional")]
    rotation_scheduler: Option<String>,
}

/// Settings that are in order.
pub struct Prepared {
    settings: crate::Settings,
    sealer: Sealer,
    connectors: Connectors,
    rotation: Option<Channel>,
}

impl program::Program for Program {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str = "Keeps domains, sealed credentials, employees and the audit log; \
                                 what people and clients of the suite speak to";
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
        let peer = |service: &str, url: Option<String>| -> Result<Option<Channel>> {
            url.map(|url| ground.peers.channel(service, &url))
                .transpose()
        };
        Ok(Prepared {
            settings: settings.config_service,
            sealer: settings.sealing.sealer("credentials", ground)?,
            rotation: peer("rotation-scheduler", settings.peers.rotation_scheduler)?,
            connectors: Connectors {
                active_directory: peer("ad-connector", settings.peers.ad_connector)?,
                entra_id: peer("entra-connector", settings.peers.entra_connector)?,
            },
        })
    }

    fn build(prepared: Prepared, base: Base) -> Result<Service> {
        let deps = Deps {
            db: base.database,
            bus: base.bus,
            clock: base.clock,
            ids: base.ids,
            sealer: prepared.sealer,
            connectors: prepared.connectors,
            rotation: prepared.rotation,
            instance: base.instance,
        };
        Ok(build(prepared.settings, deps))
    }
}

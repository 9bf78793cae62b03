//! What every program can be told: defaults < file < `HES__SECTION__KEY` < flags.

use std::path::PathBuf;

use runtime::settings::Layers;
use runtime::{grpc, service, settings, telemetry};
use serde::Deserialize;

/// Every setting that all programs have, with its default and why one would change it.
pub const DEFAULTS: &str = include_str!("default.toml");

/// All sections of a program's settings; `own` are those that only it has.
#[derive(Debug, Deserialize)]
pub struct Settings<S> {
    pub process: Process,
    pub grpc: grpc::Settings,
    pub telemetry: telemetry::Settings,
    pub lifecycle: service::Settings,
    pub identity: Identity,
    pub database: storage::Settings,
    pub bus: events::jetstream::Settings,
    #[serde(flatten)]
    pub own: S,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    #[serde(deserialize_with = "settings::optional")]
    pub instance: Option<String>,
}

/// By what the other services know this one, and it them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    #[serde(deserialize_with = "settings::optional")]
    pub certificate_file: Option<PathBuf>,
    #[serde(deserialize_with = "settings::optional")]
    pub key_file: Option<PathBuf>,
    #[serde(deserialize_with = "settings::optional")]
    pub ca_file: Option<PathBuf>,
}

impl Process {
    /// The configured name, or the machine's.
    pub fn instance(&self) -> String {
        self.instance.clone().unwrap_or_else(|| {
            let machine = rustix::system::uname();
            machine.nodename().to_string_lossy().into_owned()
        })
    }
}

/// The compiled-in layer of a program: what all have, and its own.
pub fn layers(own: &[&str]) -> Layers {
    let fragments: Vec<&str> = [DEFAULTS, settings::DEFAULTS]
        .into_iter()
        .chain(own.iter().copied())
        .collect();
    Layers::new(&fragments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Nothing {}

    #[test]
    fn the_commented_defaults_are_the_defaults() {
        let settings: Settings<Nothing> = settings::load(&layers(&[])).unwrap();

        assert_eq!(settings.grpc, grpc::Settings::default());
        assert_eq!(settings.bus, events::jetstream::Settings::default());
        assert_eq!(
            settings.database.sqlite,
            storage::settings::Sqlite::default()
        );
        assert_eq!(
            settings.database.postgres,
            storage::settings::Postgres::default()
        );
        assert!(!settings.process.instance().is_empty());
    }
}

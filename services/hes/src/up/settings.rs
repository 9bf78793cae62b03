//! What `hes up` can be told: defaults < file < `HES__SECTION__KEY` < flags.

use std::path::PathBuf;

use runtime::{grpc, service, settings, telemetry};
use serde::Deserialize;

/// Every setting with its default and why one would change it.
const DEFAULTS: &str = include_str!("../../settings.default.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(super) up: Own,
    pub(super) grpc: grpc::Settings,
    pub(super) telemetry: telemetry::Settings,
    pub(super) lifecycle: service::Settings,
    pub(super) config_service: config_service::Settings,
    pub(super) ad_connector: ad_connector::Settings,
    pub(super) rotation_scheduler: rotation_scheduler::Settings,
}

/// What is `hes up`'s own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Own {
    pub(super) names: Vec<String>,
    #[serde(deserialize_with = "settings::optional")]
    pub(super) kek_file: Option<PathBuf>,
}

/// The compiled-in layer.
pub(crate) fn defaults() -> settings::Layers {
    settings::Layers::new(&[
        DEFAULTS,
        settings::DEFAULTS,
        config_service::DEFAULT_SETTINGS,
        rotation_scheduler::DEFAULT_SETTINGS,
        &within("ad_connector", ad_connector::DEFAULTS),
    ])
}

/// The sections of a service that calls them by short names when it runs alone.
fn within(service: &str, fragments: &[&str]) -> String {
    fragments
        .join("\n")
        .lines()
        .fold(String::new(), |text, line| match line.strip_prefix('[') {
            Some(section) => text + "[" + service + "." + section + "\n",
            None => text + line + "\n",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_valid() {
        let settings: Settings = settings::load(&defaults()).unwrap();

        assert_eq!(settings.grpc, grpc::Settings::default());
        assert_eq!(settings.config_service, config_service::Settings::default());
        assert_eq!(settings.ad_connector, ad_connector::Settings::default());
        assert_eq!(
            settings.rotation_scheduler,
            rotation_scheduler::Settings::default()
        );
        assert_eq!(settings.up.kek_file, None);
    }
}

//! How a connector works; how a domain is synced is the domain's own setting.

use std::time::Duration;

use serde::Deserialize;

/// The `[sync]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Objects compared at once, and changes applied in one transaction.
    pub batch: u32,
    /// How long a run's plan is kept after it ended.
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub keep_runs: Duration,
    /// How often config-service is asked for its domains, beside its events.
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub refresh: Duration,
    /// The first wait after a failure that may pass by itself; it doubles up to the domain's interval.
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub retry: Duration,
    /// How long a domain stays with a replica that stopped answering.
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub lease: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch: 500,
            keep_runs: Duration::from_hours(30 * 24),
            refresh: Duration::from_mins(1),
            retry: Duration::from_secs(30),
            lease: Duration::from_secs(30),
        }
    }
}

/// Every setting of the section, with its default and why one would change it.
pub const DEFAULTS: &str = include_str!("settings/default.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_defaults_are_the_defaults() {
        #[derive(Deserialize)]
        struct File {
            sync: Settings,
        }
        let layers = runtime::settings::Layers::new(&[DEFAULTS]);

        let file: File = runtime::settings::load(&layers).unwrap();

        assert_eq!(file.sync, Settings::default());
    }
}

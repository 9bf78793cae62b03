//! The connector's settings: how it syncs, and how it speaks to domain controllers.

use std::time::Duration;

use serde::Deserialize;

/// `[sync]` and `[directory]`, of `[ad_connector]` where several services share a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub sync: connector::Settings,
    pub directory: Directory,
}

/// How domain controllers are spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Directory {
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub connect_timeout: Duration,
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub operation_timeout: Duration,
    pub page_size: u16,
    pub range_window: u32,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(60),
            page_size: 500,
            range_window: 1500,
        }
    }
}

/// Every setting, with its default and why one would change it.
pub const DEFAULTS: &[&str] = &[connector::DEFAULTS, include_str!("settings/default.toml")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_defaults_are_the_defaults() {
        let layers = runtime::settings::Layers::new(DEFAULTS);

        let settings: Settings = runtime::settings::load(&layers).unwrap();

        assert_eq!(settings, Settings::default());
    }
}

//! Where a database is.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Which database, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The SQLite file; made when missing.
    pub path: PathBuf,
    /// Connections that read at the same time. There is always one that writes.
    #[serde(default = "default_readers")]
    pub readers: u32,
    /// How long a writer waits for its turn, in seconds.
    #[serde(default = "default_busy_timeout")]
    pub busy_timeout_seconds: u64,
}

fn default_readers() -> u32 {
    4
}

fn default_busy_timeout() -> u64 {
    30
}

impl Settings {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: default_readers(),
            busy_timeout_seconds: default_busy_timeout(),
        }
    }

    pub(crate) fn busy_timeout(&self) -> Duration {
        Duration::from_secs(self.busy_timeout_seconds)
    }
}

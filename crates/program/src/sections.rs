//! Sections of settings that several services have, and what is made of them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use runtime::auth::{Authenticator, TokenHash};
use runtime::settings;
use sealing::{FileKeyProvider, Placement, Sealer};
use serde::Deserialize;

use crate::Ground;

/// Who is known by a token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authentication {
    #[serde(deserialize_with = "settings::optional")]
    bootstrap_token_hash_file: Option<PathBuf>,
}

impl Authentication {
    /// Takes the administrator's token, where its hash is there.
    pub fn authenticator(&self) -> Result<Authenticator> {
        let authenticator = Authenticator::new();
        let Some(path) = &self.bootstrap_token_hash_file else {
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
}

/// What seals secrets in the database.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealing {
    #[serde(deserialize_with = "settings::optional")]
    kek_file: Option<PathBuf>,
}

impl Sealing {
    /// Reads the key that seals `what` ("credentials"), which must not lie beside the data.
    pub fn sealer(&self, what: &str, ground: &Ground) -> Result<Sealer> {
        let kek_file = self.kek_file.as_ref().with_context(|| {
            format!(
                "`sealing.kek_file` is not set: {what} can't be sealed without a key; `hes generate kek` makes one, \
                 for all replicas"
            )
        })?;
        let placement = ground
            .data_directory
            .clone()
            .map_or(Placement::Anywhere, Placement::Outside);
        let keys = FileKeyProvider::load(kek_file, &placement)
            .with_context(|| format!("failed to use the key in {}", kek_file.display()))?;
        Ok(Sealer::new(Arc::new(keys)))
    }
}

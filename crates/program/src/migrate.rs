//! Bringing a service's database to this version's schema, as a step of its own.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use runtime::settings::{environment, load};
use storage::Step;

use crate::Program;
use crate::settings::{Settings, layers};

/// What became of the migrations.
#[derive(Debug)]
pub struct Migrated {
    /// Run now, or lacking where only asked.
    pub steps: Vec<Step>,
}

/// Runs the migrations that a service's database lacks, or only names them.
pub async fn migrate<P: Program>(file: Option<PathBuf>, only_check: bool) -> Result<Migrated> {
    let layers = layers(&P::defaults()).file(file).environment(environment());
    let settings: Settings<P::Settings> = load(&layers).context("the settings are wrong")?;
    settings.database.check()?;
    let steps = if only_check {
        storage::pending(&settings.database, P::migrations()).await
    } else {
        storage::migrate(&settings.database, P::migrations()).await
    };
    Ok(Migrated { steps: steps? })
}

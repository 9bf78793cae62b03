//! Where things lie: the target directory of the running test, and folders that live as long as one test.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// `target/<profile>` of the running test executable, which lies in its `deps` folder.
pub(crate) fn profile_dir() -> Option<PathBuf> {
    let executable = std::env::current_exe().ok()?;
    let deps = executable.parent()?;
    (deps.file_name()? == "deps").then(|| deps.parent().map(Path::to_owned))?
}

/// A folder that outlives the test run: `target/testkit`, or one in the system's temp folder when the running executable
/// doesn't lie in a target directory (a documentation test).
pub(crate) fn cache_dir() -> PathBuf {
    profile_dir()
        .and_then(|profile| profile.parent().map(|target| target.join("testkit")))
        .unwrap_or_else(|| std::env::temp_dir().join("hes-testkit"))
}

/// A folder in the system's temp folder, whose path is short: Samba's Unix sockets in it have names of at most 107 bytes.
pub(crate) fn temp_dir(purpose: &str) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("hes-{purpose}-"))
        .tempdir()
        .context("failed to create a temporary folder")
}

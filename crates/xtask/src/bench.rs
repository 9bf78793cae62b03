//! `cargo xtask bench`: the performance table, measured in one run in a release build.

use anyhow::Result;

use crate::{packages, run};

pub(crate) fn run() -> Result<bool> {
    packages::ensure_servers()?;
    packages::ensure_ldapsearch()?;
    run::timed("build", || {
        let mut build = run::cargo()?;
        let built = run::succeeds(build.args([
            "build",
            "--release",
            "--package",
            "bench",
            "--package",
            "hes",
        ]))?;
        anyhow::ensure!(built, "the build failed");
        Ok(())
    })?;
    // PostgreSQL and the domain controllers of the test kit are started as root would.
    let program = run::root()?.join("target/release/bench");
    run::succeeds(&mut packages::as_root(&program.to_string_lossy()))
}

//! buf: the protobuf files' lints, format, and compatibility with those released.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{packages, run};

const VERSION: &str = "1.75.0";
const PROTO: &str = "proto";
/// The protobuf files as last released, or as last deliberately changed: an image of their descriptors.
const BASELINE: &str = "proto/baseline.binpb";

/// Whether the files keep all the rules.
pub(crate) fn check() -> Result<bool> {
    let buf = buf()?;
    let mut good = run::succeeds(run::command(&buf)?.args(["lint", PROTO]))?;
    good &= run::succeeds(run::command(&buf)?.args([
        "format",
        "--diff",
        "--exit-code",
        PROTO,
        "--path",
        "proto/hes",
    ]))?;
    let baseline = run::root()?.join(BASELINE);
    if baseline.exists() {
        good &=
            run::succeeds(run::command(&buf)?.args(["breaking", PROTO, "--against", BASELINE]))?;
    } else {
        eprintln!("skipped `buf breaking`: nothing is released yet, {BASELINE} isn't there");
    }
    Ok(good)
}

/// Makes the present files the ones that later ones must be compatible with.
pub(crate) fn accept() -> Result<()> {
    let mut build = run::command(buf()?)?;
    build.args([
        "build",
        PROTO,
        "--exclude-source-info",
        "--output",
        BASELINE,
    ]);
    run::quietly(&mut build)
}

/// The program, installed in the target directory at the version that the rules were written for.
pub(crate) fn buf() -> Result<PathBuf> {
    let tools = run::root()?.join("target/tools/buf").join(VERSION);
    let program = tools.join("node_modules/.bin/buf");
    if !program.exists() {
        packages::ensure_npm()?;
        std::fs::create_dir_all(&tools)?;
        let mut install = Command::new("npm");
        install
            .args(["install", "--silent", "--no-save", "--no-package-lock"])
            .arg("--prefix")
            .arg(&tools)
            .arg(format!("@bufbuild/buf@{VERSION}"));
        run::quietly(&mut install).context("failed to install buf")?;
    }
    Ok(program)
}

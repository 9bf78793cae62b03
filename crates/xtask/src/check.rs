//! `cargo xtask check`: everything that can be said without running a test.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::{buf, compile, generate, imports, run};

/// From here on, a file has probably more than one idea.
const LONG_FILE_LINES: usize = 600;

pub(crate) fn run() -> Result<bool> {
    let mut good = run::timed("format", || {
        let good = run::succeeds(run::cargo()?.args(["fmt", "--all", "--check", "--", "-l"]))?;
        if !good {
            eprintln!("error: these files aren't formatted: run `cargo fmt --all`");
        }
        Ok(good)
    })?;
    good &= run::timed("import rules", imports::check)?;
    good &= run::timed("generated code", generate::is_up_to_date)?;
    good &= run::timed("protobuf rules", buf::check)?;
    good &= run::timed("lints", lints)?;
    for dir in ["crates", "services", "tests"] {
        mention_long_files(&run::root()?.join(dir))?;
    }
    println!("{}", if good { "check passed" } else { "check failed" });
    Ok(good)
}

fn lints() -> Result<bool> {
    let warnings = compile::everything()?.warnings;
    for warning in &warnings {
        eprintln!("{warning}");
    }
    if !warnings.is_empty() {
        eprintln!("error: {} warnings", warnings.len());
    }
    Ok(warnings.is_empty())
}

fn mention_long_files(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "gen") {
                mention_long_files(&path)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = fs::read_to_string(&path)?.lines().count();
            if lines > LONG_FILE_LINES {
                eprintln!("note: {} has {lines} lines", path.display());
            }
        }
    }
    Ok(())
}

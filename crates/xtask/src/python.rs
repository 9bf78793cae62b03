//! Python with what the tests' clients need of it, in the target directory.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{packages, run};

const REQUIREMENTS: &str = "tests/e2e/clients/requirements.txt";

/// The interpreter, made when the requirements are new.
pub(crate) fn ensure() -> Result<PathBuf> {
    let root = run::root()?;
    let wanted = std::fs::read_to_string(root.join(REQUIREMENTS))?;
    let environment = root.join("target/tools/python");
    let (program, made_for) = (
        environment.join("bin/python"),
        environment.join("requirements.txt"),
    );
    let is_current = std::fs::read_to_string(&made_for).is_ok_and(|made| made == wanted);
    if !is_current || !program.exists() {
        run::timed("install Python's gRPC", || {
            let python = packages::ensure_python()?;
            if environment.exists() {
                std::fs::remove_dir_all(&environment)?;
            }
            run::quietly(run::command(python)?.args(["-m", "venv"]).arg(&environment))
                .context("failed to make an environment for Python")?;
            run::quietly(run::command(&program)?.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
                REQUIREMENTS,
            ]))
            .context("failed to install what the clients in Python need")?;
            Ok(std::fs::write(&made_for, &wanted)?)
        })?;
    }
    Ok(program)
}

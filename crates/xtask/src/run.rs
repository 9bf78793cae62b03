//! Running other programs, and how long it took.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The workspace's root, two folders above this crate.
pub(crate) fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().and_then(Path::parent);
    Ok(root.context("this crate isn't in a workspace")?.to_owned())
}

/// A command in the workspace's root, without standard input.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(root()?).stdin(Stdio::null());
    Ok(command)
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Result<Command> {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether the command ends well; what it says goes where ours goes.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command
        .status()
        .with_context(|| format!("failed to run {}", name(command)))?;
    Ok(status.success())
}

/// Runs a command and shows what it said only when it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("failed to run {}", name(command)))?;
    if !output.status.success() {
        bail!(
            "{} failed: {}\n{}{}",
            name(command),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Says what is being done and, at the end, how long it took.
pub(crate) fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("--- {what}");
    let started = now();
    let outcome = work();
    eprintln!("--- {what}: {:.1} s", started.elapsed().as_secs_f64());
    outcome
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a developer waits is the real time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

//! One build for lints and tests: clippy compiles the workspace's own crates, so that nothing is compiled twice.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::diagnostic::DiagnosticLevel;
use cargo_metadata::{Message, TargetKind};

use crate::run;

/// What a build gave.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) executables: Vec<Executable>,
    /// Warnings of the workspace's crates, as rendered.
    pub(crate) warnings: Vec<String>,
}

/// A test executable.
pub(crate) struct Executable {
    /// `package` for its unit tests, `package::name` for an integration test.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Where cargo would run it.
    pub(crate) dir: PathBuf,
    pub(crate) is_integration: bool,
}

/// Builds every test executable and every program of the workspace.
pub(crate) fn everything() -> Result<Built> {
    let mut built = cargo(&["build", "--bins"])?;
    let tests = cargo(&["test", "--no-run", "--all-targets"])?;
    built.executables = tests.executables;
    built.warnings.extend(tests.warnings);
    // The same crate is seen once as a library and once as its tests.
    let unique: BTreeSet<_> = std::mem::take(&mut built.warnings).into_iter().collect();
    built.warnings = unique.into_iter().collect();
    Ok(built)
}

/// Lets a cargo command compile the workspace's own crates with clippy.
pub(crate) fn by_clippy(command: &mut Command) -> &mut Command {
    command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
}

fn cargo(arguments: &[&str]) -> Result<Built> {
    let mut command = run::cargo()?;
    let mut child = by_clippy(&mut command)
        .args(arguments)
        .args(["--workspace", "--quiet", "--message-format=json"])
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to run cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut built = Built::default();
    let mut errors = Vec::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        let message = message?;
        if let Message::CompilerArtifact(artifact) = &message
            && artifact.profile.test
        {
            built.executables.extend(executable(artifact));
        }
        if let Message::CompilerMessage(message) = message {
            let diagnostic = message.message;
            let is_error = matches!(
                diagnostic.level,
                DiagnosticLevel::Error | DiagnosticLevel::Ice
            );
            // "3 warnings emitted" is at no place in the code.
            let is_warning =
                diagnostic.level == DiagnosticLevel::Warning && !diagnostic.spans.is_empty();
            if is_error {
                errors.extend(diagnostic.rendered);
            } else if is_warning {
                built.warnings.extend(diagnostic.rendered);
            }
        }
    }
    if !child.wait()?.success() {
        for error in &errors {
            eprintln!("{error}");
        }
        bail!("the build failed");
    }
    Ok(built)
}

fn executable(artifact: &cargo_metadata::Artifact) -> Option<Executable> {
    let path = artifact.executable.as_ref()?;
    let is_integration = artifact.target.kind.contains(&TargetKind::Test);
    let dir = artifact.manifest_path.parent()?;
    let package = dir.file_name()?;
    Some(Executable {
        name: if is_integration {
            format!("{package}::{}", artifact.target.name)
        } else {
            package.to_owned()
        },
        path: path.clone().into_std_path_buf(),
        dir: dir.to_owned().into_std_path_buf(),
        is_integration,
    })
}

//! `cargo xtask test`: everything, from nothing.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use cargo_metadata::MetadataCommand;
use clap::Args;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::compile::{self, Executable};
use crate::totals::Totals;
use crate::{buf, packages, python, run};

const DEADLINE: Duration = Duration::from_secs(15 * 60);
const LONG_DEADLINE: Duration = Duration::from_secs(3 * 60 * 60);
/// How long servers of tests that were killed may take to go.
const LEFTOVERS_DEADLINE: Duration = Duration::from_secs(15);

#[derive(Args)]
pub(crate) struct Arguments {
    /// The large sizes: hours instead of minutes.
    #[arg(long)]
    long: bool,
    /// Run only tests whose name contains one of these.
    filter: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    packages::ensure_servers()?;
    let tools = Tools {
        python: python::ensure()?,
        buf: buf::buf()?,
    };
    let built = run::timed("build", compile::everything)?;
    let mut executables = built.executables;
    executables.sort_by_key(|executable| executable.name.clone());

    let temp = tempfile::Builder::new().prefix("hes-test-").tempdir()?;
    let mut totals = run::timed("test", || {
        run_all(&plan(&executables), arguments, &tools, temp.path())
    })?;
    totals += run::timed("documentation tests", || {
        documentation(arguments, temp.path())
    })?;
    wait_for_leftovers(temp.path());

    println!("{totals}");
    Ok(totals.failed == 0)
}

/// Programs of others that tests run.
struct Tools {
    python: PathBuf,
    buf: PathBuf,
}

/// An executable, and the conditions under which its tests run.
struct Planned<'a> {
    executable: &'a Executable,
    variant: Option<&'static Variant>,
}

/// Other conditions for the same tests.
struct Variant {
    name: &'static str,
    variable: (&'static str, &'static str),
    /// The packages whose tests it means something to.
    packages: &'static [&'static str],
    /// Tests of what only the usual conditions have, or that choose their conditions themselves.
    except: &'static [&'static str],
}

const VARIANTS: &[Variant] = &[
    Variant {
        name: "on PostgreSQL",
        variable: ("HES_TEST_DATABASE", "postgres"),
        packages: &[
            "storage",
            "events",
            "connector",
            "config-service",
            "rotation-scheduler",
        ],
        except: &["storage::postgres", "events::jetstream"],
    },
    Variant {
        name: "apart",
        variable: ("HES_TEST_SHAPE", "apart"),
        packages: &["e2e"],
        except: &[
            "e2e",
            "e2e::one_process",
            "e2e::one_trace",
            "e2e::outages",
            "e2e::replicas",
            "e2e::independent_clients",
            "e2e::identities",
            "e2e::metrics",
        ],
    },
];

impl Variant {
    fn means(&self, executable: &Executable) -> bool {
        let package = executable.name.split("::").next().unwrap_or_default();
        self.packages.contains(&package) && !self.except.contains(&executable.name.as_str())
    }
}

/// Every executable under the usual conditions, and again under those of each variant that means something to it.
fn plan(executables: &[Executable]) -> Vec<Planned<'_>> {
    let usual = executables.iter().map(|executable| Planned {
        executable,
        variant: None,
    });
    let variants = VARIANTS.iter().flat_map(|variant| {
        executables
            .iter()
            .filter(|executable| variant.means(executable))
            .map(|executable| Planned {
                executable,
                variant: Some(variant),
            })
    });
    let mut planned: Vec<_> = usual.chain(variants).collect();
    // The slow ones first: they start servers, and the rest fills the gaps.
    planned.sort_by_key(|planned| {
        let name = planned.executable.name.as_str();
        let slow = name.starts_with("e2e::") || name == "connector::crash";
        (!slow, !planned.executable.is_integration)
    });
    planned
}

/// Runs the executables, as many at once as there are processors.
fn run_all(
    planned: &[Planned<'_>],
    arguments: &Arguments,
    tools: &Tools,
    temp: &Path,
) -> Result<Totals> {
    let queue = Mutex::new(planned.iter());
    let totals = Mutex::new(Totals::default());
    let poisoned = || anyhow!("a thread that ran tests panicked");
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let next = queue.lock().map_err(|_| poisoned())?.next();
                        let Some(planned) = next else {
                            return Ok(());
                        };
                        let one = run_one(planned, arguments, tools, temp)?;
                        *totals.lock().map_err(|_| poisoned())? += one;
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| poisoned())?)
    })?;
    totals.into_inner().map_err(|_| poisoned())
}

/// Runs one executable under the deadline, and shows what it said when a test failed.
fn run_one(
    planned: &Planned<'_>,
    arguments: &Arguments,
    tools: &Tools,
    temp: &Path,
) -> Result<Totals> {
    let Planned {
        executable,
        variant,
    } = planned;
    let name = match variant {
        Some(variant) => format!("{} {}", executable.name, variant.name),
        None => executable.name.clone(),
    };
    let started = run::now();
    let path = executable.path.to_string_lossy();
    // Servers on ports below 1024 need root.
    let mut command = packages::as_root(&path);
    environment(&mut command, arguments, temp);
    command
        .env("HES_TEST_PYTHON", &tools.python)
        .env("HES_TEST_BUF", &tools.buf);
    if let Some(variant) = variant {
        let (variable, value) = variant.variable;
        command.env(variable, value);
    }
    command.args(&arguments.filter).current_dir(&executable.dir);
    let deadline = if arguments.long {
        LONG_DEADLINE
    } else {
        DEADLINE
    };
    let (status, output) = finish(&mut command, deadline)
        .with_context(|| format!("failed to run the tests of {name}"))?;

    let mut totals = Totals::read(&output).unwrap_or_default();
    let success = status.is_some_and(|status| status.success());
    if !success && totals.failed == 0 {
        // It died, or didn't end.
        totals.failed = 1;
    }
    let seconds = started.elapsed().as_secs_f64();
    if !success {
        let end = status.map_or_else(
            || format!("killed after {deadline:?}"),
            |status| status.to_string(),
        );
        eprintln!("{output}\n^^^ {name}: {end}");
    }
    if totals != Totals::default() {
        eprintln!("{name}: {totals} ({seconds:.1} s)");
    }
    Ok(totals)
}

fn environment(command: &mut Command, arguments: &Arguments, temp: &Path) {
    command.env("TMPDIR", temp).stdin(Stdio::null());
    if arguments.long {
        command.env("HES_TEST_LONG", "1");
    }
}

/// How the command ended and all it said; no status when it was killed at the deadline. Its process group ends with it.
fn finish(command: &mut Command, deadline: Duration) -> Result<(Option<ExitStatus>, String)> {
    // A file rather than a pipe: a grandchild that holds it open can't make us wait.
    let mut output: File = tempfile::tempfile()?;
    let mut child = command
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()?;
    let group = Pid::from_child(&child);
    let started = run::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > deadline {
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // Nothing left is no error.
    let _ = kill_process_group(group, Signal::KILL);
    if status.is_none() {
        child.wait()?;
    }
    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

/// Runs the documentation's examples, of those packages that have any: looking for them takes seconds a package.
fn documentation(arguments: &Arguments, temp: &Path) -> Result<Totals> {
    let root = run::root()?;
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let mut command = run::cargo()?;
    compile::by_clippy(&mut command).args(["test", "--doc", "--quiet"]);
    let mut any = false;
    for package in metadata.workspace_packages() {
        let dir = package.manifest_path.parent().context("no folder")?;
        let is_library = package.targets.iter().any(cargo_metadata::Target::is_lib);
        if is_library && has_examples(dir.as_std_path())? {
            command.args(["--package", package.name.as_str()]);
            any = true;
        }
    }
    if !any {
        return Ok(Totals::default());
    }
    environment(&mut command, arguments, temp);
    command.arg("--").args(&arguments.filter);
    let (status, output) = finish(&mut command, DEADLINE)?;
    let mut totals = Totals::read(&output).unwrap_or_default();
    if !status.is_some_and(|status| status.success()) {
        totals.failed = totals.failed.max(1);
        eprintln!("{output}");
    }
    Ok(totals)
}

/// Whether the README or a documentation comment below `dir` has a code block.
fn has_examples(dir: &Path) -> Result<bool> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let found = match extension {
            _ if path.is_dir() => has_examples(&path)?,
            Some("rs") => std::fs::read_to_string(&path)?.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with("///") && line.contains("```")
                    || line.starts_with("//!") && line.contains("```")
            }),
            Some("md") => std::fs::read_to_string(&path)?.contains("```"),
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tests remove what they made even when they are killed, but a moment later. Whatever stays is told.
fn wait_for_leftovers(temp: &Path) {
    let started = run::now();
    let left = || -> Vec<_> {
        std::fs::read_dir(temp)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    while !left().is_empty() && started.elapsed() < LEFTOVERS_DEADLINE {
        std::thread::sleep(Duration::from_millis(50));
    }
    let left = left();
    if !left.is_empty() {
        eprintln!("warning: tests left behind {}: removed", left.join(", "));
    }
}

//! The programs of this workspace, run as processes and killed at will.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::process::Supervised;
use crate::{place, poll_until};

/// The built program of that name, which lies beside the `deps` folder of the running test.
pub fn find(name: &str) -> Result<PathBuf> {
    let profile = place::profile_dir()
        .context("the running test isn't in a target directory, where programs are looked for")?;
    let program = profile.join(name);
    ensure!(
        program.exists(),
        "{} isn't there: run `cargo xtask test`, which builds it, or `cargo build --bin {name}` first",
        program.display()
    );
    Ok(program)
}

/// A command for the built `hes` that inherits none of the environment's `HES…` variables.
pub fn hes_command<I, S>(arguments: I) -> Result<Command>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = command("hes")?;
    command.args(arguments);
    Ok(command)
}

/// A command for the built program of that name that inherits none of the environment's `HES…` variables.
pub fn command(name: &str) -> Result<Command> {
    let mut command = Command::new(find(name)?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HES") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Runs a command to its end and returns what it said. It is killed at the deadline.
pub async fn run(command: Command, deadline: Duration) -> Result<Output> {
    let mut running = Running::start(command)?;
    let status = running.wait(deadline).await?;
    Ok(Output {
        status,
        stdout: running.stdout().into_bytes(),
        stderr: running.stderr().into_bytes(),
    })
}

/// A program that runs, its output kept line by line. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    process: Supervised,
    name: String,
    stdout: Lines,
    stderr: Lines,
}

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<String>,
    ended: bool,
}

impl Running {
    pub fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Supervised::spawn(&mut command)?;
        let stdout = Lines::of(process.child().stdout.take())?;
        let stderr = Lines::of(process.child().stderr.take())?;
        Ok(Self {
            process,
            name,
            stdout,
            stderr,
        })
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Everything on standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Everything on standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until standard output has a line that `wanted` accepts, and returns it. Fails when the program ends first.
    pub async fn line(
        &mut self,
        deadline: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let what = format!("a line of {}", self.name);
        let found = poll_until(deadline, &what, async || {
            // In this order: what it said before it ended counts.
            let ended =
                self.process.ended().is_some() && self.stdout.ended() && self.stderr.ended();
            match self.stdout.find(&wanted) {
                Some(line) => Some(Ok(line)),
                None => ended.then_some(Err(())),
            }
        })
        .await;
        match found {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(())) => bail!("{} ended first.{}", self.name, self.said()),
            Err(error) => Err(error.context(self.said())),
        }
    }

    /// Waits for the end, and kills the program at the deadline, which is an error.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let ended = poll_until(deadline, &what, async || self.process.ended()).await;
        match ended {
            Ok(status) => {
                poll_until(deadline, "its output to end", async || {
                    (self.stdout.ended() && self.stderr.ended()).then_some(())
                })
                .await?;
                Ok(status)
            }
            Err(error) => {
                self.process.kill();
                Err(error.context(self.said()))
            }
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM, without waiting.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// SIGCONT: a process that was stopped, or stopped itself, goes on.
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Whether it is stopped, as by SIGSTOP.
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()));
        // Behind the program's name, which is in parentheses and may hold anything.
        stat.is_ok_and(|stat| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    fn said(&self) -> String {
        format!(
            "\n--- standard output of {}\n{}\n--- standard error\n{}",
            self.name,
            self.stdout(),
            self.stderr()
        )
    }
}

impl Lines {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Result<Self> {
        let pipe = pipe.context("a program started without a pipe")?;
        let lines = Self::default();
        let kept = lines.clone();
        std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                for line in BufReader::new(pipe).split(b'\n') {
                    let Ok(line) = line else { break };
                    let line = String::from_utf8_lossy(&line).into_owned();
                    kept.with(|kept| kept.lines.push(line));
                }
                kept.with(|kept| kept.ended = true);
            })?;
        Ok(lines)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Kept) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn text(&self) -> String {
        self.with(|kept| {
            kept.lines
                .iter()
                .flat_map(|line| [line.as_str(), "\n"])
                .collect()
        })
    }

    fn find(&self, wanted: &impl Fn(&str) -> bool) -> Option<String> {
        self.with(|kept| kept.lines.iter().find(|line| wanted(line)).cloned())
    }

    fn ended(&self) -> bool {
        self.with(|kept| kept.ended)
    }
}

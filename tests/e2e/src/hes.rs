//! The suite as processes, and the command line against it.
//!
//! In either shape: `hes up`, one process; or each service apart, two replicas of each, on PostgreSQL and NATS, as in a
//! cluster. Scenarios don't know which. `cargo xtask test` runs them on both.

mod apart;
mod together;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testkit::programs;

pub use apart::Apart;
use together::Together;

const DEADLINE: Duration = Duration::from_secs(120);

/// Names the shape: `apart`, or nothing for one process.
const SHAPE: &str = "HES_TEST_SHAPE";

/// A running suite.
pub struct Hes {
    shape: Shape,
    folder: TempDir,
}

enum Shape {
    Together(Together),
    Apart(Box<Apart>),
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub async fn of(command: Command) -> Result<Self> {
        let output = programs::run(command, DEADLINE).await?;
        Ok(Self {
            code: output.status.code().context("the command was killed")?,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("not JSON; the command said {self:?}"))
    }
}

impl Hes {
    /// Starts everything with nothing in it and waits until it is ready.
    pub async fn up() -> Result<Self> {
        Self::up_with(&[]).await
    }

    /// Starts everything with settings from the environment, as `("HES__SECTION__KEY", value)`.
    pub async fn up_with(settings: &[(&str, &str)]) -> Result<Self> {
        if std::env::var(SHAPE).is_ok_and(|shape| shape == "apart") {
            return Self::apart(settings).await;
        }
        let folder = TempDir::new()?;
        let together = Together::start(folder.path(), settings).await?;
        Ok(Self {
            shape: Shape::Together(together),
            folder,
        })
    }

    /// [`Hes::up_with`], in the shape of a cluster whatever the environment says.
    pub async fn apart(settings: &[(&str, &str)]) -> Result<Self> {
        let folder = TempDir::new()?;
        let apart = Box::pin(Apart::start(folder.path(), settings)).await?;
        Ok(Self {
            shape: Shape::Apart(Box::new(apart)),
            folder,
        })
    }

    /// The parts of a suite in the shape of a cluster.
    pub fn parts(&mut self) -> Result<&mut Apart> {
        match &mut self.shape {
            Shape::Together(_) => anyhow::bail!("the suite is one process"),
            Shape::Apart(apart) => Ok(apart),
        }
    }

    /// Starts everything again on the same data; whatever still ran is killed first.
    pub async fn up_again(&mut self) -> Result<()> {
        match &mut self.shape {
            Shape::Together(together) => together.start_again().await,
            Shape::Apart(apart) => Box::pin(apart.start_again()).await,
        }
    }

    /// `kill -9` of the process whose turn it is, and its start.
    pub async fn kill_one(&mut self, turn: usize) -> Result<()> {
        match &mut self.shape {
            Shape::Together(together) => together.start_again().await,
            Shape::Apart(apart) => Box::pin(apart.kill_one(turn)).await,
        }
    }

    /// SIGTERM to all, and the worst exit code.
    pub async fn terminate(&mut self) -> Result<Option<i32>> {
        match &mut self.shape {
            Shape::Together(together) => together.terminate().await,
            Shape::Apart(apart) => apart.terminate().await,
        }
    }

    /// What the suite said on both outputs so far.
    pub fn log(&self) -> String {
        match &self.shape {
            Shape::Together(together) => together.log(),
            Shape::Apart(apart) => apart.log(),
        }
    }

    /// The process id of a suite that is one process.
    pub fn id(&self) -> Result<u32> {
        match &self.shape {
            Shape::Together(together) => Ok(together.id()),
            Shape::Apart(_) => anyhow::bail!("the suite is several processes"),
        }
    }

    /// Where the API is.
    pub fn api(&self) -> String {
        match &self.shape {
            Shape::Together(together) => together.api(),
            Shape::Apart(apart) => apart.api(),
        }
    }

    /// Where rotation-scheduler is.
    pub fn rotation_api(&self) -> String {
        match &self.shape {
            Shape::Together(together) => together.api(),
            Shape::Apart(apart) => apart.rotation_api(),
        }
    }

    /// Has processes that are started from now on told something more by their environment, or no more.
    pub fn set(&mut self, key: &str, value: Option<&str>) {
        match &mut self.shape {
            Shape::Together(together) => together.set(key, value),
            Shape::Apart(apart) => apart.set(key, value),
        }
    }

    /// Whether a process of the suite has ended by itself, or is stopped.
    pub fn has_fallen(&mut self) -> bool {
        match &mut self.shape {
            Shape::Together(together) => together.has_fallen(),
            Shape::Apart(apart) => apart.has_fallen(),
        }
    }

    /// Has processes that are stopped go on.
    pub fn resume(&self) {
        match &self.shape {
            Shape::Together(together) => together.resume(),
            Shape::Apart(apart) => apart.resume(),
        }
    }

    /// The folder with `admin.token` and `ca.pem`; of one process, with everything.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folders of everything that is stored: databases, keys, events.
    pub fn stored(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.data()];
        if let Shape::Apart(apart) = &self.shape {
            folders.extend(apart.stored());
        }
        folders
    }

    /// Writes a file that only its owner reads, and returns its path.
    pub fn file(&self, name: &str, content: &str) -> Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt as _;

        let path = self.folder.path().join(name);
        std::fs::write(&path, content)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Runs a command to its end.
    pub async fn run<S: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Ran> {
        let arguments = arguments.into_iter().map(Into::into);
        let globals = [
            "--api".into(),
            OsString::from(self.api()),
            "--rotation-api".into(),
            OsString::from(self.rotation_api()),
            "--api-token-file".into(),
            self.data().join("admin.token").into(),
            "--api-ca-file".into(),
            self.data().join("ca.pem").into(),
        ];
        Ran::of(programs::hes_command(arguments.chain(globals))?).await
    }

    /// Runs a line of words, and returns what it printed as JSON. It must exit with 0.
    pub async fn json(&self, line: &str) -> Result<Value> {
        let ran = self.words(&format!("{line} -o json")).await?;
        ensure!(ran.code == 0, "`hes {line}` failed: {ran:?}");
        ran.json()
    }

    /// Runs a line of words.
    pub async fn words(&self, line: &str) -> Result<Ran> {
        self.run(line.split_whitespace()).await
    }
}

/// The command failed with this code, said something like `why`, and only on standard error.
pub fn refused(ran: &Ran, code: i32, why: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.stdout, "", "an error on standard output");
    assert!(ran.stderr.contains(why), "no `{why}` in {ran:?}");
}

/// The address in what a program printed at its start.
fn address(said: &str) -> Result<String> {
    said.split_whitespace()
        .find_map(|word| {
            let address = &word[word.find("https://127.0.0.1:")?..];
            let end = address
                .char_indices()
                .skip("https://127.0.0.1:".len())
                .find(|(_, c)| !c.is_ascii_digit())
                .map_or(address.len(), |(at, _)| at);
            address.get(..end).map(str::to_owned)
        })
        .with_context(|| format!("the program printed no address: {said}"))
}

//! `hes up` as a process, and the command line against it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testkit::programs::{self, Running};

const DEADLINE: Duration = Duration::from_secs(120);

/// A running suite and its data directory.
pub struct Hes {
    running: Running,
    api: String,
    folder: TempDir,
    settings: Vec<(String, String)>,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("not JSON; the command said {self:?}"))
    }
}

impl Hes {
    /// Starts everything in a new data directory and waits for `ready`.
    pub async fn up() -> Result<Self> {
        Self::up_with(&[]).await
    }

    /// Starts everything with settings from the environment, as `("HES__SECTION__KEY", value)`.
    pub async fn up_with(settings: &[(&str, &str)]) -> Result<Self> {
        let folder = TempDir::new()?;
        let settings: Vec<_> = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let (running, api) = start(folder.path(), &settings).await?;
        Ok(Self {
            running,
            api,
            folder,
            settings,
        })
    }

    /// Starts everything again on the same data directory; whatever still ran is killed first.
    pub async fn up_again(&mut self) -> Result<()> {
        self.kill();
        (self.running, self.api) = start(self.folder.path(), &self.settings).await?;
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// SIGTERM, and the exit code.
    pub async fn terminate(&mut self) -> Result<Option<i32>> {
        self.running.terminate();
        Ok(self.running.wait(DEADLINE).await?.code())
    }

    /// What the suite said on both outputs so far.
    pub fn log(&self) -> String {
        self.running.stdout() + &self.running.stderr()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
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
            OsString::from(&self.api),
            "--api-token-file".into(),
            self.data().join("admin.token").into(),
            "--api-ca-file".into(),
            self.data().join("ca.pem").into(),
        ];
        let command = programs::hes_command(arguments.chain(globals))?;
        let output = programs::run(command, DEADLINE).await?;
        Ok(Ran {
            code: output.status.code().context("the command was killed")?,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
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

async fn start(folder: &Path, settings: &[(String, String)]) -> Result<(Running, String)> {
    let data = folder.join("data");
    let arguments: [OsString; 5] = [
        "up".into(),
        "--data-dir".into(),
        data.into(),
        "--listen".into(),
        "127.0.0.1:0".into(),
    ];
    let mut command = programs::hes_command(arguments)?;
    command.envs(settings.iter().map(|(key, value)| (key, value)));
    let mut running = Running::start(command)?;
    running.line(DEADLINE, |line| line == "ready").await?;
    let said = running.stdout();
    let api = said
        .split_whitespace()
        .find_map(|word| {
            let address = &word[word.find("https://127.0.0.1:")?..];
            let end = address
                .char_indices()
                .skip("https://127.0.0.1:".len())
                .find(|(_, c)| !c.is_ascii_digit())
                .map_or(address.len(), |(at, _)| at);
            address.get(..end).map(str::to_owned)
        })
        .with_context(|| format!("`hes up` printed no address: {said}"))?;
    Ok((running, api))
}

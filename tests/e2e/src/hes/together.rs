//! `hes up`: everything in one process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use testkit::programs::{self, Running};

use super::{DEADLINE, address};

pub(super) struct Together {
    running: Running,
    api: String,
    folder: PathBuf,
    settings: Vec<(String, String)>,
}

impl Together {
    pub(super) async fn start(folder: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let settings: Vec<_> = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let (running, api) = start(folder, &settings).await?;
        Ok(Self {
            running,
            api,
            folder: folder.to_owned(),
            settings,
        })
    }

    pub(super) async fn start_again(&mut self) -> Result<()> {
        self.running.kill();
        (self.running, self.api) = start(&self.folder, &self.settings).await?;
        Ok(())
    }

    pub(super) fn has_fallen(&mut self) -> bool {
        self.running.ended().is_some() || self.running.is_stopped()
    }

    pub(super) fn resume(&self) {
        self.running.resume();
    }

    /// Told by the environment from the next start on.
    pub(super) fn set(&mut self, key: &str, value: Option<&str>) {
        self.settings.retain(|(known, _)| known != key);
        self.settings
            .extend(value.map(|value| (key.to_owned(), value.to_owned())));
    }

    pub(super) async fn terminate(&mut self) -> Result<Option<i32>> {
        self.running.terminate();
        Ok(self.running.wait(DEADLINE).await?.code())
    }

    pub(super) fn log(&self) -> String {
        self.running.stdout() + &self.running.stderr()
    }

    pub(super) fn id(&self) -> u32 {
        self.running.id()
    }

    pub(super) fn api(&self) -> String {
        self.api.clone()
    }
}

async fn start(folder: &Path, settings: &[(String, String)]) -> Result<(Running, String)> {
    let arguments: [OsString; 5] = [
        "up".into(),
        "--data-dir".into(),
        folder.join("data").into(),
        "--listen".into(),
        "127.0.0.1:0".into(),
    ];
    let mut command = programs::hes_command(arguments)?;
    command.envs(settings.iter().map(|(key, value)| (key, value)));
    let mut running = Running::start(command)?;
    running.line(DEADLINE, |line| line == "ready").await?;
    let api = address(&running.stdout())?;
    Ok((running, api))
}

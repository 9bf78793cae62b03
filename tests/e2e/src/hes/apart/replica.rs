//! One process of a service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use testkit::programs::{self, Running};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::hes::{DEADLINE, address};

pub(super) struct Replica {
    service: &'static str,
    instance: String,
    file: PathBuf,
    settings: Vec<(String, String)>,
    running: Option<Running>,
    address: Option<SocketAddr>,
}

impl Replica {
    pub(super) fn new(
        service: &'static str,
        instance: &str,
        file: &Path,
        settings: &[(&str, &str)],
    ) -> Self {
        Self {
            service,
            instance: instance.to_owned(),
            file: file.to_owned(),
            settings: settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            running: None,
            address: None,
        }
    }

    /// Told by the environment from the next start on.
    pub(super) fn set(&mut self, key: &str, value: Option<&str>) {
        self.settings.retain(|(known, _)| known != key);
        self.settings
            .extend(value.map(|value| (key.to_owned(), value.to_owned())));
    }

    pub(super) fn start(&mut self) -> Result<()> {
        let mut command = programs::command(self.service)?;
        command
            .arg("--settings")
            .arg(&self.file)
            .args(["--listen", "127.0.0.1:0"])
            .env("HES__PROCESS__INSTANCE", &self.instance)
            .envs(self.told().map(|(key, value)| (key, value)));
        self.running = Some(Running::start(command)?);
        Ok(())
    }

    /// What the environment tells it: a section that is another service's own would be a mistake.
    fn told(&self) -> impl Iterator<Item = &(String, String)> {
        let is_scheduler = self.service == "rotation-scheduler";
        self.settings
            .iter()
            .filter(move |(key, _)| is_scheduler || !key.starts_with("HES__ROTATION_SCHEDULER__"))
    }

    /// Waits until it serves.
    pub(super) async fn ready(&mut self) -> Result<()> {
        let running = self.running.as_mut().context("it was not started")?;
        running.line(DEADLINE, |line| line == "ready").await?;
        let url = address(&running.stdout())?;
        let address = url.trim_start_matches("https://").parse()?;
        self.address = Some(address);
        Ok(())
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    pub(super) fn service(&self) -> &'static str {
        self.service
    }

    /// A scrape.
    pub(super) async fn metrics(&self) -> Result<String> {
        let said = self
            .running
            .as_ref()
            .map(Running::stdout)
            .unwrap_or_default();
        let address = said
            .lines()
            .find_map(|line| {
                line.strip_prefix("metrics on http://")?
                    .strip_suffix("/metrics")
            })
            .context("it serves no metrics")?;
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
        Ok(body.to_owned())
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.running
            .as_mut()
            .is_some_and(|running| running.ended().is_none())
    }

    /// Whether it has ended, or is stopped.
    pub(super) fn has_fallen(&mut self) -> bool {
        self.running
            .as_mut()
            .is_some_and(|running| running.ended().is_some() || running.is_stopped())
    }

    /// Has a stopped process go on.
    pub(super) fn resume(&self) {
        if let Some(running) = &self.running {
            running.resume();
        }
    }

    /// `kill -9`, and what it had said.
    pub(super) fn kill(&mut self) -> String {
        let said = self.log();
        self.running = None;
        self.address = None;
        said
    }

    pub(super) fn terminate(&self) {
        if let Some(running) = &self.running {
            running.terminate();
        }
    }

    pub(super) async fn wait(&mut self) -> Result<Option<i32>> {
        match &mut self.running {
            Some(running) => Ok(running.wait(DEADLINE).await?.code()),
            None => Ok(Some(0)),
        }
    }

    pub(super) fn log(&self) -> String {
        self.running
            .as_ref()
            .map_or_else(String::new, |running| running.stdout() + &running.stderr())
    }
}

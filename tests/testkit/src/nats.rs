//! A real NATS server with JetStream on 127.0.0.1, stopped and killed at will.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures::StreamExt as _;
use rustix::process::Signal;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::ca::{Ca, Names};
use crate::process::Supervised;
use crate::{place, poll_until};

const PROGRAMS: [&str; 2] = ["/usr/sbin/nats-server", "/usr/bin/nats-server"];
const DEADLINE: Duration = Duration::from_secs(30);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Nats {
    process: Mutex<Supervised>,
    dir: TempDir,
    port: u16,
    security: Security,
}

/// Who is let in, and how.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// TLS, with a certificate of this authority for 127.0.0.1.
    pub ca: Option<Ca>,
    /// The only user, and their password.
    pub user: Option<(String, String)>,
}

/// A message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub subject: String,
    pub id: String,
    pub payload: Vec<u8>,
}

impl Nats {
    /// Starts a server that lets everybody in, in plaintext, with nothing in it.
    pub async fn start() -> Result<Self> {
        Self::start_with(Security::default()).await
    }

    pub async fn start_with(security: Security) -> Result<Self> {
        let dir = place::temp_dir("nats")?;
        let port = place::free_port()?;
        write_config(dir.path(), port, &security)?;
        let process = spawn(dir.path())?;
        let server = Self {
            process: Mutex::new(process),
            dir,
            port,
            security,
        };
        server.until_ready().await?;
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// For clients.
    pub fn url(&self) -> String {
        let scheme = match self.security.ca {
            Some(_) => "tls",
            None => "nats",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Where it keeps the streams.
    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// What it said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Everything a stream holds, in its order.
    pub async fn messages(&self, stream: &str) -> Result<Vec<Message>> {
        let mut options = async_nats::ConnectOptions::new();
        if let Some(ca) = &self.security.ca {
            options = options.tls_client_config(trusting(ca)?);
        }
        if let Some((user, password)) = &self.security.user {
            options = options.user_and_password(user.clone(), password.clone());
        }
        let client = options.connect(self.url()).await?;
        let stream = async_nats::jetstream::new(client)
            .get_stream(stream)
            .await?;
        let reader = stream
            .create_consumer(pull::Config {
                ack_policy: AckPolicy::None,
                ..pull::Config::default()
            })
            .await?;
        let mut messages = Vec::new();
        loop {
            let mut page = reader.fetch().max_messages(500).messages().await?;
            let before = messages.len();
            while let Some(message) = page.next().await {
                let message = message.map_err(|error| anyhow!(error))?;
                let headers = message.headers.clone().unwrap_or_default();
                messages.push(Message {
                    subject: message.subject.to_string(),
                    id: headers
                        .get("Nats-Msg-Id")
                        .map_or_else(String::new, |id| id.as_str().to_owned()),
                    payload: message.payload.to_vec(),
                });
            }
            if messages.len() == before {
                return Ok(messages);
            }
        }
    }

    /// Ends it in order.
    pub async fn stop(&self) -> Result<()> {
        self.process().signal(Signal::TERM);
        let ended = poll_until(DEADLINE, "NATS to end", async || self.process().ended());
        ended.await.map(|_| ())
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Starts it again with the same streams and port.
    pub async fn start_again(&self) -> Result<()> {
        let process = spawn(self.dir.path())?;
        *self.process() = process;
        self.until_ready().await
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.process().signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.process().signal(Signal::CONT);
    }

    fn process(&self) -> MutexGuard<'_, Supervised> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it greets, as it does when JetStream is up. Not by `poll_until`, whose future isn't `Send`.
    async fn until_ready(&self) -> Result<()> {
        let started = Instant::now();
        let mut again = tokio::time::interval(Duration::from_millis(10));
        while !greets(self.port).await {
            if self.process().ended().is_some() {
                bail!("nats-server ended at its start: {}", self.log());
            }
            if started.elapsed() > DEADLINE {
                bail!("nats-server doesn't greet: {}", self.log());
            }
            again.tick().await;
        }
        Ok(())
    }
}

async fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return false;
    };
    let mut greeting = String::new();
    let read = BufReader::new(stream).read_line(&mut greeting).await;
    read.is_ok() && greeting.starts_with("INFO ")
}

fn trusting(ca: &Ca) -> Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.pem().as_bytes()) {
        roots.add(certificate.map_err(|error| anyhow!("{error:?}"))?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn write_config(dir: &Path, port: u16, security: &Security) -> Result<()> {
    let mut config = format!(
        "host: 127.0.0.1\nport: {port}\nlog_file: {:?}\njetstream {{ store_dir: {:?} }}\n",
        dir.join("log"),
        dir.join("store"),
    );
    if let Some(ca) = &security.ca {
        let issued = ca.server(&Names::ip([127, 0, 0, 1]).and_dns("localhost"))?;
        let (certificate, key) = (dir.join("server.pem"), dir.join("server.key"));
        std::fs::write(&certificate, &issued.certificate)?;
        std::fs::write(&key, &issued.key)?;
        writeln!(
            config,
            "tls {{ cert_file: {certificate:?}, key_file: {key:?}, timeout: 5 }}"
        )?;
    }
    if let Some((user, password)) = &security.user {
        writeln!(
            config,
            "authorization {{ user: {user:?}, password: {password:?} }}"
        )?;
    }
    std::fs::write(dir.join("nats.conf"), config).context("failed to write NATS's configuration")
}

fn spawn(dir: &Path) -> Result<Supervised> {
    let program = PROGRAMS
        .iter()
        .find(|program| Path::new(program).exists())
        .context("nats-server isn't there: run `cargo xtask test`, which installs it")?;
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(dir.join("nats.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Supervised::spawn(&mut command)
}

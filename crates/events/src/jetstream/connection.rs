//! One connection to NATS, made again whenever it is lost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::error::{ConnectError, Error, LastProblem};
use super::settings::Settings;
use crate::bus::Cause;

/// The oldest server with what the bus needs.
const OLDEST: (u64, u64) = (2, 9);
const OLDEST_NAME: &str = "2.9";
/// How long any one request may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
const CHECK: Duration = Duration::from_secs(2);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// The connection, and what is wrong with it.
#[derive(Clone)]
pub(super) struct Connection {
    client: Client,
    pub(super) context: Context,
    state: Arc<watch::Sender<Told>>,
}

/// What the connection was told last.
#[derive(Clone, Debug, Default)]
struct Told {
    connected: bool,
    problem: LastProblem,
}

impl Connection {
    /// Sets everything up and goes on connecting in the background: servers that are down are waited for.
    pub(super) async fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let state = Arc::new(watch::Sender::new(Told::default()));
        let (noted, watched) = (Arc::clone(&state), Arc::clone(&state));
        let options = options(settings)?
            .name("hes")
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(delay)
            .connection_timeout(Duration::from_secs(5))
            // A server that is stopped or cut off is noticed, not waited for.
            .ping_interval(Duration::from_secs(10))
            .request_timeout(Some(TIMEOUT))
            .event_callback(move |event| {
                note(&noted, &event);
                std::future::ready(())
            })
            // Called before each attempt. It leaves the choice as it is: it is the one place that tells why the last
            // attempt failed.
            .reconnect_to_server_callback(move |servers, _| {
                let problem = servers.into_iter().find_map(|server| server.last_error);
                if let Some(problem) = problem {
                    note_problem(&watched, &problem);
                }
                std::future::ready(None)
            });
        let servers: Vec<&str> = settings.servers.iter().map(String::as_str).collect();
        let client = options
            .connect(servers)
            .await
            .map_err(ConnectError::Client)?;
        let context = jetstream::ContextBuilder::new()
            .timeout(TIMEOUT)
            .ack_timeout(TIMEOUT)
            .build(client.clone());
        Ok(Self {
            client,
            context,
            state,
        })
    }

    /// Waits for a connection, and refuses a server that is too old.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        let mut state = self.state.subscribe();
        let connected = state.wait_for(|told| told.connected);
        if tokio::time::timeout(TIMEOUT, connected).await.is_err() {
            return Err(self.no_answer());
        }
        let version = self.client.server_info().version;
        let mut parts = version
            .split(['.', '-'])
            .map(|part| part.parse().unwrap_or(0));
        let given: (u64, u64) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if given < OLDEST {
            return Err(Error::TooOld {
                version,
                oldest: OLDEST_NAME,
            });
        }
        Ok(())
    }

    /// Waits for a sign of life, not for long.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let told = self.state.borrow().connected;
        if !told {
            return Err(self.no_answer());
        }
        match tokio::time::timeout(CHECK, self.client.flush()).await {
            Ok(Ok(())) => self.ready().await,
            Ok(Err(error)) => Err(self.failed("reach NATS", Arc::new(error))),
            Err(_elapsed) => Err(self.no_answer()),
        }
    }

    /// Waits for an answer, and no longer than for any.
    pub(super) async fn ask<T, E>(
        &self,
        doing: &'static str,
        question: impl IntoFuture<Output = Result<T, E>>,
    ) -> Result<T, Error>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        match tokio::time::timeout(TIMEOUT, question.into_future()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(doing, Arc::new(error))),
            Err(_elapsed) => Err(self.no_answer()),
        }
    }

    pub(super) fn no_answer(&self) -> Error {
        Error::NoAnswer(self.problem())
    }

    pub(super) fn failed(&self, doing: &'static str, source: Cause) -> Error {
        Error::Asking {
            doing,
            problem: self.problem(),
            source,
        }
    }

    /// Sends what is on its way, and leaves.
    pub(super) async fn close(&self) {
        // Closed by its server, perhaps.
        drop(self.client.drain().await);
    }

    fn problem(&self) -> LastProblem {
        let told = self.state.borrow();
        match told.connected {
            true => LastProblem::default(),
            false => told.problem.clone(),
        }
    }
}

/// Doubles from attempt to attempt, each at most by a half longer, so that many clients don't come back at one instant.
fn delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(10);
    let delay = (FIRST_DELAY * (1 << doublings)).min(LONGEST_DELAY);
    // The address of a local value differs between processes: chance enough to spread them.
    let spread = std::process::id().wrapping_mul(2_654_435_761) % 512;
    delay + delay / 1024 * spread
}

fn note(state: &watch::Sender<Told>, event: &Event) {
    match event {
        Event::Connected => {
            info!("connected to NATS");
            state.send_modify(|told| told.connected = true);
        }
        Event::Disconnected => {
            warn!("the connection to NATS is lost; connecting again");
            state.send_modify(|told| told.connected = false);
        }
        Event::ServerError(_) => note_problem(state, &event.to_string()),
        // That a connection failed, without why: it is told before the next attempt.
        Event::ClientError(_) => debug!("NATS: {event}"),
        Event::LameDuckMode | Event::Draining | Event::Closed | Event::SlowConsumer(_) => {
            info!("NATS: {event}");
        }
    }
}

/// Once each: it is tried again and again.
fn note_problem(state: &watch::Sender<Told>, problem: &str) {
    let changed = state.send_if_modified(|told| {
        let is_known = told.problem.0.as_deref() == Some(problem);
        told.problem = LastProblem(Some(problem.into()));
        !is_known
    });
    if changed {
        warn!("NATS: {problem}");
    }
}

fn options(settings: &Settings) -> Result<ConnectOptions, ConnectError> {
    let secure = is_secure(&settings.servers)?;
    if !matches!(settings.replicas, 1 | 3 | 5) {
        return Err(ConnectError::Replicas(settings.replicas));
    }
    let mut options = ConnectOptions::new().require_tls(secure);
    if secure {
        options = tls(options, settings)?;
    }
    if let Some(path) = given(&settings.credentials_file) {
        let text = zeroize::Zeroizing::new(read("the credentials", path)?);
        options = options
            .credentials(&text)
            .map_err(|_| content("credentials of NATS", path))?;
    }
    if !settings.user.is_empty() {
        let password = match given(&settings.password_file) {
            Some(path) => read("the password", path)?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            None => String::new(),
        };
        options = options.user_and_password(settings.user.clone(), password);
    }
    Ok(options)
}

fn is_secure(servers: &[String]) -> Result<bool, ConnectError> {
    let mut secure = None;
    for server in servers {
        let this = if server.starts_with("tls://") {
            true
        } else if server.starts_with("nats://") {
            false
        } else {
            return Err(ConnectError::Address {
                server: server.clone(),
            });
        };
        if *secure.get_or_insert(this) != this {
            return Err(ConnectError::Mixed);
        }
    }
    secure.ok_or(ConnectError::NoServer)
}

/// Always verified: there is nothing that could switch it off (K3). A private authority is the only one trusted; without
/// one, those that the system trusts. The client reads the files at each connection, so that renewed ones count; they are
/// read here for an error that comes early and names the file.
fn tls(mut options: ConnectOptions, settings: &Settings) -> Result<ConnectOptions, ConnectError> {
    if let Some(path) = given(&settings.ca_file) {
        certificates(path)?;
        options = options.add_root_certificates(path.to_owned());
    }
    match (given(&settings.certificate_file), given(&settings.key_file)) {
        (Some(chain), Some(key_file)) => {
            certificates(chain)?;
            let pem = zeroize::Zeroizing::new(read("the private key", key_file)?);
            PrivateKeyDer::from_pem_slice(pem.as_bytes())
                .map_err(|_| content("private key in PEM", key_file))?;
            Ok(options.add_client_certificate(chain.to_owned(), key_file.to_owned()))
        }
        (Some(path), None) | (None, Some(path)) => Err(content(
            "certificate with a key: `certificate_file` and `key_file` go together",
            path,
        )),
        (None, None) => Ok(options),
    }
}

fn certificates(path: &Path) -> Result<(), ConnectError> {
    let pem = read("certificates", path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| content("certificates in PEM", path))?;
    if certificates.is_empty() {
        return Err(content("certificates in PEM", path));
    }
    Ok(())
}

fn read(what: &'static str, path: &Path) -> Result<String, ConnectError> {
    std::fs::read_to_string(path).map_err(|source| ConnectError::Read {
        what,
        path: path.to_owned(),
        source,
    })
}

fn content(what: &'static str, path: &Path) -> ConnectError {
    ConnectError::Content {
        what,
        path: path.to_owned(),
    }
}

fn given(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

//! From a server's address to a bound connection, in steps that can be tried, and reported, one by one.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, StdStream};
use rustls::RootCertStore;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use url::Host;

use crate::bind::{BindReason, Trial};
use crate::error::Error;
use crate::session::{Driver, Session};
use crate::tls::{self, CaError, Handshake, Presented, TlsFailure};

mod server;

pub use server::{Scheme, Server, ServerError};

/// How long to wait, and how long a connection may lie unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For each of resolving, connecting and shaking hands.
    pub connect: Duration,
    /// For each answer: of a search, each entry and the result.
    pub operation: Duration,
    /// A connection unused for longer is closed rather than used: firewalls forget quietly.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            operation: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        }
    }
}

/// Where to connect, and whom to trust.
#[derive(Clone, Debug)]
pub struct Target {
    /// Tried in order.
    pub servers: Vec<Server>,
    /// Whether `ldap://` servers are asked for StartTLS. Without it they are refused: nothing is sent in the clear.
    pub start_tls: bool,
    /// Authorities to trust, PEM; the web's public ones when absent.
    pub ca_pem: Option<Vec<u8>>,
    pub timeouts: Timeouts,
}

/// Why a [`Target`] cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("no server is configured")]
    NoServer,
    #[error("{0} would send the password in the clear: use ldaps://, or StartTLS")]
    Plaintext(Server),
    #[error("the CA bundle cannot be used")]
    Ca(#[from] CaError),
}

/// Who logs on.
#[derive(Clone)]
pub struct Credentials {
    logon_name: SecretString,
    password: SecretString,
}

impl Credentials {
    /// `logon_name` as Active Directory takes it: `name@domain`, `DOMAIN\name` or a distinguished name.
    pub fn new(logon_name: impl Into<String>, password: SecretString) -> Self {
        Self {
            logon_name: SecretString::from(logon_name.into()),
            password,
        }
    }

    /// A bare `name` becomes `name@dns_domain`: a simple bind does not take a sAMAccountName alone.
    pub fn in_domain(self, dns_domain: &str) -> Self {
        let name = self.logon_name.expose_secret();
        if name.contains(['@', '\\', '=']) || dns_domain.is_empty() {
            return self;
        }
        Self {
            logon_name: SecretString::from(format!("{name}@{dns_domain}")),
            password: self.password,
        }
    }
}

impl fmt::Debug for Credentials {
    // Neither is shown again after it was entered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Makes sessions with one directory.
#[derive(Clone, Debug)]
pub struct Connector {
    servers: Vec<Server>,
    roots: Arc<RootCertStore>,
    timeouts: Timeouts,
}

impl Connector {
    pub fn new(target: &Target) -> Result<Self, TargetError> {
        if target.servers.is_empty() {
            return Err(TargetError::NoServer);
        }
        let plain = |server: &&Server| server.scheme == Scheme::Ldap && !target.start_tls;
        if let Some(server) = target.servers.iter().find(plain) {
            return Err(TargetError::Plaintext(server.clone()));
        }
        Ok(Self {
            servers: target.servers.clone(),
            roots: tls::trust(target.ca_pem.as_deref())?,
            timeouts: target.timeouts,
        })
    }

    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Connects to the first server that can be reached. A refused bind ends the attempt: asking each server in turn
    /// would lock the account out.
    pub async fn connect(&self, credentials: &Credentials) -> Result<Session, Error> {
        let mut first = None;
        for server in &self.servers {
            match self.connect_to(server, credentials).await {
                Ok(session) => return Ok(session),
                Err(
                    error @ (Error::NameResolution { .. }
                    | Error::Connect { .. }
                    | Error::StartTls { .. }
                    | Error::Tls { .. }
                    | Error::Lost { .. }
                    | Error::Timeout { .. }),
                ) => {
                    first.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or(Error::Incomplete {
            what: "connect",
            why: "no server is configured".to_owned(),
        }))
    }

    pub async fn connect_to(
        &self,
        server: &Server,
        credentials: &Credentials,
    ) -> Result<Session, Error> {
        let addresses = self.resolve(server).await?;
        let stream = self.open(server, &addresses).await?;
        self.secure(server, stream).await?.bind(credentials).await
    }

    /// Whether this is a user's password, by logging on with it, on a connection of its own: `name` is a distinguished name,
    /// or another that a simple bind takes. A wrong one counts against the account's lockout threshold.
    ///
    /// # Errors
    ///
    /// Where it could not be tried. A refused logon is an answer.
    pub async fn try_password(
        &self,
        server: &Server,
        name: &str,
        password: &SecretString,
    ) -> Result<Trial, Error> {
        let credentials = Credentials::new(name, password.clone());
        match self.connect_to(server, &credentials).await {
            Ok(session) => {
                session.close().await;
                Ok(Trial::Right)
            }
            Err(Error::Bind { reason, .. }) => Ok(reason.trial()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn resolve(&self, server: &Server) -> Result<Vec<SocketAddr>, Error> {
        if let Some(address) = server.address() {
            return Ok(vec![SocketAddr::new(address, server.port)]);
        }
        let failed = |source| Error::NameResolution {
            server: server.clone(),
            source,
        };
        let host = server.host();
        let lookup = tokio::net::lookup_host((host.as_str(), server.port));
        let addresses: Vec<_> = timeout(self.timeouts.connect, lookup)
            .await
            .map_err(|_| failed(std::io::ErrorKind::TimedOut.into()))?
            .map_err(failed)?
            .collect();
        if addresses.is_empty() {
            return Err(failed(std::io::ErrorKind::NotFound.into()));
        }
        Ok(addresses)
    }

    pub(crate) async fn open(
        &self,
        server: &Server,
        addresses: &[SocketAddr],
    ) -> Result<std::net::TcpStream, Error> {
        let failed = |source| Error::Connect {
            server: server.clone(),
            source,
        };
        let stream = timeout(
            self.timeouts.connect,
            tokio::net::TcpStream::connect(addresses),
        )
        .await
        .map_err(|_| failed(std::io::ErrorKind::TimedOut.into()))?
        .map_err(failed)?;
        // Small requests and their answers alternate: waiting to fill a segment only costs time.
        stream.set_nodelay(true).map_err(failed)?;
        stream.into_std().map_err(failed)
    }

    pub(crate) async fn secure(
        &self,
        server: &Server,
        stream: std::net::TcpStream,
    ) -> Result<Secured, Error> {
        let refuse = |failure| Error::Tls {
            server: server.clone(),
            failure,
        };
        let handshake = Handshake::new(self.roots.clone(), server.tls_name().map_err(refuse)?)
            .map_err(|error| refuse(Box::new(TlsFailure::other(error.to_string()))))?;
        let settings = LdapConnSettings::new()
            .set_std_stream(StdStream::Tcp(stream))
            .set_config(handshake.config.clone())
            .set_starttls(server.scheme == Scheme::Ldap);
        // The library connects nowhere (the stream is open), but takes the scheme, and the name it sends in the
        // handshake, from the URL. An IPv6 address can't be that name; none is sent then, and the verifier knows it.
        let host = match server.host {
            Host::Ipv6(_) => "ipv6.invalid".to_owned(),
            Host::Domain(_) | Host::Ipv4(_) => server.host(),
        };
        let scheme = match server.scheme {
            Scheme::Ldaps => "ldaps",
            Scheme::Ldap => "ldap",
        };
        let url = format!("{scheme}://{host}");
        let connecting = LdapConnAsync::with_settings(settings, &url);
        let (connection, ldap) = match timeout(self.timeouts.connect, connecting).await {
            Err(_) => {
                return Err(Error::Timeout {
                    what: "establish TLS",
                    after: self.timeouts.connect,
                });
            }
            Ok(Ok(pair)) => pair,
            Ok(Err(error)) => return Err(secure_error(server, &handshake, error)),
        };
        Ok(Secured {
            server: server.clone(),
            timeouts: self.timeouts,
            presented: handshake.presented(),
            driver: Driver::spawn(connection),
            ldap,
        })
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum differs by its features: the rest is a lost connection"
)]
fn secure_error(server: &Server, handshake: &Handshake, error: LdapError) -> Error {
    let tls = |failure| Error::Tls {
        server: server.clone(),
        failure: Box::new(failure),
    };
    match error {
        LdapError::LdapResult { result } => Error::StartTls {
            server: server.clone(),
            code: result.rc,
            text: result.text,
        },
        LdapError::Rustls { source } => tls(handshake.failure(&source)),
        LdapError::Io { source } => {
            let cause = source
                .get_ref()
                .and_then(|cause| cause.downcast_ref::<rustls::Error>());
            match cause {
                Some(cause) => tls(handshake.failure(cause)),
                None if closed(&source) => tls(TlsFailure::closed()),
                None => Error::Lost {
                    what: "establish TLS",
                    source: Box::new(source),
                },
            }
        }
        // In answer to StartTLS.
        LdapError::ResultRecv { .. } | LdapError::EndOfStream => tls(TlsFailure::closed()),
        other => Error::Lost {
            what: "establish TLS",
            source: Box::new(other),
        },
    }
}

fn closed(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
    )
}

/// A verified connection nobody has logged on to yet.
#[derive(Debug)]
pub(crate) struct Secured {
    server: Server,
    timeouts: Timeouts,
    pub(crate) presented: Option<Presented>,
    driver: Driver,
    ldap: Ldap,
}

impl Secured {
    pub(crate) async fn bind(mut self, credentials: &Credentials) -> Result<Session, Error> {
        let password = credentials.password.expose_secret();
        let logon_name = credentials.logon_name.expose_secret();
        // An empty name with a password, or a name with an empty password, is an anonymous or a refused bind.
        if password.is_empty() || logon_name.trim().is_empty() {
            return Err(Error::EmptyPassword);
        }
        let answer = self
            .ldap
            .with_timeout(self.timeouts.operation)
            .simple_bind(logon_name, password)
            .await
            .map_err(|error| crate::session::failed("log on", self.timeouts.operation, error))?;
        match answer.rc {
            0 => Ok(Session::new(
                self.server,
                self.timeouts,
                self.driver,
                self.ldap,
            )),
            8 => Err(Error::StrongerAuthRequired {
                server: self.server,
            }),
            code => Err(Error::Bind {
                server: self.server,
                reason: BindReason::decode(code, &answer.text),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_in_the_clear() {
        let target = Target {
            servers: vec!["ldap://dc1".parse().unwrap()],
            start_tls: false,
            ca_pem: None,
            timeouts: Timeouts::default(),
        };

        assert!(matches!(
            Connector::new(&target),
            Err(TargetError::Plaintext(_))
        ));
    }

    #[test]
    fn a_bare_logon_name_is_completed_and_credentials_are_masked() {
        let named = |name: &str| {
            let credentials = Credentials::new(name, "hunter2".into()).in_domain("corp.test");
            assert!(!format!("{credentials:?}").contains("hunter2"));
            credentials.logon_name.expose_secret().to_owned()
        };

        assert_eq!(named("svc"), "svc@corp.test");
        assert_eq!(named("svc@other.test"), "svc@other.test");
        assert_eq!(named("CORP\\svc"), "CORP\\svc");
    }
}

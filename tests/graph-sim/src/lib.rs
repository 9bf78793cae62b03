#![doc = include_str!("../README.md")]

mod application;
mod authority;
mod clock;
mod graph;
mod server;
mod state;
mod tenant;
mod tls;
mod token;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use application::{
    Application, Certificate, CertificateError, ClientSecret, FederatedCredential, IssuerKey,
};
pub use clock::Clock;
pub use tenant::{Domain, Tenant};

use state::State;

/// How it is to run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub clock: Clock,
    /// How long an access token is good for. The real service draws 60 to 90 minutes for each.
    pub token_lifetime: Duration,
}

impl Default for Settings {
    /// By the machine's clock, with tokens of an hour.
    fn default() -> Self {
        Self {
            clock: Clock::following(),
            token_lifetime: Duration::from_secs(3_600),
        }
    }
}

/// Why it can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("failed to make certificates")]
    Certificate(#[from] rcgen::Error),
    #[error("failed to set up TLS")]
    Tls(#[from] rustls::Error),
    #[error("failed to listen on loopback")]
    Listen(#[from] std::io::Error),
}

/// A tenant that is served until this is dropped.
pub struct Simulation {
    state: Arc<State>,
    ca: String,
    _servers: JoinSet<()>,
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("authority", &self.state.authority)
            .finish_non_exhaustive()
    }
}

impl Simulation {
    pub async fn start(settings: Settings, tenant: Tenant) -> Result<Self, StartError> {
        let ca = tls::Authority::new()?;
        let (authority, authority_url) = listen().await?;
        let (graph, graph_url) = listen().await?;
        let state = Arc::new(State::new(
            settings.clock,
            tenant,
            (authority_url, graph_url),
            settings.token_lifetime,
            ca.seed(),
        ));
        let mut servers = JoinSet::new();
        let service = Arc::new(authority::Authority(Arc::clone(&state)));
        servers.spawn(server::serve(service, authority, ca.server()?));
        let service = Arc::new(graph::Graph(Arc::clone(&state)));
        servers.spawn(server::serve(service, graph, ca.server()?));
        Ok(Self {
            state,
            ca: ca.pem(),
            _servers: servers,
        })
    }

    /// The certificate to trust, as PEM.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// Where tokens are given out: `https://localhost:PORT`.
    pub fn authority_url(&self) -> &str {
        &self.state.authority
    }

    /// Graph's own address: what a token's scope names.
    pub fn graph_url(&self) -> &str {
        &self.state.graph
    }

    /// Changes the tenant, as its owner.
    pub fn edit<T>(&self, edit: impl FnOnce(&mut Tenant) -> T) -> T {
        edit(&mut self.state.tenant_mut())
    }

    /// How long the tokens are good for that are given out from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.state.set_lifetime(lifetime);
    }
}

/// Listens on loopback, at any port; and the address it is known by.
async fn listen() -> Result<(TcpListener, String), StartError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(address).await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    Ok((listener, url))
}

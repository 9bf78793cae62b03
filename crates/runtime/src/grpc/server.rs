//! The server: which services it has, and the connections it answers.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prost_reflect::DescriptorPool;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, HealthService},
};
use tracing::{debug, info, warn};

use super::{
    Routes, Settings,
    call::Calls,
    connection::{InProcessListener, Listener, Peer},
};
use crate::{
    OnEnd, Tasks,
    auth::{Authenticator, OnDenial, RuleError, Rules},
    tls,
};

/// A client that connects and says nothing holds a task for this long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often a silent connection is asked whether anyone is there, and how long it has to say so.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(20);
/// After a failure to accept: most often there are too many open files, and some will close.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Services ready to be served, each method with its rule.
pub struct Server {
    calls: Calls,
    health: Health,
}

/// What can't be served, and why.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("failed to read who may call what")]
    Rules(#[from] RuleError),
    #[error("failed to set up reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// What health checks are told. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    services: Arc<[&'static str]>,
}

impl Server {
    /// Adds health and reflection to the services. Fails when a method has no rule in `pool`.
    pub fn build(
        settings: &Settings,
        pool: &DescriptorPool,
        authenticator: Authenticator,
        routes: Routes,
    ) -> Result<Self, BuildError> {
        let rules = Rules::read(pool, routes.services.iter().copied())?;
        let reporter = HealthReporter::new();
        let health = HealthService::from_health_reporter(reporter.clone());
        let services = routes.services.clone();
        let reflection = Reflection::new(pool, &services);
        let routes = routes
            .with(tonic_health::pb::health_server::HealthServer::new(health))
            .with(reflection.builder().build_v1()?)
            .with(reflection.builder().build_v1alpha()?);
        Ok(Self {
            calls: Calls {
                routes: routes.routes.unwrap_or_default().prepare(),
                rules,
                authenticator,
                settings: settings.clone(),
                on_denial: Vec::new(),
                leaving: CancellationToken::new(),
            },
            health: Health {
                reporter,
                services: services.into(),
            },
        })
    }

    /// Who is told of calls that the rules refuse.
    #[must_use]
    pub fn on_denial(mut self, listeners: impl IntoIterator<Item = OnDenial>) -> Self {
        self.calls.on_denial.extend(listeners);
        self
    }

    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Starts answering. When `stop` is cancelled: accepts no more, ends streams, and finishes the calls in hand, which
    /// [`Tasks::join`] waits for.
    pub fn serve(mut self, listeners: Vec<Listener>, stop: &CancellationToken, tasks: &Tasks) {
        self.calls.leaving = stop.clone();
        let answering = Answering {
            calls: Arc::new(self.calls),
            tasks: tasks.clone(),
            stop: stop.clone(),
        };
        for listener in listeners {
            if let Some(address) = listener.address() {
                info!(%address, "serving on {address}");
            }
            let answering = answering.clone();
            tasks.spawn("accept", OnEnd::ShutDown, answering.accept(listener));
        }
    }
}

impl Health {
    /// Sets what is told of one name: a gRPC service, `readiness`, `liveness`, or empty for the whole.
    pub async fn set(&self, name: &str, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        self.reporter.set_service_status(name, status).await;
    }

    /// Sets readiness, of the whole and of every service.
    pub async fn set_ready(&self, ready: bool) {
        self.set("", ready).await;
        self.set("readiness", ready).await;
        for service in &*self.services {
            self.set(service, ready).await;
        }
    }
}

#[derive(Clone)]
struct Answering {
    calls: Arc<Calls>,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Answering {
    /// Returns when the server leaves: only then is its end expected.
    async fn accept(self, listener: Listener) -> Result<(), Unexpected> {
        let stop = self.stop.clone();
        let accepting = async {
            match listener {
                Listener::Plaintext(listener) => self.accept_network(&listener, None).await,
                Listener::Tls(listener, config) => {
                    self.accept_network(&listener, Some(TlsAcceptor::from(config)))
                        .await;
                }
                Listener::InProcess(listener) => self.accept_in_process(&listener).await,
            }
        };
        match stop.run_until_cancelled(accepting).await {
            None => Ok(()),
            Some(()) => Err(Unexpected),
        }
    }

    async fn accept_network(&self, listener: &TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    // Small messages must not wait for more; without it the connection works, slower.
                    drop(stream.set_nodelay(true));
                    let connection = self.clone().network(stream, address, tls.clone());
                    self.tasks.spawn("connection", OnEnd::Ignore, connection);
                }
                Err(error) => {
                    warn!(%error, "failed to accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    async fn accept_in_process(&self, listener: &InProcessListener) {
        while let Some(pipe) = listener.accept().await {
            let peer = Peer::InProcess(pipe.identity);
            let connection = self.clone().converse(pipe.io, peer);
            self.tasks.spawn("connection", OnEnd::Ignore, connection);
        }
        // Nobody is left who could call: nothing to do, and no reason to end the server.
        std::future::pending::<()>().await;
    }

    async fn network(self, stream: TcpStream, address: SocketAddr, acceptor: Option<TlsAcceptor>) {
        let Some(acceptor) = acceptor else {
            let peer = Peer::Network {
                address,
                service: None,
            };
            return self.converse(stream, peer).await;
        };
        match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let (_, session) = stream.get_ref();
                let service = tls::service_of(session.peer_certificates());
                self.converse(stream, Peer::Network { address, service })
                    .await;
            }
            Ok(Err(error)) => {
                debug!(%address, %error, "TLS handshake with {address} failed: {error}");
            }
            Err(_elapsed) => debug!(%address, "TLS handshake with {address} took too long"),
        }
    }

    async fn converse<I>(self, io: I, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let calls = Arc::clone(&self.calls);
        let service = service_fn(move |request: Request<Incoming>| {
            let (calls, peer) = (Arc::clone(&calls), peer.clone());
            async move { Ok::<_, Infallible>(calls.answer(peer, request.map(Body::new)).await) }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_ANSWER)
            .serve_connection(TokioIo::new(io), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "a connection broke: {error}");
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the listener has ended")]
struct Unexpected;

struct Reflection {
    descriptors: Vec<u8>,
    services: Vec<&'static str>,
}

impl Reflection {
    fn new(pool: &DescriptorPool, services: &[&'static str]) -> Self {
        Self {
            descriptors: pool.encode_to_vec(),
            services: services.to_vec(),
        }
    }

    /// Names what is served here, not all that the pool knows.
    fn builder(&self) -> tonic_reflection::server::Builder<'_> {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(&self.descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        self.services.iter().fold(builder, |builder, service| {
            builder.with_service_name(*service)
        })
    }
}

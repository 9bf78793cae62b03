//! The client's end: one cheaply cloned type for every generated client, wherever its server is.

use std::{
    collections::HashSet,
    error::Error as StdError,
    fmt,
    path::PathBuf,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, Uri, header::AUTHORIZATION};
use hyper_util::rt::TokioIo;
use prost_reflect::DescriptorPool;
use rustls_pki_types::{InvalidDnsNameError, ServerName};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body, transport::Endpoint};
use tower::{Service, ServiceExt};
use tracing::{Instrument, field::Empty, info_span};

use super::{
    body::Watched,
    connection::InProcess,
    connector::{Connector, Tls},
    deadline,
    observe::{Observed, Side, status},
    status::{Failure, Reason},
};
use crate::{Caller, auth::ServiceName, telemetry, tls};

/// The most of a message that comes in one frame, in bytes: a page of a list, and so in one write of its server.
const FRAME: u32 = 256 * 1024;

/// How many bytes a server may send ahead, on one call and on all.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Give it to a generated client: `DomainServiceClient::new(channel)`. Connects when first used, and again when the
/// connection is lost.
#[derive(Clone)]
pub struct Channel {
    inner: tonic::transport::Channel,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    authorization: Option<HeaderValue>,
    deadline: Duration,
    stream_deadline: Duration,
    streams: Streams,
}

/// How to reach a server, and as whom.
#[derive(Clone, Debug)]
pub struct Options {
    /// PEM file of the authorities to trust, and no other. `None`: the public ones.
    pub ca_file: Option<PathBuf>,
    /// This service's own certificate, for a server that knows callers by it.
    pub identity: Option<tls::Identity>,
    /// The service that must answer, which it proves by its certificate (`spiffe://hes/<service>`) beside its host's name.
    /// `None`: whoever has the host's name.
    pub server: Option<ServiceName>,
    /// A person's bearer token.
    pub token: Option<SecretString>,
    /// The deadline of a call that sets none.
    pub deadline: Duration,
    /// The same for streams.
    pub stream_deadline: Duration,
    pub streams: Streams,
}

/// Which methods are streams: the generated code does not tell.
#[derive(Clone)]
pub struct Streams(Arc<HashSet<String>>);

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("`{url}` is not an address: expected https://HOST[:PORT]")]
    Url { url: String },
    #[error("the host in `{url}` is not a name that a certificate can hold")]
    Host {
        url: String,
        #[source]
        source: InvalidDnsNameError,
    },
    #[error("failed to set up TLS for {url}")]
    Tls {
        url: String,
        #[source]
        source: Box<tls::Error>,
    },
    #[error(
        "a bearer token is sent over https only, or over http to this machine; {url} is neither"
    )]
    TokenInTheClear { url: String },
    #[error("the bearer token holds characters that no token has: is it the right file?")]
    Token,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca_file: None,
            identity: None,
            server: None,
            token: None,
            deadline: Duration::from_secs(30),
            stream_deadline: Duration::from_hours(1),
            streams: Streams::default(),
        }
    }
}

impl Default for Streams {
    /// Those of the suite's own contracts.
    fn default() -> Self {
        static OURS: LazyLock<Streams> = LazyLock::new(|| Streams::of(api::descriptor_pool()));
        OURS.clone()
    }
}

impl Streams {
    pub fn of(pool: &DescriptorPool) -> Self {
        let methods = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .filter(|method| method.is_server_streaming() || method.is_client_streaming())
            .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()));
        Self(Arc::new(methods.collect()))
    }
}

/// A channel to `https://HOST[:PORT]`, or `http://` behind a mesh and on loopback.
pub fn connect(url: &str, options: &Options) -> Result<Channel, ConnectError> {
    let bad_url = || ConnectError::Url {
        url: url.to_owned(),
    };
    let uri: Uri = url.parse().map_err(|_| bad_url())?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(bad_url()),
    };
    let host = uri.host().ok_or_else(bad_url)?;
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    if options.token.is_some() && !secure && !is_loopback(&host) {
        return Err(ConnectError::TokenInTheClear {
            url: url.to_owned(),
        });
    }
    let tls = if secure {
        let config = tls::client(options.ca_file.as_deref(), options.identity.as_ref()).map_err(
            |source| ConnectError::Tls {
                url: url.to_owned(),
                source: Box::new(source),
            },
        )?;
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(host.clone()).map_err(|source| ConnectError::Host {
            url: url.to_owned(),
            source,
        })?;
        Some(Tls {
            name,
            config: Arc::new(config),
            service: options.server.clone(),
        })
    } else {
        None
    };
    let connector = Connector::Network {
        host,
        port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        tls,
    };
    Channel::over(connector, url.to_owned(), uri, options)
}

/// A channel to a server in this process. Who calls is settled here, once.
pub fn in_process(way: &InProcess, identity: Caller) -> Channel {
    in_process_with(way, identity, Streams::default())
}

/// [`in_process`], for contracts that aren't the suite's own.
pub fn in_process_with(way: &InProcess, identity: Caller, streams: Streams) -> Channel {
    let connector = Connector::InProcess {
        way: way.clone(),
        identity,
    };
    let options = Options {
        streams,
        ..Options::default()
    };
    let target = "the service in this process".to_owned();
    let shared = Shared::new(target, None, &options);
    Channel::new(connector, Uri::from_static("http://in-process"), shared)
}

impl Channel {
    fn over(
        connector: Connector,
        target: String,
        origin: Uri,
        options: &Options,
    ) -> Result<Self, ConnectError> {
        let authorization = options.token.as_ref().map(bearer).transpose()?;
        let shared = Shared::new(target, authorization, options);
        Ok(Self::new(connector, origin, shared))
    }

    fn new(connector: Connector, origin: Uri, shared: Shared) -> Self {
        let connector = tower::service_fn(move |_: Uri| {
            let connector = connector.clone();
            async move { connector.connect().await.map(TokioIo::new) }
        });
        // The connector does TLS itself, so tonic must not think of it: its address is plain, the requests' origin true.
        let inner = Endpoint::from_static("http://connector")
            .origin(origin)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            // A page of a list is more than the protocol's own 64 KiB: it should not have to wait for permission.
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .connect_with_connector_lazy(connector);
        Self {
            inner,
            shared: Arc::new(shared),
        }
    }
}

impl Shared {
    fn new(target: String, authorization: Option<HeaderValue>, options: &Options) -> Self {
        Self {
            target,
            authorization,
            deadline: options.deadline,
            stream_deadline: options.stream_deadline,
            streams: options.streams.clone(),
        }
    }

    fn is_stream(&self, path: &str) -> bool {
        self.streams.0.contains(path)
    }

    /// The caller's own deadline, or the default; never longer than the call has on whose behalf it is made.
    fn time_for(&self, request: &Request<Body>) -> Duration {
        let default = if self.is_stream(request.uri().path()) {
            self.stream_deadline
        } else {
            self.deadline
        };
        let wanted = deadline::requested(request.headers()).unwrap_or(default);
        deadline::remaining().map_or(wanted, |remaining| wanted.min(remaining))
    }

    /// What went wrong before there was an answer.
    fn failed(&self, error: tonic::transport::Error) -> Status {
        let error: Box<dyn StdError + Send + Sync> = Box::new(error);
        let chain = chain(&*error);
        let status = Status::from_error(error);
        if is_tonic_timeout(&status) {
            return deadline::exceeded().into_status();
        }
        // A connection that can't be made is UNKNOWN or UNAVAILABLE to tonic.
        if matches!(status.code(), Code::Unknown | Code::Unavailable) {
            let message = format!("failed to reach {}: {chain}", self.target);
            return Failure::new(Reason::Unreachable, message).into_status();
        }
        status
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Waiting for the connection is part of the call: the deadline counts it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (inner, shared) = (self.inner.clone(), Arc::clone(&self.shared));
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let span = info_span!(
            "rpc",
            otel.name = %method,
            otel.kind = "client",
            otel.status_code = Empty,
            rpc.system.name = "grpc",
            rpc.method = %method,
            rpc.response.status_code = Empty,
        );
        let timeout = shared.time_for(&request);
        let deadline = Instant::now() + timeout;
        deadline::announce(request.headers_mut(), timeout);
        span.in_scope(|| telemetry::inject(request.headers_mut()));
        if let Some(authorization) = &shared.authorization {
            request
                .headers_mut()
                .insert(AUTHORIZATION, authorization.clone());
        }
        let mut call = Observed::start(Side::Client, method, deadline, span.clone());
        Box::pin(
            async move {
                let answer = tokio::time::timeout_at(deadline, inner.oneshot(request)).await;
                let response = match answer {
                    Ok(Ok(response)) => honest(response),
                    Ok(Err(error)) => {
                        let status = shared.failed(error);
                        call.finish(status.code());
                        return Err(status);
                    }
                    Err(_elapsed) => {
                        call.finish(Code::DeadlineExceeded);
                        return Err(deadline::exceeded().into_status());
                    }
                };
                if status(response.headers()).is_some() {
                    call.finish_by(response.headers());
                    return Ok(response);
                }
                Ok(response.map(|body| Watched::wrap(body, call, None)))
            }
            .instrument(span),
        )
    }
}

/// A tonic server whose own timer fires answers CANCELLED. That is what a client says, not a server: the deadline
/// passed.
fn honest(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if is_tonic_timeout(&status) => deadline::exceeded().into_status().into_http(),
        Some(_) | None => response,
    }
}

fn is_tonic_timeout(status: &Status) -> bool {
    status.code() == Code::Cancelled && status.message() == "Timeout expired"
}

fn bearer(token: &SecretString) -> Result<HeaderValue, ConnectError> {
    let header = zeroize::Zeroizing::new(format!("Bearer {}", token.expose_secret().trim()));
    let mut value = HeaderValue::from_str(&header).map_err(|_| ConnectError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// The causes, outermost first, each once.
fn chain(error: &dyn StdError) -> String {
    let mut messages: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let message = error.to_string();
        // tonic's own layers only say that there was an error.
        if message != "transport error" && messages.last() != Some(&message) {
            messages.push(message);
        }
        next = error.source();
    }
    messages.join(": ")
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", self.shared.target)
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streams({})", self.0.len())
    }
}

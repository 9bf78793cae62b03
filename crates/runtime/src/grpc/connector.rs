//! How a channel reaches its server.

use std::{io, sync::Arc, time::Duration};

use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::connection::{Ended, InProcess};
use crate::{Caller, auth::ServiceName, tls};

/// TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(super) type BoxedIo = Box<dyn Io>;

#[derive(Clone)]
pub(super) enum Connector {
    Network {
        host: String,
        port: u16,
        tls: Option<Tls>,
    },
    InProcess {
        way: InProcess,
        identity: Caller,
    },
}

/// What a server must prove.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) name: ServerName<'static>,
    pub(super) config: Arc<rustls::ClientConfig>,
    /// Which service of the suite it is, where that matters.
    pub(super) service: Option<ServiceName>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("failed to connect to {host}:{port}")]
    Tcp {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("failed to set up TLS with {host}:{port}{}", tls::explain(source))]
    Tls {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error(
        "{host}:{port} does not prove to be {wanted}: its certificate names {}",
        named.as_ref().map_or("no service of the suite", |name| name.as_str())
    )]
    OtherService {
        host: String,
        port: u16,
        wanted: ServiceName,
        named: Option<ServiceName>,
    },
    #[error("{host}:{port} did not answer within {CONNECT:?}")]
    TooLong { host: String, port: u16 },
    #[error(transparent)]
    InProcess(#[from] Ended),
}

impl Connector {
    pub(super) async fn connect(&self) -> Result<BoxedIo, Error> {
        match self {
            Self::InProcess { way, identity } => Ok(Box::new(way.connect(identity.clone()).await?)),
            Self::Network { host, port, tls } => {
                let connecting = network(host, *port, tls.as_ref());
                match tokio::time::timeout(CONNECT, connecting).await {
                    Ok(connected) => connected,
                    Err(_elapsed) => Err(Error::TooLong {
                        host: host.clone(),
                        port: *port,
                    }),
                }
            }
        }
    }
}

async fn network(host: &str, port: u16, tls: Option<&Tls>) -> Result<BoxedIo, Error> {
    let tcp = |source| Error::Tcp {
        host: host.to_owned(),
        port,
        source,
    };
    let stream = TcpStream::connect((host, port)).await.map_err(tcp)?;
    // Small messages must not wait for more; without it the connection works, slower.
    drop(stream.set_nodelay(true));
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let stream = TlsConnector::from(Arc::clone(&tls.config))
        .connect(tls.name.clone(), stream)
        .await
        .map_err(|source| Error::Tls {
            host: host.to_owned(),
            port,
            source,
        })?;
    if let Some(wanted) = &tls.service {
        let (_, session) = stream.get_ref();
        let named = tls::service_of(session.peer_certificates());
        if named.as_ref() != Some(wanted) {
            return Err(Error::OtherService {
                host: host.to_owned(),
                port,
                wanted: wanted.clone(),
                named,
            });
        }
    }
    Ok(Box::new(stream))
}

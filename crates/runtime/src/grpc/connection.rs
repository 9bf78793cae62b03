//! Where calls come from, and what is known of the other end before it has said a word.

use std::{fmt, net::SocketAddr, sync::Arc};

use tokio::{
    io::DuplexStream,
    net::TcpListener,
    sync::{Mutex, mpsc},
};

use crate::{Caller, auth::ServiceName};

/// A source of connections. Bound by whoever starts the server, so that a test can take port 0.
pub enum Listener {
    /// Without TLS: loopback, or behind a mesh that brings its own.
    Plaintext(TcpListener),
    Tls(TcpListener, Arc<rustls::ServerConfig>),
    InProcess(InProcessListener),
}

/// The way to a server in the same process. Exists before the server does, so that services can be built with channels
/// to one another. Cheap to clone.
#[derive(Clone)]
pub struct InProcess {
    connections: mpsc::Sender<Pipe>,
}

/// The server's end of [`InProcess`].
pub struct InProcessListener {
    connections: Mutex<mpsc::Receiver<Pipe>>,
}

pub(super) struct Pipe {
    pub(super) io: DuplexStream,
    pub(super) identity: Caller,
}

/// The other end of a connection. In the extensions of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Set by this process when the channel was made. Metadata can neither change nor add to it.
    InProcess(Caller),
    Network {
        address: SocketAddr,
        /// From a verified client certificate.
        service: Option<ServiceName>,
    },
}

/// A way to a server in this process, and the listener to give to that server.
pub fn in_process() -> (InProcess, Listener) {
    let (sender, receiver) = mpsc::channel(16);
    let listener = InProcessListener {
        connections: Mutex::new(receiver),
    };
    (
        InProcess {
            connections: sender,
        },
        Listener::InProcess(listener),
    )
}

/// Bytes in flight one way before the writer waits.
const PIPE_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("the server in this process has ended")]
pub(super) struct Ended;

impl InProcess {
    pub(super) async fn connect(&self, identity: Caller) -> Result<DuplexStream, Ended> {
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        let pipe = Pipe {
            io: server,
            identity,
        };
        self.connections.send(pipe).await.map_err(|_| Ended)?;
        Ok(client)
    }
}

impl InProcessListener {
    /// The next connection; `None` when no channel is left that could make one.
    pub(super) async fn accept(&self) -> Option<Pipe> {
        self.connections.lock().await.recv().await
    }
}

impl Listener {
    /// Where it listens, if that is a place on the network.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Plaintext(listener) | Self::Tls(listener, _) => listener.local_addr().ok(),
            Self::InProcess(_) => None,
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Plaintext(_) => "plaintext",
            Self::Tls(..) => "TLS",
            Self::InProcess(_) => "in process",
        };
        write!(f, "Listener({kind}, {:?})", self.address())
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

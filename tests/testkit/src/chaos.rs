//! A TCP proxy between a client and a server that fails as networks and servers do.

mod frames;
mod pump;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};

pub use self::frames::Unit;

/// What the proxy does with what passes through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Accepts connections and holds everything back, until the mode changes.
    Blackhole,
    /// Waits this long before each chunk, of at most 16 KiB.
    Delay(Duration),
    /// Refuses new connections; those open go on.
    Refuse,
    Cut(Cut),
}

/// Ends a connection when so much has passed in one direction, counted on each connection from the moment this mode was
/// set or the connection was opened, whichever is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    direction: Direction,
    after: u64,
    unit: Unit,
    end: End,
    once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// How a cut connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Reset,
    Close,
    Hang,
}

impl Cut {
    /// Resets after exactly so many bytes.
    pub fn after_bytes(direction: Direction, bytes: u64) -> Self {
        Self::after(direction, bytes, Unit::Byte)
    }

    /// Resets after so many whole LDAP messages, on a connection without TLS.
    pub fn after_ldap_messages(direction: Direction, messages: u64) -> Self {
        Self::after(direction, messages, Unit::LdapMessage)
    }

    /// Resets after so many whole TLS records, the handshake's included.
    pub fn after_tls_records(direction: Direction, records: u64) -> Self {
        Self::after(direction, records, Unit::TlsRecord)
    }

    fn after(direction: Direction, after: u64, unit: Unit) -> Self {
        Self {
            direction,
            after,
            unit,
            end: End::Reset,
            once: false,
        }
    }

    /// Closes in an orderly way instead of resetting.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.end = End::Close;
        self
    }

    /// Lets the connection hang instead of resetting it.
    #[must_use]
    pub fn hanging(mut self) -> Self {
        self.end = End::Hang;
        self
    }

    /// Only the first time: after it, the proxy passes everything.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

/// What has passed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub connections: u64,
    pub to_server_bytes: u64,
    pub to_client_bytes: u64,
    /// Connections ended by a [`Cut`].
    pub cuts: u64,
}

/// A listening proxy, on a port of its own of 127.0.0.1. Dropping it closes everything.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: watch::Sender<SocketAddr>,
    mode: watch::Sender<Setting>,
    close: broadcast::Sender<()>,
    connections: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
    cuts: AtomicU64,
}

/// A mode, and the number of times one was set: a cut starts to count anew even when it is set again.
#[derive(Clone, Copy, Debug)]
struct Setting {
    mode: Mode,
    number: u64,
}

impl Proxy {
    /// Listens and passes everything to `upstream`.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: watch::Sender::new(upstream),
            mode: watch::Sender::new(Setting {
                mode: Mode::Pass,
                number: 0,
            }),
            close: broadcast::Sender::new(1),
            connections: AtomicU64::new(0),
            to_server: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "the proxy holds the handle and aborts the task when dropped"
        )]
        let accepting = tokio::spawn(accept(listener, address, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes what happens to connections, open ones included, from now on.
    pub fn set(&self, mode: Mode) {
        self.shared.set(mode);
    }

    pub fn mode(&self) -> Mode {
        self.shared.mode.borrow().mode
    }

    /// Resets every open connection.
    pub fn close_all(&self) {
        // No receiver: no connection.
        let _ = self.shared.close.send(());
    }

    /// Sends new connections elsewhere.
    pub fn retarget(&self, upstream: SocketAddr) {
        self.shared.upstream.send_replace(upstream);
    }

    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Counters {
            connections: read(&self.shared.connections),
            to_server_bytes: read(&self.shared.to_server),
            to_client_bytes: read(&self.shared.to_client),
            cuts: read(&self.shared.cuts),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn set(&self, mode: Mode) {
        self.mode.send_modify(|setting| {
            setting.mode = mode;
            setting.number += 1;
        });
    }

    fn count(&self, direction: Direction, bytes: u64) {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
        .fetch_add(bytes, Ordering::SeqCst);
    }
}

fn socket(address: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket
        .bind(address)
        .with_context(|| format!("failed to bind the proxy to {address}"))?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    Ok(socket(address)?.listen(128)?)
}

/// Accepts connections while the mode allows. All its connections end with it.
async fn accept(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut mode = shared.mode.subscribe();
    let mut listener = Some(listener);
    loop {
        let refuse = mode.borrow_and_update().mode == Mode::Refuse;
        if refuse {
            listener = None;
            // Bound but not listening: connections are refused, and nobody else gets the port.
            let _held = socket(address);
            if mode.changed().await.is_err() {
                return;
            }
            continue;
        }
        let Some(listening) = listener.take().or_else(|| listen(address).ok()) else {
            // The kernel is still releasing the port.
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        tokio::select! {
            accepted = listening.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(connect(client, Arc::clone(&shared)));
                }
            }
            changed = mode.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
        listener = Some(listening);
    }
}

async fn connect(client: TcpStream, shared: Arc<Shared>) {
    shared.connections.fetch_add(1, Ordering::SeqCst);
    let upstream = *shared.upstream.borrow();
    match TcpStream::connect(upstream).await {
        Ok(server) => pump::connection(client, server, shared).await,
        // As a server does that isn't there.
        Err(_) => pump::reset(&client),
    }
}

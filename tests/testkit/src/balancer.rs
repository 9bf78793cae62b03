//! One address in front of several servers, as a cluster has: each new connection goes to the next server that takes it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A listening balancer, on a port of its own of 127.0.0.1. Dropping it closes everything.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    servers: Arc<Mutex<Servers>>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Servers {
    addresses: Vec<SocketAddr>,
    next: usize,
}

impl Balancer {
    /// Listens. There may be no server yet: connections are closed until there is one.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let servers = Arc::<Mutex<Servers>>::default();
        #[expect(
            clippy::disallowed_methods,
            reason = "the balancer holds the handle and aborts the task when dropped"
        )]
        let accepting = tokio::spawn(accept(listener, Arc::clone(&servers)));
        Ok(Self {
            address,
            servers,
            accepting,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where new connections go from now on.
    pub fn serve(&self, addresses: Vec<SocketAddr>) {
        lock(&self.servers).addresses = addresses;
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Servers {
    /// Every server, the one whose turn it is first.
    fn in_turn(&mut self) -> Vec<SocketAddr> {
        let count = self.addresses.len();
        if count == 0 {
            return Vec::new();
        }
        self.next = (self.next + 1) % count;
        let (before, after) = self.addresses.split_at(self.next);
        [after, before].concat()
    }
}

fn lock(servers: &Mutex<Servers>) -> std::sync::MutexGuard<'_, Servers> {
    servers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All its connections end with it.
async fn accept(listener: TcpListener, servers: Arc<Mutex<Servers>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    let servers = lock(&servers).in_turn();
                    connections.spawn(pass(client, servers));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// To the first server that takes the connection; without one the client's is closed.
async fn pass(mut client: TcpStream, servers: Vec<SocketAddr>) {
    for server in servers {
        if let Ok(mut server) = TcpStream::connect(server).await {
            let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
            // Either end may close or reset: that is the connection's end, and no error of ours.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}

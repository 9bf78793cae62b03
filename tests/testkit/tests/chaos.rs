//! The proxy fails exactly as told.
#![expect(clippy::unwrap_used, reason = "what tests share fails the test")]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use testkit::chaos::{Cut, Direction, Mode, Proxy};
use testkit::poll_until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(10);
/// Long enough to notice what should not have come.
const SILENCE: Duration = Duration::from_millis(100);

/// A server that sends back what it gets, and a proxy before it.
async fn world() -> (Proxy, JoinSet<()>) {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    (proxy, server)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn echo(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    timeout(DEADLINE, stream.read_exact(&mut answer))
        .await
        .unwrap()?;
    Ok(answer)
}

/// Everything that comes before the connection ends, and how it ended.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut all = Vec::new();
    let end = timeout(DEADLINE, stream.read_to_end(&mut all))
        .await
        .unwrap();
    (all, end.err().map(|error| error.kind()))
}

#[tokio::test]
async fn a_cut_resets_after_exactly_n_bytes() {
    let (proxy, _server) = world().await;
    proxy.set(Mode::Cut(Cut::after_bytes(Direction::ToClient, 7).once()));
    let mut stream = connect(&proxy).await;

    stream.write_all(b"hello, world").await.unwrap();
    let (got, end) = rest(&mut stream).await;

    assert_eq!(got, b"hello, ");
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert_eq!(proxy.counters().to_client_bytes, 7);
    assert_eq!(proxy.counters().cuts, 1);
    let again = echo(&mut connect(&proxy).await, b"hello, world").await;
    assert_eq!(again.unwrap(), b"hello, world");
}

#[tokio::test]
async fn a_cut_counts_ldap_messages_and_may_close_or_hang_instead() {
    let (proxy, _server) = world().await;
    let messages = [0x30, 1, 1, 0x30, 2, 2, 2, 0x30, 0];
    let cut = Cut::after_ldap_messages(Direction::ToServer, 2);

    proxy.set(Mode::Cut(cut.closing()));
    let mut closed = connect(&proxy).await;
    closed.write_all(&messages).await.unwrap();
    rest(&mut closed).await;
    assert_eq!(proxy.counters().to_server_bytes, 7);

    proxy.set(Mode::Cut(cut.hanging()));
    let mut hanging = connect(&proxy).await;
    hanging.write_all(&messages).await.unwrap();
    let mut answer = [0; 7];
    let silent = timeout(SILENCE, hanging.read_exact(&mut answer)).await;
    assert!(silent.is_err(), "a hanging connection answered");
    assert_eq!(proxy.counters().to_server_bytes, 14);
}

#[tokio::test]
async fn modes_change_under_open_connections() {
    let (proxy, _server) = world().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(echo(&mut stream, b"one").await.unwrap(), b"one");

    proxy.set(Mode::Blackhole);
    stream.write_all(b"two").await.unwrap();
    let mut two = [0; 3];
    assert!(timeout(SILENCE, stream.read(&mut two)).await.is_err());
    proxy.set(Mode::Delay(Duration::from_millis(1)));
    timeout(DEADLINE, stream.read_exact(&mut two))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&two, b"two");

    proxy.set(Mode::Refuse);
    poll_until(DEADLINE, "new connections to be refused", async || {
        let refused = TcpStream::connect(proxy.address()).await.err()?;
        (refused.kind() == ErrorKind::ConnectionRefused).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(echo(&mut stream, b"three").await.unwrap(), b"three");

    proxy.set(Mode::Pass);
    let again = poll_until(DEADLINE, "connections to be accepted again", async || {
        TcpStream::connect(proxy.address()).await.ok()
    });
    echo(&mut again.await.unwrap(), b"four").await.unwrap();

    proxy.close_all();
    let (_, end) = rest(&mut stream).await;
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
}

//! Whether a server answers LDAP: an anonymous read of the rootDSE, which needs no library.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(2);

/// Search the empty DN, scope base, `(objectClass=*)`, attribute `1.1` (none).
#[rustfmt::skip]
const SEARCH_ROOT_DSE: &[u8] = &[
    0x30, 0x2a, 0x02, 0x01, 0x01, 0x63, 0x25,
    0x04, 0x00, 0x0a, 0x01, 0x00, 0x0a, 0x01, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x01, 0x01, 0x00,
    0x87, 0x0b, b'o', b'b', b'j', b'e', b'c', b't', b'C', b'l', b'a', b's', b's',
    0x30, 0x05, 0x04, 0x03, b'1', b'.', b'1',
];
/// The tag of a search result entry.
const ENTRY: u8 = 0x64;

pub(crate) async fn answers(server: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(server).await.ok()?;
        stream.write_all(SEARCH_ROOT_DSE).await.ok()?;
        let mut head = [0_u8; 16];
        stream.read_exact(&mut head).await.ok()?;
        // After the message's own tag and length, and the message id.
        head.contains(&ENTRY).then_some(())
    };
    matches!(timeout(PATIENCE, asked).await, Ok(Some(())))
}

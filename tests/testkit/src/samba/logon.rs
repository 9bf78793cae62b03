//! Logging on to a domain controller as a workstation would: one simple bind, over TLS. A wrong password counts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Samba;

const PATIENCE: Duration = Duration::from_secs(20);
/// Result codes of a bind (RFC 4511).
const SUCCESS: u8 = 0;
const INVALID_CREDENTIALS: u8 = 49;

impl Samba {
    /// Whether somebody gets in with a password. Anything but yes and no is an error.
    pub async fn logs_on(&self, logon_name: &str, password: &str) -> Result<bool> {
        let name = format!("{logon_name}@{}", self.dns_domain());
        let asked = timeout(PATIENCE, self.bind(&name, password)).await;
        match asked.context("the domain controller took too long")?? {
            SUCCESS => Ok(true),
            INVALID_CREDENTIALS => Ok(false),
            code => bail!("the bind of {name} ended with {code}"),
        }
    }

    async fn bind(&self, name: &str, password: &str) -> Result<u8> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.ca_file())? {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.ldaps_address()).await?;
        let server = ServerName::IpAddress(self.ip().into());
        let mut stream = TlsConnector::from(Arc::new(config))
            .connect(server, stream)
            .await?;
        stream.write_all(&request(name, password)).await?;
        stream.flush().await?;
        let mut answer = [0_u8; 512];
        let read = stream.read(&mut answer).await?;
        code(answer.get(..read).unwrap_or_default()).context("no answer to a bind")
    }
}

/// A bind request of version 3, message 1.
fn request(name: &str, password: &str) -> Vec<u8> {
    let bind = [
        tlv(0x02, &[3]),
        tlv(0x04, name.as_bytes()),
        tlv(0x80, password.as_bytes()),
    ]
    .concat();
    tlv(0x30, &[tlv(0x02, &[1]), tlv(0x60, &bind)].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    [&[tag, 0x82, high, low], content].concat()
}

/// The result code: the first enumerated value behind the tag of a bind response.
fn code(answer: &[u8]) -> Option<u8> {
    let response = answer.iter().position(|byte| *byte == 0x61)?;
    let rest = answer.get(response..)?;
    let result = rest
        .windows(3)
        .find(|window| window.starts_with(&[0x0a, 0x01]))?;
    result.last().copied()
}

//! Certificates as PEM text.

use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

/// A bundle is a handful of authorities, not the world's.
const LARGEST: usize = 1 << 20;

/// One or more certificates, nothing else. Whether they are expired is the connection test's business: a certificate
/// that expires must not make the settings unreadable.
pub(crate) fn bundle(pem: &str) -> Result<(), String> {
    match count(pem)? {
        0 => Err(
            "holds no certificate; paste the `-----BEGIN CERTIFICATE-----` text of the authority"
                .into(),
        ),
        _ => Ok(()),
    }
}

/// Exactly one certificate.
pub(crate) fn single(pem: &str) -> Result<(), String> {
    match count(pem)? {
        0 => Err(
            "holds no certificate; paste the `-----BEGIN CERTIFICATE-----` text of the root".into(),
        ),
        1 => Ok(()),
        several => Err(format!("holds {several} certificates; give the root alone")),
    }
}

fn count(pem: &str) -> Result<usize, String> {
    if pem.len() > LARGEST {
        return Err("is larger than 1 MiB; give only the authorities needed".into());
    }
    let mut certificates = 0;
    for (index, block) in Pem::iter_from_buffer(pem.as_bytes()).enumerate() {
        let number = index + 1;
        let block =
            block.map_err(|_| format!("block {number} is broken PEM; paste the file unchanged"))?;
        match block.label.as_str() {
            "CERTIFICATE" => {}
            key if key.ends_with("PRIVATE KEY") => {
                return Err(format!(
                    "block {number} is a private key, which must not be here; give certificates only, and treat that key \
                     as disclosed"
                ));
            }
            _ => {
                return Err(format!(
                    "block {number} is no certificate; give `CERTIFICATE` blocks only"
                ));
            }
        }
        let (rest, _) = X509Certificate::from_der(&block.contents).map_err(|_| {
            format!("block {number} is not an X.509 certificate; export it again as Base-64 (PEM)")
        })?;
        if !rest.is_empty() {
            return Err(format!(
                "block {number} has bytes behind the certificate; export it again"
            ));
        }
        certificates += 1;
    }
    Ok(certificates)
}

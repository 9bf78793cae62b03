//! TLS to a domain controller: always verified, and precise about why not.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Why TLS was not established, with what the server presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure {
    pub reason: TlsReason,
    /// The server's own certificate, if it got as far as showing one.
    pub presented: Option<Presented>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsReason {
    Expired,
    NotYetValid,
    /// The certificate vouches for itself, and isn't in the CA bundle.
    SelfSigned,
    /// Signed by an authority that isn't in the CA bundle.
    UnknownIssuer,
    NameMismatch {
        expected: String,
        presented: Vec<String>,
    },
    /// The certificate may not be used by a server.
    WrongPurpose,
    Revoked,
    /// What answered does not speak TLS.
    NotTls,
    /// It closed the connection in the middle: the wrong port, no certificate installed, or the network.
    Closed,
    Other(String),
}

/// What a server's certificate says of itself. Shown, never trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    pub subject: String,
    pub issuer: String,
    pub names: Vec<String>,
    /// As the certificate writes it.
    pub not_before: String,
    pub not_after: String,
    /// Seconds since 1970 of the end of validity.
    pub not_after_unix: i64,
    /// How many certificates the server sent.
    pub chain_length: usize,
}

/// Why a CA bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("the CA bundle is not PEM: {0}")]
    Pem(String),
    #[error("the CA bundle holds no certificate")]
    Empty,
    #[error("certificate {number} of the CA bundle cannot be used: {source}")]
    Certificate {
        number: usize,
        source: rustls::Error,
    },
}

/// Trust in the given CA bundle and nothing else; in the web's public authorities when there is none.
pub(crate) fn trust(ca_pem: Option<&[u8]>) -> Result<Arc<RootCertStore>, CaError> {
    let mut roots = RootCertStore::empty();
    match ca_pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
                let certificate = certificate.map_err(|error| CaError::Pem(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|source| CaError::Certificate {
                        number: index + 1,
                        source,
                    })?;
            }
            if roots.is_empty() {
                return Err(CaError::Empty);
            }
        }
    }
    Ok(Arc::new(roots))
}

/// The client side of one connection: its configuration, and what the server presented.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    verifier: Arc<RecordingVerifier>,
    pub(crate) config: Arc<ClientConfig>,
}

impl Handshake {
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
        expected: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let has_dns_name = matches!(expected, ServerName::DnsName(_));
        let verifier = Arc::new(RecordingVerifier {
            inner,
            expected,
            presented: Mutex::new(None),
        });
        // Not a weakening: the verifier is webpki's own, with a notebook.
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        config.enable_sni = has_dns_name;
        Ok(Self {
            verifier,
            config: Arc::new(config),
        })
    }

    pub(crate) fn presented(&self) -> Option<Presented> {
        self.verifier.presented.lock().ok()?.clone()
    }

    pub(crate) fn failure(&self, error: &rustls::Error) -> TlsFailure {
        let presented = self.presented();
        let reason = reason(error, presented.as_ref());
        TlsFailure { reason, presented }
    }
}

/// webpki's verifier, remembering what it was shown, so that a refusal can say what it refused.
#[derive(Debug)]
struct RecordingVerifier {
    inner: Arc<WebPkiServerVerifier>,
    /// The name asked for. The LDAP library hands over the host of a URL, which it cannot do for IPv6 addresses.
    expected: ServerName<'static>,
    presented: Mutex<Option<Presented>>,
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut presented) = self.presented.lock() {
            *presented = describe(end_entity, intermediates.len() + 1);
        }
        self.inner.verify_server_cert(
            end_entity,
            intermediates,
            &self.expected,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn describe(der: &CertificateDer<'_>, chain_length: usize) -> Option<Presented> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| extension.value.general_names.as_slice())
        .unwrap_or_default()
        .iter()
        .filter_map(name_text)
        .collect();
    let validity = certificate.validity();
    Some(Presented {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names,
        not_before: validity.not_before.to_string(),
        not_after: validity.not_after.to_string(),
        not_after_unix: validity.not_after.timestamp(),
        chain_length,
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only names that TLS compares are told"
)]
fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets)
                .ok()
                .map(|octets| IpAddr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(*octets)
                .ok()
                .map(|octets| IpAddr::from(octets).to_string()),
        },
        _ => None,
    }
}

fn reason(error: &rustls::Error, presented: Option<&Presented>) -> TlsReason {
    let self_signed = presented.is_some_and(|seen| seen.subject == seen.issuer);
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rustls' enums are open: what has no name here is told in rustls' words"
    )]
    match error {
        rustls::Error::InvalidCertificate(refusal) => match refusal {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TlsReason::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsReason::NotYetValid
            }
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => TlsReason::NameMismatch {
                expected: expected.to_str().into_owned(),
                presented: presented.clone(),
            },
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                TlsReason::WrongPurpose
            }
            CertificateError::Revoked => TlsReason::Revoked,
            // webpki calls a self-signed CA certificate in the server's place "CA used as end entity".
            CertificateError::UnknownIssuer | CertificateError::Other(_) if self_signed => {
                TlsReason::SelfSigned
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsReason::UnknownIssuer
            }
            other => TlsReason::Other(other.to_string()),
        },
        rustls::Error::InvalidMessage(_) => TlsReason::NotTls,
        other => TlsReason::Other(other.to_string()),
    }
}

impl TlsFailure {
    pub(crate) fn closed() -> Self {
        Self {
            reason: TlsReason::Closed,
            presented: None,
        }
    }

    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self {
            reason: TlsReason::Other(text.into()),
            presented: None,
        }
    }

    pub fn what_to_do(&self) -> String {
        match &self.reason {
            TlsReason::Expired => "Renew the domain controller's certificate.".to_owned(),
            TlsReason::NotYetValid => {
                "Compare the clocks of the domain controller and of the machine this runs on.".to_owned()
            }
            TlsReason::SelfSigned => "If this is the right server, give its own certificate as the CA bundle; \
                better, install one from your certificate authority."
                .to_owned(),
            TlsReason::UnknownIssuer => match &self.presented {
                Some(seen) => format!(
                    "If this is the right server, add the certificate of `{}` (and of those above it) to the CA bundle.",
                    seen.issuer
                ),
                None => "If this is the right server, add its authority's certificate to the CA bundle.".to_owned(),
            },
            TlsReason::NameMismatch { presented, .. } if presented.is_empty() => {
                "Install a certificate on the domain controller that names it (subject alternative name).".to_owned()
            }
            TlsReason::NameMismatch { .. } => {
                "Use one of the names in the certificate, or install one that holds the name used.".to_owned()
            }
            TlsReason::WrongPurpose => {
                "Install a certificate for server authentication on the domain controller.".to_owned()
            }
            TlsReason::Revoked => "Install a new certificate on the domain controller.".to_owned(),
            TlsReason::NotTls => {
                "Check the port: 636 for ldaps://, 389 for ldap:// with StartTLS.".to_owned()
            }
            TlsReason::Closed => "Check the port (636 for ldaps://, 389 for ldap:// with StartTLS), and that the domain \
                controller has a certificate for server authentication."
                .to_owned(),
            TlsReason::Other(_) => {
                "Check the domain controller's certificate and TLS settings.".to_owned()
            }
        }
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.presented.as_ref();
        match (&self.reason, seen) {
            (TlsReason::Expired, Some(seen)) => {
                write!(f, "its certificate expired ({})", seen.not_after)
            }
            (TlsReason::Expired, None) => f.write_str("a certificate of its chain has expired"),
            (TlsReason::NotYetValid, Some(seen)) => {
                write!(f, "its certificate is not valid yet ({})", seen.not_before)
            }
            (TlsReason::NotYetValid, None) => f.write_str("its certificate is not valid yet"),
            (TlsReason::SelfSigned, _) => {
                f.write_str("its certificate is self-signed and not in the CA bundle")
            }
            (TlsReason::UnknownIssuer, Some(seen)) => write!(
                f,
                "its certificate was issued by `{}`, which the CA bundle does not hold",
                seen.issuer
            ),
            (TlsReason::UnknownIssuer, None) => f.write_str(
                "its certificate was issued by an authority the CA bundle does not hold",
            ),
            (
                TlsReason::NameMismatch {
                    expected,
                    presented,
                },
                _,
            ) => write!(
                f,
                "its certificate is not for `{expected}` but for {}",
                if presented.is_empty() {
                    "no name".to_owned()
                } else {
                    presented.join(", ")
                }
            ),
            (TlsReason::WrongPurpose, _) => {
                f.write_str("its certificate is not for server authentication")
            }
            (TlsReason::Revoked, _) => f.write_str("its certificate is revoked"),
            (TlsReason::NotTls, _) => f.write_str("what answers there does not speak TLS"),
            (TlsReason::Closed, _) => f.write_str("it closed the connection during the handshake"),
            (TlsReason::Other(text), _) => f.write_str(text),
        }
    }
}

//! TLS from PEM files, always verified: nothing here can switch verification off (K3). A private authority is a file.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use serde::Deserialize;

use crate::{auth::ServiceName, settings};

/// The files of a server's certificate. Both or none: without them the server speaks plaintext, for a mesh that brings
/// its own TLS, or for loopback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(deserialize_with = "settings::optional")]
    pub certificate_file: Option<PathBuf>,
    #[serde(deserialize_with = "settings::optional")]
    pub key_file: Option<PathBuf>,
    #[serde(deserialize_with = "settings::optional")]
    pub client_ca_file: Option<PathBuf>,
}

/// A certificate chain, the leaf first, and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to read {what} from {}", path.display())]
    Read {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} holds no {what}: expected PEM, a block `-----BEGIN {}-----`", path.display(), what.to_uppercase())]
    Nothing { what: &'static str, path: PathBuf },
    #[error("{} is not valid PEM", path.display())]
    Pem {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("the certificate of authority in {} can't be used", path.display())]
    Authority {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    KeyMismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate in {} and the key in {} can't be used together", certificate.display(), key.display())]
    Identity {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("failed to set up verification of client certificates by {}", path.display())]
    ClientVerifier {
        path: PathBuf,
        #[source]
        source: rustls::server::VerifierBuilderError,
    },
    #[error("`{given}` is set and `{missing}` is not: TLS needs both")]
    Half {
        given: &'static str,
        missing: &'static str,
    },
    #[error("no TLS version in common with the crypto provider")]
    Versions(#[source] rustls::Error),
}

/// The one crypto provider of the process. Handed over explicitly, so that nothing depends on a process-wide default;
/// set as the default too, for the libraries that know no other way.
pub fn provider() -> Arc<CryptoProvider> {
    // Fails only when a default is set already: the first call's.
    drop(rustls::crypto::ring::default_provider().install_default());
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server's side; `None` when the settings name no certificate.
pub fn server(settings: &Settings) -> Result<Option<Arc<ServerConfig>>, Error> {
    let identity = match (&settings.certificate_file, &settings.key_file) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => Identity {
            certificate_file: certificate.clone(),
            key_file: key.clone(),
        },
        (Some(_), None) => return Err(half("certificate_file", "key_file")),
        (None, Some(_)) => return Err(half("key_file", "certificate_file")),
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Error::Versions)?;
    let builder = match &settings.client_ca_file {
        Some(path) => builder.with_client_cert_verifier(client_verifier(path)?),
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = load(&identity)?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|source| mismatch(&identity, source))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Some(Arc::new(config)))
}

/// A client's side. Trusts the authorities in `ca_file` and no other, or without one the public authorities.
pub fn client(
    ca_file: Option<&Path>,
    identity: Option<&Identity>,
) -> Result<Arc<ClientConfig>, Error> {
    let roots = match ca_file {
        Some(path) => authorities(path)?,
        None => RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Error::Versions)?
        .with_root_certificates(roots);
    let config = match identity {
        Some(identity) => {
            let (chain, key) = load(identity)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|source| mismatch(identity, source))?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// The service of the suite that a verified certificate names: by its only URI, in our trust domain.
pub(crate) fn service_of(chain: Option<&[CertificateDer<'_>]>) -> Option<ServiceName> {
    let certificate = chain?.first()?;
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let mut names = certificate.valid_uri_names();
    let name = names.next()?;
    if names.next().is_some() || !name.starts_with("spiffe://") {
        return None;
    }
    name.parse().ok()
}

/// What a failed handshake means and what to do, to follow "failed to set up TLS with HOST"; empty when the cause
/// speaks for itself.
pub fn explain(error: &io::Error) -> &'static str {
    use rustls::CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
        NotValidYet, NotValidYetContext, UnknownIssuer,
    };

    let error = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(error)) = error else {
        return "";
    };
    if matches!(error, UnknownIssuer | BadSignature) {
        ", whose certificate is signed by no authority that is trusted here (give the file of its authority)"
    } else if matches!(error, NotValidForName | NotValidForNameContext { .. }) {
        ", whose certificate is for another name (connect by a name that it holds)"
    } else if matches!(error, Expired | ExpiredContext { .. }) {
        ", whose certificate has expired (renew it, or set this machine's clock right)"
    } else if matches!(error, NotValidYet | NotValidYetContext { .. }) {
        ", whose certificate is not valid yet (set this machine's clock right)"
    } else {
        ""
    }
}

/// The certificates of authority in a PEM file: at least one.
pub fn authorities(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| Error::Authority {
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(roots)
}

/// The certificates in a PEM file: at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read("certificate", path)?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| Error::Pem {
            path: path.to_owned(),
            source,
        })?;
    if certificates.is_empty() {
        return Err(Error::Nothing {
            what: "certificate",
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

/// A certificate is asked for, not demanded: people come with a token instead.
fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(path)?), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|source| Error::ClientVerifier {
            path: path.to_owned(),
            source,
        })
}

fn load(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let chain = certificates(&identity.certificate_file)?;
    let path = &identity.key_file;
    let pem = zeroize::Zeroizing::new(read("private key", path)?);
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|source| {
        let path = path.clone();
        if matches!(source, pem::Error::NoItemsFound) {
            let what = "private key";
            Error::Nothing { what, path }
        } else {
            Error::Pem { path, source }
        }
    })?;
    Ok((chain, key))
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read {
        what,
        path: path.to_owned(),
        source,
    })
}

fn mismatch(identity: &Identity, source: rustls::Error) -> Error {
    let (certificate, key) = (identity.certificate_file.clone(), identity.key_file.clone());
    if matches!(source, rustls::Error::InconsistentKeys(_)) {
        Error::KeyMismatch { certificate, key }
    } else {
        Error::Identity {
            certificate,
            key,
            source,
        }
    }
}

fn half(given: &'static str, missing: &'static str) -> Error {
    Error::Half { given, missing }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        }

        fn identity(&self, name: &str) -> (PathBuf, PathBuf) {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let certificate = certificate.self_signed(&key).unwrap();
            (
                self.write(&format!("{name}.pem"), &certificate.pem()),
                self.write(&format!("{name}.key"), &key.serialize_pem()),
            )
        }
    }

    fn refused(certificate: &Path, key: &Path) -> String {
        let settings = Settings {
            certificate_file: Some(certificate.to_owned()),
            key_file: Some(key.to_owned()),
            client_ca_file: None,
        };
        server(&settings).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name() {
        let files = Files(tempfile::tempdir().unwrap());
        let ((one, one_key), (_, other_key)) = (files.identity("one"), files.identity("other"));
        let (empty, junk) = (
            files.write("empty.pem", ""),
            files.write(
                "junk.pem",
                "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            ),
        );
        let missing = files.0.path().join("missing.pem");
        let at = |path: &Path| path.display().to_string();

        assert_eq!(
            refused(&missing, &one_key),
            format!("failed to read certificate from {}", at(&missing))
        );
        assert_eq!(
            refused(&one, &missing),
            format!("failed to read private key from {}", at(&missing))
        );
        assert_eq!(
            refused(&empty, &one_key),
            format!(
                "{} holds no certificate: expected PEM, a block `-----BEGIN CERTIFICATE-----`",
                at(&empty)
            )
        );
        assert_eq!(
            refused(&one, &one),
            format!(
                "{} holds no private key: expected PEM, a block `-----BEGIN PRIVATE KEY-----`",
                at(&one)
            )
        );
        assert_eq!(
            refused(&junk, &one_key),
            format!("{} is not valid PEM", at(&junk))
        );
        assert_eq!(
            refused(&one, &other_key),
            format!(
                "the key in {} does not belong to the certificate in {}",
                at(&other_key),
                at(&one)
            )
        );
        assert!(
            client(Some(&empty), None)
                .unwrap_err()
                .to_string()
                .contains("holds no certificate")
        );
    }

    #[test]
    fn half_an_identity_is_refused_and_none_is_plaintext() {
        assert!(server(&Settings::default()).unwrap().is_none());
        let settings = Settings {
            key_file: Some("key".into()),
            ..Settings::default()
        };
        assert_eq!(
            server(&settings).unwrap_err().to_string(),
            "`key_file` is set and `certificate_file` is not: TLS needs both"
        );
    }
}

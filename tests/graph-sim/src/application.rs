//! Registered applications, and what they prove themselves with.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// An application of the tenant, with its service principal.
#[derive(Clone, Debug)]
pub struct Application {
    /// The client id.
    pub app_id: Uuid,
    pub display_name: String,
    /// Application permissions with admin consent: what is in a token's roles.
    pub roles: Vec<String>,
    /// Directory roles of the service principal, such as `User Administrator`.
    pub directory_roles: Vec<String>,
    /// Sign-in is switched off.
    pub is_disabled: bool,
    pub secrets: Vec<ClientSecret>,
    pub certificates: Vec<Certificate>,
    pub federated: Vec<FederatedCredential>,
}

impl Application {
    /// One with permissions and nothing yet to prove itself with.
    pub fn new(app_id: Uuid, roles: &[&str]) -> Self {
        Self {
            app_id,
            display_name: "Directory integration".to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            directory_roles: Vec::new(),
            is_disabled: false,
            secrets: Vec::new(),
            certificates: Vec::new(),
            federated: Vec::new(),
        }
    }
}

/// A password credential.
#[derive(Clone)]
pub struct ClientSecret {
    pub key_id: Uuid,
    pub value: String,
    pub start: Timestamp,
    pub end: Timestamp,
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSecret")
            .field("key_id", &self.key_id)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// A key credential: an RSA certificate whose private key the application has.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub key_id: Uuid,
    pub start: Timestamp,
    pub end: Timestamp,
    /// SHA-256 of the certificate's DER, base64url: what `x5t#S256` holds.
    pub(crate) thumbprint: String,
    /// PKCS #1.
    pub(crate) public_key: Vec<u8>,
}

/// Why a certificate can't be registered.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("it is no X.509 certificate in DER")]
    Malformed,
    #[error("its key is not RSA")]
    NotRsa,
}

impl Certificate {
    /// Of a certificate in DER. It lasts as long as it says itself.
    pub fn new(key_id: Uuid, der: &[u8]) -> Result<Self, CertificateError> {
        const RSA: &str = "1.2.840.113549.1.1.1";
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        let key = certificate.public_key();
        if key.algorithm.algorithm.to_id_string() != RSA {
            return Err(CertificateError::NotRsa);
        }
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        Ok(Self {
            key_id,
            start: time(certificate.validity().not_before.timestamp()),
            end: time(certificate.validity().not_after.timestamp()),
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(der)),
            public_key: key.subject_public_key.data.to_vec(),
        })
    }
}

/// A trust in another issuer's tokens: a Kubernetes cluster's service accounts, say.
#[derive(Clone, Debug)]
pub struct FederatedCredential {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
    /// The issuer's signing keys.
    pub keys: Vec<IssuerKey>,
}

/// An RSA key of an issuer, as its JWKS shows it.
#[derive(Clone, Debug)]
pub struct IssuerKey {
    pub id: String,
    /// Big-endian.
    pub modulus: Vec<u8>,
    pub exponent: Vec<u8>,
}

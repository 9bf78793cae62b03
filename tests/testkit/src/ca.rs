//! A certificate authority for tests: server certificates that verify, and every kind that must not.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use tempfile::TempDir;

use crate::place;

/// A private authority. Cheap to clone; its files live as long as the last clone.
#[derive(Clone, Debug)]
pub struct Ca(Arc<Inner>);

struct Inner {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// What a server certificate is made out to.
#[derive(Clone, Debug, Default)]
pub struct Names {
    dns: Vec<String>,
    ips: Vec<IpAddr>,
    uris: Vec<String>,
}

/// A server's certificate chain and private key, in PEM.
#[derive(Clone)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").finish_non_exhaustive()
    }
}

/// Fixed, so that certificates don't depend on the machine's clock.
#[derive(Clone, Copy)]
struct Validity {
    from_year: i32,
    to_year: i32,
}

const VALID: Validity = Validity {
    from_year: 2020,
    to_year: 2120,
};
const EXPIRED: Validity = Validity {
    from_year: 2020,
    to_year: 2021,
};
const NOT_YET_VALID: Validity = Validity {
    from_year: 2119,
    to_year: 2120,
};

impl Names {
    pub fn dns(name: impl Into<String>) -> Self {
        Self::default().and_dns(name)
    }

    pub fn ip(ip: impl Into<IpAddr>) -> Self {
        Self::default().and_ip(ip)
    }

    #[must_use]
    pub fn and_dns(mut self, name: impl Into<String>) -> Self {
        self.dns.push(name.into());
        self
    }

    #[must_use]
    pub fn and_ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ips.push(ip.into());
        self
    }

    /// Such as `spiffe://hes/ad-connector`: who comes with the certificate, as a client too.
    #[must_use]
    pub fn and_uri(mut self, uri: impl Into<String>) -> Self {
        self.uris.push(uri.into());
        self
    }

    /// A name no server of a test has.
    pub fn of_somebody_else() -> Self {
        Self::dns("somebody-else.test")
    }
}

impl Ca {
    /// A new authority with its own key and name.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        VALID.apply(&mut params);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let dir = place::temp_dir("ca")?;
        std::fs::write(dir.path().join("ca.pem"), issuer.pem())
            .context("failed to write the authority's certificate")?;
        Ok(Self(Arc::new(Inner { issuer, dir })))
    }

    /// The authority's certificate.
    pub fn pem(&self) -> String {
        self.0.issuer.pem()
    }

    /// A file holding [`Self::pem`].
    pub fn file(&self) -> PathBuf {
        self.folder().join("ca.pem")
    }

    /// A folder for a test's own files, removed with the authority.
    pub fn folder(&self) -> &Path {
        self.0.dir.path()
    }

    /// A certificate that verifies.
    pub fn server(&self, names: &Names) -> Result<Issued> {
        self.issue(names, VALID)
    }

    /// A certificate that ended in 2021.
    pub fn expired(&self, names: &Names) -> Result<Issued> {
        self.issue(names, EXPIRED)
    }

    /// A certificate that begins in 2119.
    pub fn not_yet_valid(&self, names: &Names) -> Result<Issued> {
        self.issue(names, NOT_YET_VALID)
    }

    /// A certificate that no authority signed.
    pub fn self_signed(names: &Names) -> Result<Issued> {
        let key = KeyPair::generate()?;
        let certificate = names.params(VALID)?.self_signed(&key)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    fn issue(&self, names: &Names, validity: Validity) -> Result<Issued> {
        let key = KeyPair::generate()?;
        let certificate = names.params(validity)?.signed_by(&key, &self.0.issuer)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Names {
    fn params(&self, validity: Validity) -> Result<CertificateParams> {
        let mut params = CertificateParams::new(self.dns.clone())?;
        params
            .subject_alt_names
            .extend(self.ips.iter().copied().map(SanType::IpAddress));
        for uri in &self.uris {
            let uri = uri.as_str().try_into().context("a URI of odd characters")?;
            params.subject_alt_names.push(SanType::URI(uri));
        }
        let common_name = self
            .dns
            .first()
            .cloned()
            .or_else(|| self.ips.first().map(IpAddr::to_string));
        params.distinguished_name.push(
            DnType::CommonName,
            common_name.context("a certificate needs at least one name")?,
        );
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if !self.uris.is_empty() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        params.use_authority_key_identifier_extension = true;
        validity.apply(&mut params);
        Ok(params)
    }
}

impl Validity {
    fn apply(self, params: &mut CertificateParams) {
        params.not_before = date_time_ymd(self.from_year, 1, 1);
        params.not_after = date_time_ymd(self.to_year, 1, 1);
    }
}

//! What a domain of a test looks like.

use std::time::Duration;

use crate::ca::{Ca, Issued, Names};

/// What to start. The default: domain `corp.test`, a new authority, a certificate that verifies.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) dns_domain: String,
    pub(crate) netbios: String,
    pub(crate) host: String,
    pub(crate) ca: Option<Ca>,
    pub(crate) certificate: Certificate,
    pub(crate) workers: Workers,
    pub(crate) takes_old_passwords: bool,
    pub(crate) start_deadline: Duration,
}

/// Which certificate the server shows.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// Made out to the server's DNS name, its address, and `localhost` and 127.0.0.1, where a proxy before it listens.
    Good,
    /// The same names, ended in 2021.
    Expired,
    /// The same names, begins in 2119.
    NotYetValid,
    /// The same names, signed by nobody.
    SelfSigned,
    /// The same names, signed by another authority.
    Foreign,
    /// Valid, made out to these names instead.
    Names(Names),
    /// Exactly this.
    Exactly(Issued),
}

/// How Samba spreads its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// One process does everything: starts fastest.
    Single,
    /// Several processes answer side by side, as an installed Samba does.
    Several,
}

impl Default for Options {
    fn default() -> Self {
        Self::domain("corp.test")
    }
}

impl Options {
    /// A domain of this DNS name; its NetBIOS name is the first label. Each name is a forest of its own.
    pub fn domain(dns_domain: impl Into<String>) -> Self {
        let dns_domain = dns_domain.into();
        let label = dns_domain.split('.').next().unwrap_or_default();
        Self {
            netbios: label.chars().take(15).collect::<String>().to_uppercase(),
            dns_domain,
            host: "dc1".to_owned(),
            ca: None,
            certificate: Certificate::Good,
            workers: Workers::Single,
            takes_old_passwords: true,
            start_deadline: Duration::from_secs(60),
        }
    }

    /// The password before the present one opens nothing, where for an hour it otherwise does: a logon then proves more.
    #[must_use]
    pub fn without_old_passwords(mut self) -> Self {
        self.takes_old_passwords = false;
        self
    }

    #[must_use]
    pub fn netbios(mut self, name: impl Into<String>) -> Self {
        self.netbios = name.into();
        self
    }

    /// Certificates of this authority, so that several servers share it.
    #[must_use]
    pub fn ca(mut self, ca: &Ca) -> Self {
        self.ca = Some(ca.clone());
        self
    }

    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    #[must_use]
    pub fn workers(mut self, workers: Workers) -> Self {
        self.workers = workers;
        self
    }

    pub(crate) fn host_name(&self) -> String {
        format!("{}.{}", self.host, self.dns_domain)
    }
}

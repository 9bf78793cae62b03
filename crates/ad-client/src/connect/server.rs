//! A domain controller's address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls::pki_types::ServerName;
use url::{Host, Url};

use crate::tls::TlsFailure;

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `ldaps://`: TLS from the first byte.
    Ldaps,
    /// `ldap://`: plain until StartTLS.
    Ldap,
}

/// A domain controller's address: `ldaps://host[:port]` or `ldap://host[:port]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Server {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// Why a text is not a [`Server`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a server is written ldaps://host[:port] or ldap://host[:port], not `{0}`")]
pub struct ServerError(String);

impl Server {
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host's name or address, without the brackets of IPv6.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    pub(super) fn tls_name(&self) -> Result<ServerName<'static>, Box<TlsFailure>> {
        match self.address() {
            Some(address) => Ok(ServerName::IpAddress(address.into())),
            None => ServerName::try_from(self.host())
                .map_err(|_| Box::new(TlsFailure::other("its name cannot stand in a certificate"))),
        }
    }
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ServerError(text.to_owned());
        let url = Url::parse(text.trim()).map_err(|_| refuse())?;
        let (scheme, default_port) = match url.scheme() {
            "ldaps" => (Scheme::Ldaps, 636),
            "ldap" => (Scheme::Ldap, 389),
            _ => return Err(refuse()),
        };
        let bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let host = url.host_str().filter(|host| bare && !host.is_empty());
        // The URL standard leaves hosts of schemes it does not know unparsed: `127.0.0.1` would stay a name.
        let host = host
            .and_then(|host| Host::parse(host).ok())
            .ok_or_else(refuse)?;
        Ok(Self {
            scheme,
            host,
            port: url.port().unwrap_or(default_port),
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Ldaps => "ldaps",
            Scheme::Ldap => "ldap",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_a_scheme_a_host_and_a_port() {
        for (text, shown, host) in [
            (
                "ldaps://dc1.corp.test",
                "ldaps://dc1.corp.test:636",
                "dc1.corp.test",
            ),
            (
                "ldap://DC1.corp.test:3389/",
                "ldap://dc1.corp.test:3389",
                "dc1.corp.test",
            ),
            ("ldaps://10.0.0.1", "ldaps://10.0.0.1:636", "10.0.0.1"),
            ("ldaps://[fe80::1]:636", "ldaps://[fe80::1]:636", "fe80::1"),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!(
                (server.to_string().as_str(), server.host().as_str()),
                (shown, host)
            );
        }
        for bad in [
            "",
            "dc1",
            "dc1:636",
            "https://dc1",
            "ldaps://",
            "ldaps://dc1/dc=x",
            "ldaps://u@dc1",
        ] {
            assert!(bad.parse::<Server>().is_err(), "{bad}");
        }
    }
}

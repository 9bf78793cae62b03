//! The toy service over TLS on loopback and over a pipe, with certificates made for the test.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use runtime::{
    Caller, Channel, Readiness, Service, Shutdown, Tasks,
    auth::{Authenticator, BootstrapToken, Role, Tokens},
    grpc::{
        self, InProcess, Listener, Routes, Settings,
        channel::{self, Options, Streams},
    },
    service::{self, Host, Running},
    tls,
};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::toy::{POOL, Toy};

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) certificates: Certificates,
    pub(crate) token: BootstrapToken,
    pub(crate) pipe: InProcess,
    pub(crate) toy: Toy,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: Shutdown,
    pub(crate) running: Option<Running>,
}

/// Knows people by tokens that are their names.
struct People;

impl Tokens for People {
    fn caller(&self, token: &str) -> Option<Caller> {
        match token {
            "vera" => Some(Caller::person("vera", [Role::Viewer])),
            "ada" => Some(Caller::person("ada", [Role::Administrator])),
            "dora" => Some(Caller::person("dora", [Role::Delivery])),
            _ => None,
        }
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::named(settings, &["DNS:localhost"]).await
    }

    /// With a server's certificate for these names.
    pub(crate) async fn named(mut settings: Settings, names: &[&str]) -> Self {
        let certificates = Certificates::make();
        let (certificate, key) = certificates.issue("localhost", names);
        settings.tls = tls::Settings {
            certificate_file: Some(certificate),
            key_file: Some(key),
            client_ca_file: Some(certificates.ca.clone()),
        };
        let token = BootstrapToken::generate(&runtime::Ids::system());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (pipe, pipes) = grpc::in_process();
        let (toy, readiness, shutdown) = (Toy::default(), Readiness::default(), Shutdown::new());
        let service = Service::new("toy")
            .routes(Routes::new().with(toy.clone()))
            .readiness(readiness.clone());
        let tls = tls::server(&settings.tls).unwrap().unwrap();
        let host = Host {
            grpc: settings,
            lifecycle: service::Settings::default(),
            authenticator: Authenticator::new()
                .accepting(token.hash())
                .accepting(People),
            tasks: Tasks::new(shutdown.clone()),
        };
        let running = host
            .start_with(
                &POOL,
                vec![service],
                vec![Listener::Tls(listener, tls), pipes],
            )
            .unwrap();
        Self {
            address,
            certificates,
            token,
            pipe,
            toy,
            readiness,
            shutdown,
            running: Some(running),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            ca_file: Some(self.certificates.ca.clone()),
            streams: Streams::of(&POOL),
            ..Options::default()
        }
    }

    pub(crate) fn anonymous(&self) -> Channel {
        channel::connect(&self.url(), &self.options()).unwrap()
    }

    pub(crate) fn bearing(&self, token: impl Into<SecretString>) -> Channel {
        let options = Options {
            token: Some(token.into()),
            ..self.options()
        };
        channel::connect(&self.url(), &options).unwrap()
    }

    /// To a named service of the suite, with a viewer's token.
    pub(crate) fn meaning(&self, service: &str) -> Channel {
        let options = Options {
            token: Some("vera".to_owned().into()),
            server: Some(service.parse().unwrap()),
            ..self.options()
        };
        channel::connect(&self.url(), &options).unwrap()
    }

    pub(crate) fn patient(&self, deadline: Duration) -> Channel {
        let options = Options {
            token: Some("vera".to_owned().into()),
            deadline,
            stream_deadline: deadline,
            ..self.options()
        };
        channel::connect(&self.url(), &options).unwrap()
    }

    /// By a client certificate of an authority that the server may or may not know.
    pub(crate) fn certified(&self, issuer: &Certificates, names: &[&str]) -> Channel {
        let (certificate_file, key_file) = issuer.issue("client", names);
        let options = Options {
            identity: Some(tls::Identity {
                certificate_file,
                key_file,
            }),
            ..self.options()
        };
        channel::connect(&self.url(), &options).unwrap()
    }

    pub(crate) fn inside(&self, identity: Caller) -> Channel {
        channel::in_process_with(&self.pipe, identity, Streams::of(&POOL))
    }
}

/// A private authority and a directory for its files.
pub(crate) struct Certificates {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
    pub(crate) ca: PathBuf,
}

impl Certificates {
    pub(crate) fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, params.self_signed(&key).unwrap().pem()).unwrap();
        Self {
            directory,
            issuer: Issuer::new(params, key),
            ca,
        }
    }

    /// Names as OpenSSL writes them: `DNS:localhost`, `IP:127.0.0.1`, `URI:spiffe://hes/x`.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.split_once(':').unwrap() {
                ("DNS", name) => SanType::DnsName(name.try_into().unwrap()),
                ("IP", address) => SanType::IpAddress(address.parse().unwrap()),
                ("URI", uri) => SanType::URI(uri.try_into().unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = ["pem", "key"]
            .map(|extension| self.directory.path().join(format!("{file}.{extension}")));
        std::fs::write(&files[0], certificate.pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        files.into()
    }
}

use ad_client::{Connector, Credentials, Error, Target, Timeouts, TlsReason};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use testkit::ca::{Ca, Issued, Names};
use tokio::net::TcpListener;

use crate::dc::{dc, ordinary, target};

/// Connects to a server that shows this certificate, trusting this authority.
async fn refusal(issued: Issued, ca: &Ca) -> Error {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldaps://{}", listener.local_addr().unwrap());
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        assert!(acceptor.accept(stream).await.is_err(), "the client went on");
    };
    let target = Target {
        servers: vec![url.parse().unwrap()],
        start_tls: false,
        ca_pem: Some(ca.pem().into_bytes()),
        timeouts: Timeouts::default(),
    };
    let credentials = Credentials::new("svc@corp.test", "never sent".into());
    let connector = Connector::new(&target).unwrap();
    let (result, ()) = tokio::join!(connector.connect(&credentials), accept);
    result.unwrap_err()
}

fn reason(error: Error) -> (TlsReason, String) {
    let text = error.to_string();
    assert!(!error.what_to_do().is_empty());
    let Error::Tls { failure, .. } = error else {
        panic!("{error:?}");
    };
    (failure.reason, text)
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_is_refused_with_its_reason() {
    let ca = Ca::new("Corp CA").unwrap();
    let foreign = Ca::new("Foreign CA").unwrap();
    let here = Names::ip(std::net::Ipv4Addr::LOCALHOST);

    let (expired, text) = reason(refusal(ca.expired(&here).unwrap(), &ca).await);
    assert_eq!(expired, TlsReason::Expired);
    assert!(text.contains("2021"), "{text}");
    let (early, _) = reason(refusal(ca.not_yet_valid(&here).unwrap(), &ca).await);
    assert_eq!(early, TlsReason::NotYetValid);
    let (unknown, text) = reason(refusal(ca.server(&here).unwrap(), &foreign).await);
    assert_eq!(unknown, TlsReason::UnknownIssuer);
    assert!(text.contains("Corp CA"), "{text}");
    let (own, _) = reason(refusal(Ca::self_signed(&here).unwrap(), &ca).await);
    assert_eq!(own, TlsReason::SelfSigned);
    let other = ca.server(&Names::of_somebody_else()).unwrap();
    let (name, text) = reason(refusal(other, &ca).await);
    assert!(matches!(name, TlsReason::NameMismatch { .. }), "{name:?}");
    assert!(
        text.contains("127.0.0.1") && text.contains("somebody-else.test"),
        "{text}"
    );
}

#[tokio::test]
async fn ldaps_and_starttls_both_verify() {
    let samba = dc().await;
    let foreign = Ca::new("Foreign CA").unwrap();
    for url in [samba.ldaps_url(), samba.ldap_url()] {
        let trusted = target(samba, &url);
        let connector = Connector::new(&trusted).unwrap();
        let session = connector.connect(&ordinary(samba)).await.unwrap();
        assert_eq!(session.identity().await.unwrap().dns_domain, "corp.test");
        assert!(!session.is_stale());

        let distrusted = Target {
            ca_pem: Some(foreign.pem().into_bytes()),
            ..trusted
        };
        let connector = Connector::new(&distrusted).unwrap();
        let error = connector.connect(&ordinary(samba)).await.unwrap_err();
        assert_eq!(reason(error).0, TlsReason::UnknownIssuer);
    }
    for swapped in [
        format!("{}:389", samba.ldaps_url()),
        format!("{}:636", samba.ldap_url()),
    ] {
        let connector = Connector::new(&target(samba, &swapped)).unwrap();
        let error = connector.connect(&ordinary(samba)).await.unwrap_err();
        assert!(matches!(
            reason(error).0,
            TlsReason::Closed | TlsReason::NotTls
        ));
    }
}

#[tokio::test]
async fn an_unreachable_server_is_passed_over_and_the_first_reason_is_told() {
    let samba = dc().await;
    let closed = format!("{}:1", samba.ldaps_url()).parse().unwrap();
    let mut target = target(samba, &samba.ldaps_url());
    target.servers.insert(0, closed);

    let connector = Connector::new(&target).unwrap();
    let session = connector.connect(&ordinary(samba)).await.unwrap();
    assert_eq!(session.server().host(), samba.ip().to_string());

    target.servers[1] = format!("{}:2", samba.ldaps_url()).parse().unwrap();
    let connector = Connector::new(&target).unwrap();
    let error = connector.connect(&ordinary(samba)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Connect { server, .. } if server.port() == 1),
        "{error:?}"
    );
    assert!(error.is_transient());
}

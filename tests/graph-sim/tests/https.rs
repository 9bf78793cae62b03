//! Over HTTPS, as a client comes: a token, what it lets one read, and its end.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::tests_outside_test_module,
    reason = "an integration test"
)]

use std::sync::Arc;
use std::time::Duration;

use graph_sim::{Application, ClientSecret, Clock, Settings, Simulation, Tenant};
use rustls::pki_types::ServerName;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);
const APP: Uuid = Uuid::from_u128(2);

struct World {
    simulation: Simulation,
    clock: Clock,
}

impl World {
    async fn new(roles: &[&str]) -> Self {
        let clock = Clock::standing("2026-03-01T12:00:00Z".parse().unwrap());
        let mut tenant = Tenant::new(TENANT, "corp.onmicrosoft.test");
        let mut application = Application::new(APP, roles);
        application.secrets.push(ClientSecret {
            key_id: Uuid::nil(),
            value: "s3cret".to_owned(),
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
            end: "2027-01-01T00:00:00Z".parse().unwrap(),
        });
        tenant.applications.push(application);
        let settings = Settings {
            clock: clock.clone(),
            ..Settings::default()
        };
        let simulation = Simulation::start(settings, tenant).await.unwrap();
        Self { simulation, clock }
    }

    /// Status, head and body.
    async fn ask(&self, url: &str, method: &str, more: &str, body: &str) -> (u16, String, Value) {
        let ca = CertificateDer::from_pem_slice(self.simulation.ca().as_bytes()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let url = url::Url::parse(url).unwrap();
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", url.port().unwrap()))
            .await
            .unwrap();
        let mut stream = TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
            .unwrap();
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), serde_json::from_str(body).unwrap())
    }

    async fn token(&self) -> String {
        let url = format!(
            "{}/{TENANT}/oauth2/v2.0/token",
            self.simulation.authority_url()
        );
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &APP.to_string())
            .append_pair("client_secret", "s3cret")
            .append_pair(
                "scope",
                &format!("{}/.default", self.simulation.graph_url()),
            )
            .finish();
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let (status, _, body) = self.ask(&url, "POST", form, &body).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            (&body["token_type"], &body["expires_in"]),
            (&"Bearer".into(), &3_599.into())
        );
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.simulation.graph_url());
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let (status, _, body) = self.ask(&url, "GET", &bearer, "").await;
        (status, body)
    }
}

#[tokio::test]
async fn a_token_lets_one_read_what_its_roles_allow_until_it_expires() {
    let world = World::new(&["User.Read.All"]).await;
    let token = world.token().await;

    let (status, body) = world
        .get("/v1.0/organization?$select=id,verifiedDomains", &token)
        .await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["value"][0]["id"], TENANT.to_string());
    assert_eq!(
        body["value"][0]["verifiedDomains"][0]["name"],
        "corp.onmicrosoft.test"
    );
    assert_eq!(body["value"][0].as_object().unwrap().len(), 2);
    let (status, body) = world.get("/v1.0/domains", &token).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (403, &"Authorization_RequestDenied".into())
    );

    // A role that is granted now is in the next token, not in this one.
    world.simulation.edit(|tenant| {
        tenant.applications[0]
            .roles
            .push("Domain.Read.All".to_owned());
        tenant.domains[0].is_federated = true;
    });
    assert_eq!(world.get("/v1.0/domains", &token).await.0, 403);
    let (status, body) = world.get("/v1.0/domains", &world.token().await).await;
    assert_eq!(
        (status, &body["value"][0]["authenticationType"]),
        (200, &"Federated".into())
    );

    world.clock.advance(Duration::from_secs(3_600));
    let (status, body) = world.get("/v1.0/organization", &token).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &"InvalidAuthenticationToken".into())
    );
}

#[tokio::test]
async fn every_answer_names_its_request_and_what_is_not_there_is_told() {
    let world = World::new(&["Directory.Read.All"]).await;
    let token = world.token().await;
    let client = Uuid::from_u128(77);
    let more = format!("Authorization: Bearer {token}\r\nclient-request-id: {client}\r\n");
    let url = format!("{}/v1.0/nothing", world.simulation.graph_url());
    let (status, head, body) = world.ask(&url, "GET", &more, "").await;

    assert_eq!(
        (status, &body["error"]["code"]),
        (400, &"Request_BadRequest".into())
    );
    assert_eq!(
        body["error"]["innerError"]["client-request-id"],
        client.to_string()
    );
    assert!(
        head.contains(&format!("client-request-id: {client}")),
        "{head}"
    );
    assert!(head.contains("request-id: "), "{head}");

    let (status, head, _) = world.ask(&url, "GET", "", "").await;
    assert_eq!(status, 401);
    assert!(
        head.to_lowercase().contains("www-authenticate: bearer"),
        "{head}"
    );

    let url = format!(
        "{}/{TENANT}/v2.0/.well-known/openid-configuration",
        world.simulation.authority_url()
    );
    let (status, _, body) = world.ask(&url, "GET", "", "").await;
    let endpoint = format!(
        "{}/{TENANT}/oauth2/v2.0/token",
        world.simulation.authority_url()
    );
    assert_eq!((status, &body["token_endpoint"]), (200, &endpoint.into()));
}

//! K2: a secret is nowhere but where it belongs.

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use api::config::v1::{
    Domain, ListAuditEventsRequest, ListDomainsRequest, RemoveCredentialsRequest,
    SetCredentialsRequest, TestDomainRequest, create_domain_request,
    set_credentials_request::Logon, test_domain_request::Subject,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use futures::TryStreamExt as _;

use crate::world::{LOGON_NAME, PASSWORD, World, create, credentials};

thread_local! {
    /// Whether this is the thread whose log is looked at: the test's own, on which all its tasks run.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// What was logged, down to TRACE.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if LISTENING.get() {
            self.0.lock().unwrap().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Every spelling of a secret that would betray it.
fn spellings() -> Vec<Vec<u8>> {
    let mut spellings = Vec::new();
    for secret in [PASSWORD, LOGON_NAME] {
        let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [secret.as_bytes(), &wide] {
            spellings.push(bytes.to_vec());
            spellings.push(
                bytes
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<String>()
                    .into_bytes(),
            );
            spellings.push(
                bytes
                    .iter()
                    .map(|byte| format!("{byte:02X}"))
                    .collect::<String>()
                    .into_bytes(),
            );
            // At each of the three positions that a text may have within base64.
            for shift in 0..3 {
                let encoded = STANDARD_NO_PAD.encode([vec![0; shift], bytes.to_vec()].concat());
                let inner = encoded.get(4..encoded.len() - 4).unwrap().to_owned();
                spellings.push(inner.into_bytes());
            }
            spellings.push(STANDARD.encode(bytes).into_bytes());
        }
    }
    spellings
}

fn clean(what: &str, bytes: &[u8]) {
    for spelling in spellings() {
        let found = bytes
            .windows(spelling.len())
            .any(|window| window == spelling);
        assert!(
            !found,
            "{what} holds a secret as {:?}",
            String::from_utf8_lossy(&spelling)
        );
    }
}

#[tokio::test]
async fn no_secret_is_in_files_answers_errors_or_the_log() {
    let log_lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log_lines.clone())
        .finish();
    // Everything runs on this thread.
    // For all threads: a subscriber of one thread misses what another thread's test has made the log forget.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    LISTENING.set(true);
    let world = World::new().await;
    let mut said = Vec::new();
    let mut request = create("corp");
    request.request_id = "3f0e8f1a-59cf-4f1b-8a38-0f3f6f6f1a11".into();
    said.push(format!("{request:?}"));
    said.push(format!(
        "{:?}",
        world.domains().create_domain(request).await.unwrap()
    ));

    // Wherever an error could repeat what was given.
    let mut bad = create("Bad");
    bad.logon = Some(create_domain_request::Logon::Credentials(credentials()));
    let domain: &mut Domain = bad.domain.as_mut().unwrap();
    domain.display_name = String::new();
    said.push(format!(
        "{:?}",
        world.domains().create_domain(bad).await.unwrap_err()
    ));
    let set = SetCredentialsRequest {
        name: "domains/nowhere".into(),
        logon: Some(Logon::Credentials(credentials())),
    };
    said.push(format!(
        "{:?}",
        world
            .domains()
            .set_credentials(set.clone())
            .await
            .unwrap_err()
    ));
    let set = SetCredentialsRequest {
        name: "domains/corp".into(),
        ..set
    };
    said.push(format!(
        "{:?}",
        world.domains().set_credentials(set).await.unwrap()
    ));
    let test = TestDomainRequest {
        subject: Some(Subject::Name("domains/corp".into())),
        credentials: Some(credentials()),
    };
    let checks = world
        .domains()
        .test_domain(test)
        .await
        .unwrap()
        .into_inner();
    said.push(format!(
        "{:?}",
        checks.try_collect::<Vec<_>>().await.unwrap()
    ));
    said.push(format!(
        "{:?}",
        world
            .domains()
            .list_domains(ListDomainsRequest::default())
            .await
            .unwrap()
    ));
    let log = world
        .audit()
        .list_audit_events(ListAuditEventsRequest::default())
        .await
        .unwrap();
    said.push(format!("{log:?}"));
    for text in &said {
        clean("an answer", text.as_bytes());
    }

    // Before and after the row is gone: the databases, the bus, and their journals.
    for _ in 0..2 {
        world.settled().await;
        for entry in std::fs::read_dir(world.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
        let remove = RemoveCredentialsRequest {
            name: "domains/corp".into(),
        };
        drop(world.domains().remove_credentials(remove).await);
    }
    let lines = log_lines.0.lock().unwrap();
    let captured = String::from_utf8_lossy(&lines).contains("starting config-service");
    assert!(captured, "the log was captured");
    clean("the log", &lines);
}

#[test]
fn the_search_for_secrets_finds_them() {
    for spelling in [
        PASSWORD.as_bytes().to_vec(),
        STANDARD.encode(format!("xx{PASSWORD}")).into_bytes(),
        PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ] {
        let found = std::panic::catch_unwind(|| clean("it", &spelling));
        assert!(found.is_err());
    }
}

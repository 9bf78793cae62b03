use std::collections::BTreeMap;

use api::config::v1::credential_service_client::CredentialServiceClient;
use api::config::v1::{
    ActiveDirectorySettings, AuditEvent, ExportAuditLogRequest, GetCredentialRequest,
    ListAuditEventsRequest, RemoveCredentialsRequest, UpdateDomainRequest, VerifyAuditLogRequest,
    VerifyAuditLogResponse, domain::Directory,
};
use api::connector::v1::StartSyncRequest;
use config_service::audit::chain::{Entry, Hash, Outcome, Verifier};
use futures::TryStreamExt as _;
use runtime::Caller;
use runtime::auth::Role;
use runtime::grpc::Reason;
use tonic::Code;

use crate::requests::update;
use crate::world::{World, create, person, poll};

async fn verify(world: &World) -> VerifyAuditLogResponse {
    world
        .audit()
        .verify_audit_log(VerifyAuditLogRequest {})
        .await
        .unwrap()
        .into_inner()
}

async fn some_history() -> World {
    let world = World::new().await;
    world.domain("corp").await;
    world.domain("lab").await;
    let remove = RemoveCredentialsRequest {
        name: "domains/lab".into(),
    };
    world.domains().remove_credentials(remove).await.unwrap();
    let account = person("corp", 1)
        .named("Secret Name")
        .mail("ada@corp.example.com")
        .account();
    world.tell(&account).await;
    world.employee_of(&account).await;
    world
}

#[tokio::test]
async fn every_change_is_audited_by_whom_and_to_what() {
    let world = some_history().await;
    let list = |resource: &str, page_size: i32, page_token: &str| ListAuditEventsRequest {
        page_size,
        page_token: page_token.into(),
        resource: resource.into(),
    };

    let log = world
        .audit()
        .list_audit_events(list("domains/lab", 0, ""))
        .await
        .unwrap()
        .into_inner();
    let seen: Vec<_> = log
        .audit_events
        .iter()
        .map(|event| (event.actor.as_str(), event.action.as_str()))
        .filter(|(_, action)| *action != "domain.pin")
        .collect();
    assert_eq!(
        seen,
        [
            ("administrator", "credentials.remove"),
            ("administrator", "domain.create")
        ]
    );

    let all = world
        .audit()
        .list_audit_events(list("", 0, ""))
        .await
        .unwrap()
        .into_inner()
        .audit_events;
    let sequences: Vec<_> = all.iter().map(|event| event.sequence).collect();
    let count = i64::try_from(all.len()).unwrap();
    assert_eq!(
        sequences,
        (1..=count).rev().collect::<Vec<_>>(),
        "newest first, without gaps"
    );
    let employee = all
        .iter()
        .find(|event| event.action == "employee.create")
        .unwrap();
    assert_eq!(employee.actor, "service:config-service");
    assert!(
        !format!("{all:?}").contains("Secret Name"),
        "names of people stay out"
    );

    let first = world
        .audit()
        .list_audit_events(list("", 2, ""))
        .await
        .unwrap()
        .into_inner();
    let second = world
        .audit()
        .list_audit_events(list("", 2, &first.next_page_token))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.audit_events[0].sequence, count - 2);
    let foreign = world
        .audit()
        .list_audit_events(list("domains/lab", 2, &first.next_page_token))
        .await
        .unwrap_err();
    assert_eq!(Reason::of(&foreign), Some(Reason::InvalidPageToken));
}

#[tokio::test]
async fn an_export_verifies_without_the_service() {
    let world = some_history().await;
    let answer = verify(&world).await;
    assert!(answer.intact && answer.events >= 5 && answer.broken_sequence == 0);

    let request = ExportAuditLogRequest { from_sequence: 0 };
    let export = world
        .audit()
        .export_audit_log(request)
        .await
        .unwrap()
        .into_inner();
    let export: Vec<_> = export.try_collect().await.unwrap();

    let mut verifier = Verifier::default();
    for event in export.into_iter().filter_map(|answer| answer.audit_event) {
        let time = event.time.unwrap();
        let entry = Entry {
            sequence: event.sequence,
            time: jiff::Timestamp::new(time.seconds, time.nanos).unwrap(),
            outcome: Outcome::from_number(event.outcome.into()).unwrap(),
            actor: event.actor,
            action: event.action,
            resource: event.resource,
            details: event.details.into_iter().collect(),
        };
        assert!(verifier.check(&entry, &Hash(event.hash.try_into().unwrap())));
    }
    assert_eq!(verifier.head().0.to_vec(), answer.head_hash);

    let later = ExportAuditLogRequest {
        from_sequence: answer.events,
    };
    let later = world
        .audit()
        .export_audit_log(later)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(later.try_collect::<Vec<_>>().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_table_refuses_changes() {
    let world = some_history().await;
    for sql in [
        "UPDATE audit_event SET actor = 'x'",
        "DELETE FROM audit_event",
    ] {
        assert!(world.execute(sql).await.is_err(), "{sql}");
    }
    assert!(verify(&world).await.intact);
}

/// As the owner of the tables can.
async fn get_around_the_table(world: &World) {
    let ways: &[&'static str] = if storage::testing::on_postgres() {
        &["ALTER TABLE audit_event DISABLE TRIGGER USER"]
    } else {
        &[
            "DROP TRIGGER audit_event_is_never_updated",
            "DROP TRIGGER audit_event_is_never_deleted",
        ]
    };
    for way in ways {
        world.execute(way).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_gets_around_the_table_is_found_out() {
    for (tampering, broken) in [
        (
            "UPDATE audit_event SET actor = 'nobody' WHERE sequence = 2",
            2,
        ),
        (
            "UPDATE audit_event SET details = '{}' WHERE sequence = 1",
            1,
        ),
        ("UPDATE audit_event SET details = 'x' WHERE sequence = 3", 3),
        ("UPDATE audit_event SET outcome = 3 WHERE sequence = 2", 2),
        (
            "UPDATE audit_event SET time = time + 1 WHERE sequence = 2",
            2,
        ),
        (
            "UPDATE audit_event SET hash = (SELECT hash FROM audit_event WHERE sequence = 1) WHERE sequence = 2",
            2,
        ),
        ("DELETE FROM audit_event WHERE sequence = 2", 2),
        ("DELETE FROM audit_event WHERE sequence = 1", 1),
        (
            "UPDATE audit_event SET sequence = CASE sequence WHEN 2 THEN -3 ELSE -2 END WHERE sequence IN (2, 3)",
            2,
        ),
    ] {
        let world = some_history().await;
        assert!(verify(&world).await.intact);
        get_around_the_table(&world).await;
        world.execute(tampering).await.unwrap();
        world
            .execute("UPDATE audit_event SET sequence = -sequence WHERE sequence < 0")
            .await
            .unwrap();

        let answer = verify(&world).await;

        assert_eq!(
            (answer.intact, answer.broken_sequence),
            (false, broken),
            "{tampering}"
        );
    }

    // The newest events cut off.
    let world = some_history().await;
    let before = verify(&world).await;
    get_around_the_table(&world).await;
    world
        .execute("DELETE FROM audit_event WHERE sequence = (SELECT MAX(sequence) FROM audit_event)")
        .await
        .unwrap();
    let after = verify(&world).await;
    assert_eq!(
        (after.intact, after.broken_sequence),
        (false, before.events)
    );
}

async fn events(world: &World) -> Vec<AuditEvent> {
    let all = world
        .audit()
        .list_audit_events(ListAuditEventsRequest::default())
        .await;
    all.unwrap().into_inner().audit_events
}

#[tokio::test]
async fn calls_that_the_access_rules_refuse_are_audited_once_for_each_caller_and_method() {
    let world = World::new().await;
    let viewer = || Caller::person("vera", [Role::Viewer]);
    for _ in 0..3 {
        let denied = world.domains_as(viewer()).create_domain(create("x")).await;
        assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
    }
    let fetch = GetCredentialRequest {
        domain: "domains/corp".into(),
    };
    let mut credentials = CredentialServiceClient::new(world.channel(Caller::Administrator));
    let denied = credentials.get_credential(fetch).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    // Whoever has no identity is counted, and fills no log.
    let stranger = world
        .domains_as(Caller::Anonymous)
        .create_domain(create("x"))
        .await;
    assert_eq!(stranger.unwrap_err().code(), Code::Unauthenticated);

    let expected = [
        (
            "administrator",
            "hes.config.v1.CredentialService/GetCredential",
            1,
        ),
        ("person:vera", "hes.config.v1.DomainService/CreateDomain", 3),
    ];
    let denied = poll("the refused calls are audited", async || {
        let mut denied = BTreeMap::<_, u64>::new();
        for event in events(&world).await {
            assert_eq!((event.action.as_str(), event.outcome), ("call", 2));
            let times: u64 = event.details["times"].parse().unwrap();
            *denied.entry((event.actor, event.resource)).or_default() += times;
        }
        (denied.values().sum::<u64>() >= 4).then_some(denied)
    })
    .await;
    let expected = expected.map(|(actor, method, times)| ((actor.into(), method.into()), times));
    assert_eq!(denied, BTreeMap::from(expected));
    assert!(verify(&world).await.intact);
}

#[tokio::test]
async fn a_change_that_fails_is_audited_with_its_reason_and_a_bounded_name() {
    let world = World::new().await;
    world.domain("corp").await;
    let update = |etag: &str, validate_only| UpdateDomainRequest {
        validate_only,
        ..update("corp", &["display_name"], |domain| {
            domain.etag = etag.into();
            domain.display_name = "x".into();
        })
    };
    for validate_only in [true, false] {
        let stale = world
            .domains()
            .update_domain(update("r0", validate_only))
            .await;
        assert_eq!(stale.unwrap_err().code(), Code::Aborted);
    }
    let start = StartSyncRequest {
        domain: "x".repeat(100_000),
        ..Default::default()
    };
    world.syncs().start_sync(start).await.unwrap_err();

    let failed: Vec<_> = events(&world)
        .await
        .into_iter()
        .filter(|event| event.outcome == 3)
        .collect();
    let told: Vec<_> = failed
        .iter()
        .map(|event| {
            (
                event.action.as_str(),
                event.resource.len(),
                event.details["reason"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("sync.start", 256, Reason::InvalidField.name()),
            (
                "domain.update",
                "domains/corp".len(),
                Reason::EtagMismatch.name()
            ),
        ]
    );
}

#[tokio::test]
async fn an_exchanged_authority_of_the_same_length_can_be_told_from_the_log() {
    let world = World::new().await;
    let pem = || {
        let made = rcgen::generate_simple_self_signed(["dc.example.com".to_owned()]);
        made.unwrap().cert.pem()
    };
    let with_ca = |ca: &str| {
        Directory::ActiveDirectory(ActiveDirectorySettings {
            ca_bundle_pem: ca.into(),
            ..Default::default()
        })
    };
    world.domain("corp").await;
    for ca in [pem(), pem()] {
        let request = update("corp", &["active_directory.ca_bundle_pem"], |domain| {
            domain.directory = Some(with_ca(&ca));
        });
        world.domains().update_domain(request).await.unwrap();
    }

    let seen = events(&world).await;
    let change = &seen
        .iter()
        .find(|event| event.action == "domain.update")
        .unwrap()
        .details;
    let (_, change) = change
        .iter()
        .find(|(field, _)| field.ends_with("caBundlePem"))
        .unwrap();
    let (before, after) = change.split_once(" → ").unwrap();
    let fingerprint = |text: &str| text.split_once("SHA-256 ").unwrap().1.to_owned();
    assert_ne!(fingerprint(before), fingerprint(after));
}

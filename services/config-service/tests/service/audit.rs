use api::config::v1::{
    ExportAuditLogRequest, ListAuditEventsRequest, RemoveCredentialsRequest, VerifyAuditLogRequest,
    VerifyAuditLogResponse,
};
use config_service::audit::chain::{Entry, Hash, Outcome, Verifier};
use futures::TryStreamExt as _;
use runtime::grpc::Reason;

use crate::world::{World, person};

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
        ("UPDATE audit_event SET hash = X'00' WHERE sequence = 2", 2),
        ("DELETE FROM audit_event WHERE sequence = 2", 2),
        ("DELETE FROM audit_event WHERE sequence = 1", 1),
        (
            "UPDATE audit_event SET sequence = CASE sequence WHEN 2 THEN -3 ELSE -2 END WHERE sequence IN (2, 3)",
            2,
        ),
    ] {
        let world = some_history().await;
        assert!(verify(&world).await.intact);
        world
            .execute("DROP TRIGGER audit_event_is_never_updated")
            .await
            .unwrap();
        world
            .execute("DROP TRIGGER audit_event_is_never_deleted")
            .await
            .unwrap();
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
    world
        .execute("DROP TRIGGER audit_event_is_never_deleted")
        .await
        .unwrap();
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

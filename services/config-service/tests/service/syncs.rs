use api::config::v1::ListAuditEventsRequest;
use api::connector::v1::{
    ApproveSyncRunRequest, GetSyncRunRequest, ListSyncRunsRequest, RejectSyncRunRequest,
    StartSyncRequest, WatchSyncRunRequest,
};
use futures::TryStreamExt as _;
use runtime::grpc::{Failure, Reason};
use tonic::{Code, Status};

use crate::connector::RUN;
use crate::world::World;

fn start(domain: &str) -> StartSyncRequest {
    StartSyncRequest {
        domain: domain.into(),
        requested_by: "somebody else".into(),
        ..Default::default()
    }
}

async fn audited(world: &World) -> Vec<(String, i32, String)> {
    let log = world
        .audit()
        .list_audit_events(ListAuditEventsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let mut events: Vec<_> = log
        .audit_events
        .into_iter()
        .filter(|event| event.action.starts_with("sync."))
        .map(|event| {
            let reason = event.details.get("reason").cloned().unwrap_or_default();
            (event.action, event.outcome, reason)
        })
        .collect();
    events.reverse();
    events
}

#[tokio::test]
async fn what_people_ask_is_handed_on_in_their_name_and_audited() {
    let world = World::new().await;
    world.domain("corp").await;
    let name = format!("domains/-/syncRuns/{RUN}");

    let run = world
        .syncs()
        .start_sync(start("domains/corp"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(run.name, format!("domains/corp/syncRuns/{RUN}"));
    let approve = ApproveSyncRunRequest {
        name: name.clone(),
        ..Default::default()
    };
    world.syncs().approve_sync_run(approve).await.unwrap();
    world
        .connector
        .then_fail(Failure::new(Reason::RunNotHeld, "not held").into_status());
    let reject = RejectSyncRunRequest {
        name: run.name,
        requested_by: "x".into(),
    };
    let refused = world.syncs().reject_sync_run(reject).await.unwrap_err();
    assert_eq!(
        Reason::of(&refused),
        Some(Reason::RunNotHeld),
        "the connector's own answer is handed on"
    );

    assert_eq!(
        *world.connector.requested_by.lock().unwrap(),
        ["person:olga", "person:olga", "person:olga"]
    );
    let expected = [
        ("sync.start", 1, ""),
        ("sync.approve", 1, ""),
        ("sync.reject", 3, "RUN_NOT_HELD"),
    ];
    let expected =
        expected.map(|(action, outcome, reason)| (action.to_owned(), outcome, reason.to_owned()));
    assert_eq!(audited(&world).await, expected);
}

#[tokio::test]
async fn runs_are_found_listed_and_watched_across_domains() {
    let world = World::new().await;
    world.domain("corp").await;
    let name = format!("domains/-/syncRuns/{RUN}");

    let run = world
        .syncs()
        .get_sync_run(GetSyncRunRequest { name: name.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(run.name, format!("domains/corp/syncRuns/{RUN}"));

    let all = ListSyncRunsRequest {
        parent: "domains/-".into(),
        ..Default::default()
    };
    let all = world
        .syncs()
        .list_sync_runs(all)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((all.sync_runs.len(), all.next_page_token.as_str()), (1, ""));

    let watched = world
        .syncs()
        .watch_sync_run(WatchSyncRunRequest { name })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(watched.try_collect::<Vec<_>>().await.unwrap().len(), 2);

    let other = GetSyncRunRequest {
        name: "domains/-/syncRuns/00000000-0000-4000-8000-000000000001".into(),
    };
    assert_eq!(
        world.syncs().get_sync_run(other).await.unwrap_err().code(),
        Code::NotFound
    );
    let bad = GetSyncRunRequest {
        name: "nonsense".into(),
    };
    assert_eq!(
        world.syncs().get_sync_run(bad).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn a_connector_that_does_not_answer_is_said_to_be_absent() {
    let world = World::new().await;
    world.domain("corp").await;
    let unknown = world
        .syncs()
        .start_sync(start("domains/nowhere"))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    world
        .connector
        .then_fail(Status::unavailable("connection refused"));
    let status = world
        .syncs()
        .start_sync(start("domains/corp"))
        .await
        .unwrap_err();

    assert_eq!(
        (status.code(), Reason::of(&status)),
        (Code::Unavailable, Some(Reason::ServiceUnavailable))
    );
    assert!(
        status.message().contains("see that it runs"),
        "{}",
        status.message()
    );
    let reasons: Vec<_> = audited(&world)
        .await
        .into_iter()
        .map(|(_, outcome, reason)| (outcome, reason))
        .collect();
    assert_eq!(
        reasons,
        [
            (3, "NOT_FOUND".to_owned()),
            (3, "SERVICE_UNAVAILABLE".to_owned())
        ]
    );
}

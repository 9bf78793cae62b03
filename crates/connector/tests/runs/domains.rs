//! Domains: their directories, their credentials, their failures.

use std::time::Duration;

use api::connector::v1::SyncRunState;
use api::directory::v1::Presence;
use connector::{Failure, FailureReason};
use runtime::ManualClock;
use runtime::grpc::Reason;
use storage::{Sql, params};
use sync::testing::FakeSource;
use testkit::poll_until;
use tonic::Code;

use crate::{Test, corp, presences, state};

#[tokio::test]
async fn a_domain_that_fails_leaves_the_others_alone_and_says_why() {
    let test = Test::new();
    let (corp, _) = (
        test.domain("corp", corp()),
        test.domain("lab", other_directory()),
    );
    corp.set_down(Some(Failure::lasting(
        FailureReason::TlsCertificateExpired,
        "the certificate of dc1 expired yesterday",
        "Renew it.",
    )));
    let world = test.start().await;

    let (failed, well) = tokio::join!(world.sync("corp"), world.sync("lab"));

    assert_eq!(state(&well), SyncRunState::Applied);
    assert_eq!(state(&failed), SyncRunState::Failed);
    let failure = failed.failure.unwrap();
    assert_eq!(failure.reason, "TLS_CERTIFICATE_EXPIRED");
    assert_eq!(failure.remedy, "Renew it.");
    let state = world.state("corp").await;
    assert_eq!((state.consecutive_failures, state.members), (1, 0));
    world.stop().await;
}

fn other_directory() -> FakeSource {
    let mut source = FakeSource::with_users(["zoe"]);
    source.identity = sync::Identity::new([("directory", "two")]);
    source
}

#[tokio::test]
async fn a_directory_belongs_to_one_domain_and_a_domain_to_one_directory() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    test.domain("twin", corp());
    let world = test.start().await;
    world.sync("corp").await;

    let twin = world.sync("twin").await;
    directory.change(|source| source.identity = sync::Identity::new([("directory", "three")]));
    let moved = world.sync("corp").await;

    assert_eq!(twin.failure.unwrap().reason, "DIRECTORY_DUPLICATE");
    assert_eq!(moved.failure.unwrap().reason, "DIRECTORY_CHANGED");
    assert!(world.accounts("twin").await.is_empty());
    assert_eq!(world.accounts("corp").await.len(), 8);

    // Deleted, the first gives the directory up.
    test.config
        .change("corp", |domain| domain.delete_time = domain.create_time);
    world.announce("corp").await;
    let taken = poll_until(
        Duration::from_secs(60),
        "the directory to be free",
        async || {
            let run = world.sync("twin").await;
            (state(&run) == SyncRunState::Applied).then_some(())
        },
    );
    taken.await.unwrap();
    let refused = world.ask("corp", false).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::DomainDeleted));
    world.stop().await;
}

#[tokio::test]
async fn removed_credentials_stop_a_run_at_once_and_touch_nobody() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    directory.pause(true);
    directory.change(|source| source.edges.clear());
    let run = world.ask("corp", false).await.unwrap();

    test.config.remove_credentials("corp");
    world.announce("corp").await;

    let ended = world.rest(&run).await;
    assert_eq!(ended.failure.unwrap().reason, "CREDENTIALS_MISSING");
    let refused = world.ask("corp", false).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        presences(&world.accounts("corp").await)
            .values()
            .all(|p| *p == Presence::Member)
    );
    assert!(!world.state("corp").await.paused_reason.is_empty());
    // Set again, it goes on.
    directory.pause(false);
    directory.change(|source| *source = corp());
    test.config.set_credentials("corp", "svc", "other");
    assert_eq!(state(&world.sync("corp").await), SyncRunState::Unchanged);
    world.stop().await;
}

#[tokio::test]
async fn people_of_a_domain_that_is_long_gone_are_forgotten_and_no_sooner() {
    let test = Test::new();
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
    test.domain("corp", corp());
    let world = test.start_with(Some(clock.clone())).await;
    world.sync("corp").await;
    let count = async |sql: &'static str| -> i64 {
        let mut db = world.database.read().await.unwrap();
        let row = db.query_one(sql, params![]).await.unwrap();
        row.get("n").unwrap()
    };
    test.config.purge("corp");
    world.announce("corp").await;
    poll_until(Duration::from_secs(60), "it to be noticed", async || {
        let claims = count("SELECT COUNT(*) AS n FROM directory_claims").await;
        (claims == 0).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(count("SELECT COUNT(*) AS n FROM accounts").await, 8);

    clock.advance(Duration::from_hours(31 * 24));
    world.announce("corp").await;

    poll_until(Duration::from_secs(60), "it to be forgotten", async || {
        let people = "SELECT (SELECT COUNT(*) FROM accounts) + (SELECT COUNT(*) FROM known_edges) \
                      + (SELECT COUNT(*) FROM plan_items) + (SELECT COUNT(*) FROM runs) AS n";
        (count(people).await == 0).then_some(())
    })
    .await
    .unwrap();
    // Known again under the same id, it starts anew, and goes on counting.
    test.config.set(connector::testing::domain("corp"));
    assert_eq!(state(&world.sync("corp").await), SyncRunState::Applied);
    let accounts = world.accounts("corp").await;
    assert!(accounts.iter().all(|account| account.generation == 2));
    world.stop().await;
}

#[tokio::test]
async fn a_domain_whose_record_cannot_be_read_is_not_taken_for_gone() {
    let test = Test::new();
    test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;

    test.config.change("corp", |domain| domain.directory = None);
    world.announce("corp").await;
    test.domain("twin", corp());
    world.announce("twin").await;

    for _ in 0..2 {
        let twin = world.sync("twin").await;
        assert_eq!(twin.failure.unwrap().reason, "DIRECTORY_DUPLICATE");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_domain_made_anew_ends_the_plans_of_the_old_one() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    directory.change(|source| source.edges.clear());
    let held = world.sync("corp").await;
    assert_eq!(state(&held), SyncRunState::Held);

    test.config.change("corp", |domain| {
        domain.create_time.as_mut().unwrap().seconds += 1;
    });
    world.announce("corp").await;

    let ended = poll_until(Duration::from_secs(60), "the plan to end", async || {
        let run = world.run(&held.name).await;
        (state(&run) == SyncRunState::Superseded).then_some(run)
    });
    assert!(ended.await.unwrap().end_time.is_some());
    world.stop().await;
}

#[tokio::test]
async fn a_damaged_database_fails_the_run_rather_than_reading_the_directory_for_ever() {
    let test = Test::new();
    test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    let mut tx = world.database.begin().await.unwrap();
    tx.execute("UPDATE accounts SET unreadable = 'nonsense'", params![])
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let run = world.sync("corp").await;

    let failure = run.failure.unwrap();
    assert_eq!(failure.reason, "INTERNAL");
    assert!(failure.message.contains("damaged"), "{failure:?}");
    assert!(!failure.remedy.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_plan_is_not_lost_by_approving_it_while_the_sync_is_off() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    directory.change(|source| source.edges.clear());
    let held = world.sync("corp").await;
    test.config.remove_credentials("corp");
    world.announce("corp").await;
    poll_until(Duration::from_secs(60), "the sync to be off", async || {
        let paused = world.state("corp").await.paused_reason;
        (!paused.is_empty()).then_some(())
    })
    .await
    .unwrap();

    let refused = world.decide(&held, true).await.unwrap_err();

    assert_eq!(Reason::of(&refused), Some(Reason::CredentialsMissing));
    assert_eq!(state(&world.run(&held.name).await), SyncRunState::Held);
    world.decide(&held, false).await.unwrap();
    world.stop().await;
}

//! Domains: their directories, their credentials, their failures.

use std::time::Duration;

use api::connector::v1::SyncRunState;
use api::directory::v1::Presence;
use connector::{Failure, FailureReason};
use runtime::grpc::Reason;
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

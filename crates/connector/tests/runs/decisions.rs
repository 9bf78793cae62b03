//! Plans that wait for a person.

use std::time::Duration;

use api::connector::v1::{SyncRun, SyncRunState};
use api::directory::v1::Presence;
use connector::testing::{Shared, World};
use connector::{Failure, FailureReason};
use runtime::ManualClock;
use runtime::grpc::Reason;
use sync::testing::FakeSource;
use testkit::poll_until;

use crate::{Test, corp, presences, state};

/// A directory that has lost half its people.
async fn held(test: &Test) -> (Shared, World, SyncRun) {
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    directory.change(|source| {
        for n in 1..=4 {
            source.leave(FakeSource::sync_group(), FakeSource::user(n));
        }
    });
    let run = world.sync("corp").await;
    assert_eq!(state(&run), SyncRunState::Held, "{run:?}");
    (directory, world, run)
}

#[tokio::test]
async fn a_plan_that_removes_many_waits_and_is_applied_as_approved_and_nothing_else() {
    let test = Test::new();
    let (directory, world, run) = held(&test).await;
    assert!(run.hold_reasons[0].contains("4 people leaving"), "{run:?}");
    assert!(run.expire_time.is_some());
    assert!(
        presences(&world.accounts("corp").await)
            .values()
            .all(|p| *p == Presence::Member)
    );
    // Meanwhile one of them returned, and another left.
    directory.change(|source| {
        source.join(FakeSource::sync_group(), FakeSource::user(1));
        source.leave(FakeSource::sync_group(), FakeSource::user(5));
    });

    world.decide(&run, true).await.unwrap();
    let done = world.rest(&run).await;

    assert_eq!(state(&done), SyncRunState::Applied, "{done:?}");
    assert_eq!(
        (done.applied_items, done.decided_by.as_str()),
        (3, "tester")
    );
    let accounts = world.accounts("corp").await;
    let left: Vec<&str> = presences(&accounts)
        .into_iter()
        .filter(|(_, presence)| *presence == Presence::Left)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(left, ["bob", "cyd", "dee"]);
    let again = world.decide(&run, true).await.unwrap_err();
    assert_eq!(Reason::of(&again), Some(Reason::RunNotHeld));
    world.stop().await;
}

#[tokio::test]
async fn a_rejected_plan_is_not_applied_and_a_newer_one_supersedes_an_older() {
    let test = Test::new();
    let (_, world, first) = held(&test).await;

    let second = world.sync("corp").await;

    assert_eq!(state(&second), SyncRunState::Held);
    assert_eq!(
        state(&world.run(&first.name).await),
        SyncRunState::Superseded
    );
    let refused = world.decide(&first, true).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::PlanSuperseded));
    world.decide(&second, false).await.unwrap();
    assert_eq!(
        state(&world.run(&second.name).await),
        SyncRunState::Rejected
    );
    assert!(
        presences(&world.accounts("corp").await)
            .values()
            .all(|p| *p == Presence::Member)
    );
    let verbs: Vec<String> = world
        .events()
        .await
        .iter()
        .filter(|(subject, _)| subject.family() == "sync")
        .map(|(subject, _)| subject.verb().to_owned())
        .collect();
    assert_eq!(verbs, ["applied", "held", "superseded", "held", "rejected"]);
    world.stop().await;
}

#[tokio::test]
async fn nobody_decides_for_a_week_and_the_plan_expires() {
    let test = Test::new();
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
    let directory = test.domain("corp", corp());
    let world = test.start_with(Some(clock.clone())).await;
    world.sync("corp").await;
    directory.change(|source| source.edges.clear());
    let run = world.sync("corp").await;
    assert_eq!(state(&run), SyncRunState::Held, "{run:?}");
    // Nothing else may end it first.
    directory.set_down(Some(Failure::lasting(FailureReason::BindRefused, "no", "")));

    clock.advance(Duration::from_hours(7 * 24));

    let ended = poll_until(Duration::from_secs(60), "the plan to expire", async || {
        let found = world.run(&run.name).await;
        (state(&found) != SyncRunState::Held).then_some(found)
    });
    assert_eq!(state(&ended.await.unwrap()), SyncRunState::Expired);
    world.stop().await;
}

#[tokio::test]
async fn a_scheduled_run_leaves_a_held_plan_to_who_looks_at_it_until_there_is_another() {
    let test = Test::new();
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
    let directory = test.domain("corp", corp());
    let world = test.start_with(Some(clock.clone())).await;
    world.sync("corp").await;
    // Runs of one millisecond have no order.
    clock.advance(Duration::from_secs(1));
    directory.change(|source| {
        for n in 1..=4 {
            source.leave(FakeSource::sync_group(), FakeSource::user(n));
        }
    });
    let held = world.sync("corp").await;
    assert_eq!(state(&held), SyncRunState::Held, "{held:?}");
    let scheduled = async |after: &SyncRun| {
        clock.advance(Duration::from_secs(3960));
        poll_until(Duration::from_secs(60), "a scheduled run", async || {
            let newest = world.newest("corp").await;
            let ended = newest.name != after.name && newest.requested_by == "schedule";
            let resting =
                ended && (newest.end_time.is_some() || state(&newest) == SyncRunState::Held);
            resting.then_some(newest)
        })
        .await
        .unwrap()
    };
    // Nothing that a person decides on.
    directory.change(|source| {
        source.change(FakeSource::user(5), |account| account.state.locked = true);
    });

    let same = scheduled(&held).await;

    assert_eq!(state(&same), SyncRunState::Superseded, "{same:?}");
    assert_eq!(state(&world.run(&held.name).await), SyncRunState::Held);
    let shown = world.state("corp").await.last_run.unwrap();
    assert_eq!(shown.name, held.name);

    directory.change(|source| source.leave(FakeSource::sync_group(), FakeSource::user(6)));
    let other = scheduled(&same).await;

    assert_eq!(state(&other), SyncRunState::Held, "{other:?}");
    let first = world.run(&held.name).await;
    assert_eq!(state(&first), SyncRunState::Superseded);
    let verbs: Vec<String> = world
        .events()
        .await
        .iter()
        .filter(|(subject, _)| subject.family() == "sync")
        .map(|(subject, _)| subject.verb().to_owned())
        .collect();
    assert_eq!(verbs, ["applied", "held", "superseded", "held"]);
    world.decide(&other, true).await.unwrap();
    let done = world.rest(&other).await;
    assert_eq!(
        (state(&done), done.applied_items),
        (SyncRunState::Applied, 6)
    );
    assert!(!done.hold_reasons.is_empty(), "{done:?}");
    world.stop().await;
}

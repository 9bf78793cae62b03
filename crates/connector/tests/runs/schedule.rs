//! When runs run.

use std::time::Duration;

use api::connector::v1::SyncRunState;
use connector::testing::World;
use connector::{Failure, FailureReason};
use runtime::ManualClock;
use sync::testing::FakeSource;
use testkit::poll_until;

use crate::{Test, corp, not_nested, state};

#[tokio::test]
async fn a_domain_is_synced_on_its_interval_and_a_restart_does_not_start_it_early() {
    let test = Test::new();
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
    test.domain("corp", corp());
    let world = test.start_with(Some(clock.clone())).await;
    let next = async |world: &World| {
        poll_until(
            Duration::from_secs(60),
            "a time for the next run",
            async || world.state("corp").await.next_run_time,
        )
        .await
        .unwrap()
    };
    let planned = next(&world).await;
    let wait = planned.seconds - clock_seconds(&clock);
    assert!((3240..=3960).contains(&wait), "{wait}");
    world.stop().await;

    let world = test.start_with(Some(clock.clone())).await;
    assert_eq!(next(&world).await, planned);
    assert!(world.state("corp").await.last_run.is_none());
    clock.advance(Duration::from_secs(3960));

    let run = poll_until(Duration::from_secs(60), "the scheduled run", async || {
        let run = world.state("corp").await.last_success;
        run.filter(|run| run.end_time.is_some())
    });
    let run = run.await.unwrap();
    assert_eq!(run.requested_by, "schedule");
    assert_eq!(world.state("corp").await.members, 8);
    world.stop().await;
}

fn clock_seconds(clock: &ManualClock) -> i64 {
    runtime::Clock::now(clock).as_second()
}

#[tokio::test]
async fn one_run_at_a_time_and_a_second_question_gets_the_waiting_run() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    directory.pause(true);
    let world = test.start().await;
    let first = world.ask("corp", false).await.unwrap();
    poll_until(
        Duration::from_secs(60),
        "the first run to read",
        async || {
            let run = world.run(&first.name).await;
            (state(&run) == SyncRunState::Reading).then_some(())
        },
    )
    .await
    .unwrap();

    let second = world.ask("corp", false).await.unwrap();
    let third = world.ask("corp", false).await.unwrap();
    let dry = world.ask("corp", true).await.unwrap();

    assert_ne!(second.name, first.name);
    assert_eq!(third.name, second.name);
    assert_ne!(dry.name, second.name);
    assert_eq!(state(&world.run(&second.name).await), SyncRunState::Queued);
    directory.pause(false);
    assert_eq!(state(&world.rest(&first).await), SyncRunState::Applied);
    assert_eq!(state(&world.rest(&second).await), SyncRunState::Unchanged);
    assert_eq!(state(&world.rest(&dry).await), SyncRunState::Planned);
    world.stop().await;
}

#[tokio::test]
async fn a_dry_run_well_or_not_brings_no_sync_nearer_and_puts_none_off() {
    let test = Test::new();
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
    let directory = test.domain("corp", corp());
    let world = test.start_with(Some(clock.clone())).await;
    let planned = poll_until(Duration::from_secs(60), "a time", async || {
        world.state("corp").await.next_run_time
    });
    let planned = planned.await.unwrap();
    let dry = async || {
        let run = world.ask("corp", true).await.unwrap();
        state(&world.rest(&run).await)
    };
    clock.advance(Duration::from_secs(600));

    assert_eq!(dry().await, SyncRunState::Planned);
    directory.set_down(Some(Failure::passing(FailureReason::Unreachable, "no", "")));
    assert_eq!(dry().await, SyncRunState::Failed);
    // Whatever was wrong may be mended: but nobody asked for a sync.
    test.config
        .change("corp", |domain| domain.group_revision += 1);
    world.announce("corp").await;
    directory.set_down(None);
    assert_eq!(dry().await, SyncRunState::Planned);
    assert_eq!(dry().await, SyncRunState::Planned);

    let stands = world.state("corp").await;
    assert_eq!(stands.next_run_time, Some(planned));
    assert_eq!((stands.consecutive_failures, stands.members), (0, 0));
    world.stop().await;
}

#[tokio::test]
async fn a_list_of_domains_that_comes_late_takes_no_newer_settings_back() {
    let test = Test::new();
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
    let directory = test.domain("corp", corp());
    let world = test.start_with(Some(clock.clone())).await;
    world.sync("corp").await;
    directory.change(|source| {
        let nested = FakeSource::rotation_group();
        source.leave(FakeSource::sync_group(), FakeSource::user(1));
        source.join(FakeSource::sync_group(), nested);
        source.join(nested, FakeSource::user(1));
    });
    let lists = test.config.hold_lists();
    world.announce("corp").await;
    lists.until_made().await;

    test.config.change("corp", not_nested);
    // A question about the domain brings its settings of this moment.
    let told = world.ask("corp", true).await.unwrap();
    assert_eq!(world.rest(&told).await.plan.unwrap().leaves, 1);
    // The next list is asked for when the one before was taken in.
    lists.let_go(1);
    world.announce("corp").await;
    lists.until_made().await;
    clock.advance(Duration::from_secs(3960));

    let run = poll_until(Duration::from_secs(60), "the scheduled run", async || {
        // To ask for how the sync stands would bring the settings of that moment.
        let run = world.newest("corp").await;
        (run.requested_by == "schedule" && run.end_time.is_some()).then_some(run)
    });
    assert_eq!(run.await.unwrap().plan.unwrap().leaves, 1);
    lists.let_go(100);
    world.stop().await;
}

//! R7, R10, F7: what clocks, restarts and old databases must not do.

use api::rotation::v1::RotationState;
use jiff::SignedDuration;

use crate::world::{A_WEEK_AND_A_DAY, FIRST, World, poll, seconds};

const DAY: SignedDuration = SignedDuration::from_hours(24);

#[tokio::test]
async fn a_clock_that_is_a_day_off_either_way_rotates_nobody() {
    for skew in [DAY, -DAY] {
        let mut world = World::new().await;
        let people = world.people(3).await;
        for (_, key) in &people {
            world.come(key);
        }
        world.directory.set_skew(skew);
        world.pass(A_WEEK_AND_A_DAY);

        poll("the clocks are seen to differ", async || {
            world.standing().await.clock_skewed.then_some(())
        })
        .await;
        assert_eq!(world.directory.sends(), [], "{skew:?}");

        world.directory.set_skew(SignedDuration::ZERO);
        world.pass(1);
        for (name, _) in &people {
            world.until(name, RotationState::Closed).await;
        }
    }
}

#[tokio::test]
async fn a_restart_sends_nothing_and_moves_no_due_time() {
    let mut world = World::new().await;
    let people = world.people(3).await;
    let due = |forecasts: Vec<api::rotation::v1::Forecast>| {
        let mut due: Vec<i64> = forecasts
            .iter()
            .map(|forecast| seconds(forecast.due_time))
            .collect();
        due.sort_unstable();
        due
    };
    let before = due(world.forecasts().await);

    let mut world = world.restarted().await;

    for (_, key) in &people {
        world.come(key);
    }
    poll("the keys are there", async || {
        let request = api::rotation::v1::ListTargetsRequest::default();
        let targets = world.deliveries().list_targets(request).await.ok()?;
        let targets = targets.into_inner().targets;
        targets.iter().all(|target| target.present).then_some(())
    })
    .await;
    assert_eq!(due(world.forecasts().await), before);
    assert_eq!(world.directory.sends(), []);
}

#[tokio::test]
async fn passwords_that_are_ahead_of_what_is_known_stop_the_domain_and_are_not_overwritten() {
    let mut world = World::new().await;
    let people = world.people(5).await;
    for (_, key) in &people {
        world.come(key);
    }
    world.pass(A_WEEK_AND_A_DAY);
    for (name, _) in &people {
        world.until(name, RotationState::Closed).await;
    }
    let sent = world.directory.sends().len();
    // As after the restore of a database from before the last changes: the directory has moved on.
    for (name, _) in &people {
        world.directory.change(name, |account| {
            account.version += 1;
            account.value = "theirs".to_owned();
        });
    }

    world.pass(29 * 24);

    let standing = poll("the breaker opens", async || {
        let standing = world.standing().await;
        (!standing.breaker.is_empty()).then_some(standing)
    })
    .await;
    assert_eq!(standing.breaker, "EXTERNAL_CHANGES", "{standing:?}");
    assert_eq!(world.directory.sends().len(), sent, "nothing was sent");
    for (name, _) in &people {
        assert_eq!(world.directory.value(name), "theirs");
    }
}

#[tokio::test]
async fn nothing_readable_is_left_when_a_password_is_delivered() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, key) = people.first().unwrap();
    let away = world.key(1).await;
    world.come(key);
    world.now(1).await;
    world.until(name, RotationState::Closed).await;

    let value = world.directory.value(name);
    assert_ne!(value, FIRST);
    assert_eq!(key.slots(name).current.as_deref(), Some(value.as_str()));
    let own = world.column("SELECT sealed AS value FROM rotation").await;
    assert_eq!(own, [None], "the server's own copy");
    // The key that was away has one sealed to it, which opens for it alone, and is gone once it has it.
    let sealed = world
        .column("SELECT sealed AS value FROM delivery WHERE sealed IS NOT NULL")
        .await;
    assert_eq!(sealed.len(), 1);
    world.come(&away);
    poll("the other key has it too", async || {
        (away.slots(name).current == key.slots(name).current).then_some(())
    })
    .await;
    poll("nothing sealed is left", async || {
        let sealed = world
            .column("SELECT sealed AS value FROM delivery WHERE sealed IS NOT NULL")
            .await;
        sealed.is_empty().then_some(())
    })
    .await;
}

//! R8: how many, how fast, and when a domain stops.

use std::time::Duration;

use api::config::v1::RotationPolicy;
use api::connector::v1::{Eligibility, RefusalReason};
use api::rotation::v1::{PauseDomainRequest, RotationState};

use crate::directory::Reply;
use crate::world::{A_WEEK_AND_A_DAY, World, poll, poll_long};

#[tokio::test]
async fn few_go_first_and_then_no_more_at_once_and_in_an_hour_than_is_allowed() {
    let mut world = World::with(RotationPolicy {
        at_once: Some(4),
        per_hour: Some(10),
        percent_per_hour: Some(100),
        canaries: Some(2),
        ..RotationPolicy::default()
    })
    .await;
    let people = world.people(15).await;
    for (_, key) in &people {
        world.come(key);
    }
    // Sends are held back: those that are let in are to be counted.
    let gate = world.directory.gate.clone();
    let held = gate
        .acquire_many(u32::try_from(gate.available_permits()).unwrap())
        .await
        .unwrap();
    world.pass(A_WEEK_AND_A_DAY);
    poll("the canaries are sent", async || {
        (world.directory.sends().len() == 2).then_some(())
    })
    .await;
    assert_eq!(
        world.standing().await.under_way,
        2,
        "and nobody beside them"
    );
    drop(held);

    poll("an hour's worth is done", async || {
        (world.directory.sends().len() == 10).then_some(())
    })
    .await;
    world.clock.advance(Duration::from_secs(60));
    poll("the last of them is delivered", async || {
        (world.standing().await.under_way == 0).then_some(())
    })
    .await;
    assert_eq!(world.directory.sends().len(), 10);
    assert!(world.directory.most_under_way() <= 4);

    world.pass(1);
    for (name, _) in &people {
        world.until(name, RotationState::Closed).await;
    }
    assert_eq!(world.directory.sends().len(), 15, "each once");
}

#[tokio::test]
async fn no_right_to_three_passwords_stops_the_domain_until_a_person_resumes_it() {
    let mut world = World::new().await;
    let people = world.people(4).await;
    for (name, _) in people.iter().take(3) {
        world
            .directory
            .change(name, |account| account.eligibility = Eligibility::NoRight);
    }
    for (number, (name, key)) in (1..).zip(&people).take(3) {
        world.come(key);
        world.now(number).await;
        world.until(name, RotationState::Aborted).await;
    }
    poll("the breaker opens", async || {
        (world.standing().await.breaker == "NO_RIGHT").then_some(())
    })
    .await;
    let (name, key) = people.last().unwrap();
    world.come(key);
    let answer = world.now(4).await;
    let problem = &answer.outcomes.first().unwrap().problem;
    assert!(problem.contains("stopped"), "{problem}");
    world.until(name, RotationState::Planned).await;
    assert_eq!(world.directory.sends(), []);

    world.resume().await;
    world.until(name, RotationState::Closed).await;
}

#[tokio::test]
async fn a_refused_logon_stops_the_domain_at_once() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, key) = people.first().unwrap();
    world.directory.refuse_logon(true);
    world.come(key);
    world.now(1).await;
    poll("the breaker opens", async || {
        (world.standing().await.breaker == "LOGON_REFUSED").then_some(())
    })
    .await;
    world.directory.refuse_logon(false);
    world.resume().await;
    world.clock.advance(Duration::from_secs(60));
    world.until(name, RotationState::Closed).await;
}

#[tokio::test]
async fn a_pause_and_a_closed_window_send_nothing() {
    let mut world = World::new().await;
    let people = world.people(1).await;
    let (name, key) = people.first().unwrap();
    world.come(key);
    let pause = PauseDomainRequest {
        domain: "domains/-".to_owned(),
    };
    world.rotations().pause_domain(pause).await.unwrap();
    let answer = world.now(1).await;
    let problem = &answer.outcomes.first().unwrap().problem;
    assert!(problem.contains("paused by administrator"), "{problem}");
    world.until(name, RotationState::Planned).await;
    assert_eq!(world.directory.sends(), []);

    let resume = api::rotation::v1::ResumeDomainRequest {
        domain: "domains/-".to_owned(),
    };
    world.rotations().resume_domain(resume).await.unwrap();
    world.until(name, RotationState::Closed).await;
}

/// 10,000 with `--long`.
fn many() -> u128 {
    match std::env::var_os("HES_TEST_LONG") {
        Some(_) => 10_000,
        None => 1_000,
    }
}

#[tokio::test]
async fn however_many_are_due_at_once_they_go_by_the_limits_and_stop_when_sends_fail() {
    const KEYS: u128 = 40;
    const AN_HOUR: usize = 20;
    let mut world = World::with(RotationPolicy {
        per_hour: Some(20),
        ..RotationPolicy::default()
    })
    .await;
    world.known().await;
    world.add_client("desk", 100_000).await;
    world.crowd(many()).await;
    let wanted = i32::try_from(many()).unwrap();
    poll_long("everybody rotates", async || {
        (world.standing().await.accounts == wanted).then_some(())
    })
    .await;
    world.clock.advance(Duration::from_secs(1));
    for number in 1..=KEYS {
        let key = world.key(number).await;
        world.come(&key);
    }
    world.pass(A_WEEK_AND_A_DAY);

    poll_long(
        "everybody is planned, and an hour's worth is sent",
        async || {
            let standing = world.standing().await;
            let sent = world.directory.sends().len();
            let planned = standing.waiting + i32::try_from(AN_HOUR).unwrap();
            (planned == wanted && sent == AN_HOUR && standing.under_way == 0).then_some(())
        },
    )
    .await;
    assert!(world.directory.most_under_way() <= 8);

    // From now on the directory is busy.
    let busy = Reply::Refused(RefusalReason::Other);
    world.directory.reply(&[busy; 1_000]);
    world.pass(1);
    poll_long("the breaker opens", async || {
        (world.standing().await.breaker == "FAILURES").then_some(())
    })
    .await;
    let sent = world.directory.sends().len();
    assert!(
        sent <= AN_HOUR + 8,
        "{sent} sends: those in hand when the fifth failed, and no more"
    );
}

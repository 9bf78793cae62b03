//! What every bus must do, whoever implements it. Run each of these on every implementation.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Bus, Consumer, ConsumerSpec, Delivery, Envelope, Filter, Lifetime, Received, Subject};

/// A bus that can be stopped and started.
#[async_trait]
pub trait Harness: Send {
    /// Opens the bus; the second time, with what the first left behind.
    async fn open(&mut self) -> Arc<dyn Bus>;
}

const SHORT: Duration = Duration::from_millis(50);
/// A bus on another host can't know that its consumer was killed, and waits this long.
const RESUME: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(3600);

/// An event whose id is made from `number`.
pub fn event(number: u128, what: &str) -> Envelope {
    #[expect(clippy::expect_used, reason = "a test fixture")]
    let subject = Subject::new("directory", "corp.example", what, "created").expect("a subject");
    Envelope {
        id: Uuid::from_u128(number),
        subject,
        time: jiff::Timestamp::UNIX_EPOCH,
        payload: number.to_be_bytes().to_vec(),
        traceparent: None,
    }
}

/// A consumer of all events of the family `directory`.
pub fn spec(name: &str, ack_wait: Duration) -> ConsumerSpec {
    #[expect(clippy::expect_used, reason = "a test fixture")]
    let filter = Filter::family("directory").expect("a filter");
    ConsumerSpec {
        name: name.to_owned(),
        filter,
        max_deliver: 3,
        ack_wait,
        lifetime: Lifetime::Durable,
    }
}

#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a failing bus fails the test"
)]
async fn receive(consumer: &mut Box<dyn Consumer>, limit: usize) -> Vec<Delivery> {
    let next = tokio::time::timeout(Duration::from_secs(20), consumer.next(limit));
    match next.await.expect("events in time").expect("events") {
        Received::Events(events) => events,
        Received::Gap { reason } => panic!("a gap: {reason}"),
    }
}

fn ids(deliveries: &[Delivery]) -> Vec<u128> {
    deliveries
        .iter()
        .map(|delivery| delivery.envelope.id.as_u128())
        .collect()
}

/// Runs everything, each part on names of its own.
pub async fn all(harness: &mut impl Harness) {
    events_arrive_and_resume_after_a_restart(harness).await;
    the_same_id_is_stored_once(harness).await;
    what_is_not_acknowledged_comes_again(harness).await;
    a_dead_letter_leaves_a_gap_until_it_is_closed(harness).await;
    an_event_that_is_never_answered_becomes_a_dead_letter(harness).await;
    a_filter_selects(harness).await;
}

#[expect(clippy::expect_used, reason = "a failing bus fails the test")]
async fn events_arrive_and_resume_after_a_restart(harness: &mut impl Harness) {
    let bus = harness.open().await;
    let mut consumer = bus
        .consumer(spec("resume", RESUME))
        .await
        .expect("a consumer");
    bus.publish(&[event(1, "account"), event(2, "account")])
        .await
        .expect("published");
    let first = receive(&mut consumer, 1).await;
    assert_eq!(ids(&first), [1]);
    assert_eq!(
        first.first().map(|delivery| &delivery.envelope),
        Some(&event(1, "account"))
    );
    consumer.ack(&first).await.expect("acknowledged");
    // Delivered, not acknowledged.
    assert_eq!(ids(&receive(&mut consumer, 1).await), [2]);
    drop((consumer, bus));

    let bus = harness.open().await;
    let mut consumer = bus
        .consumer(spec("resume", RESUME))
        .await
        .expect("a consumer");
    bus.publish(&[event(3, "account")])
        .await
        .expect("published");

    let mut rest = receive(&mut consumer, 10).await;
    while rest.len() < 2 {
        rest.extend(receive(&mut consumer, 10).await);
    }
    assert_eq!(ids(&rest), [2, 3]);
    consumer.ack(&rest).await.expect("acknowledged");
}

#[expect(clippy::expect_used, reason = "a failing bus fails the test")]
async fn the_same_id_is_stored_once(harness: &mut impl Harness) {
    let bus = harness.open().await;
    bus.publish(&[event(10, "once")]).await.expect("published");
    bus.publish(&[event(10, "once"), event(11, "once")])
        .await
        .expect("published");
    let mut spec = spec("once", LONG);
    spec.filter = "hes.directory.*.once.>".parse().expect("a filter");
    let mut consumer = bus.consumer(spec).await.expect("a consumer");

    let mut seen = Vec::new();
    while !seen.contains(&11) {
        let events = receive(&mut consumer, 10).await;
        seen.extend(ids(&events));
        consumer.ack(&events).await.expect("acknowledged");
    }

    assert_eq!(seen, [10, 11]);
}

#[expect(clippy::expect_used, reason = "a failing bus fails the test")]
async fn what_is_not_acknowledged_comes_again(harness: &mut impl Harness) {
    let bus = harness.open().await;
    bus.publish(&[event(20, "again")]).await.expect("published");
    let mut spec = spec("again", SHORT);
    spec.filter = "hes.directory.*.again.>".parse().expect("a filter");
    let mut consumer = bus.consumer(spec).await.expect("a consumer");

    let first = receive(&mut consumer, 10).await;
    let after_silence = receive(&mut consumer, 10).await;
    consumer
        .nack(&after_silence, Duration::ZERO)
        .await
        .expect("refused");
    let after_refusal = receive(&mut consumer, 10).await;
    consumer.ack(&after_refusal).await.expect("acknowledged");

    let attempts: Vec<_> = [first, after_silence, after_refusal]
        .into_iter()
        .flatten()
        .map(|delivery| (delivery.envelope.id.as_u128(), delivery.attempt))
        .collect();
    assert_eq!(attempts, [(20, 1), (20, 2), (20, 3)]);
    assert_eq!(bus.dead_letters("again").await.expect("an answer"), []);
}

#[expect(clippy::expect_used, reason = "a failing bus fails the test")]
async fn a_dead_letter_leaves_a_gap_until_it_is_closed(harness: &mut impl Harness) {
    let bus = harness.open().await;
    bus.publish(&[event(30, "dead")]).await.expect("published");
    let mut spec = spec("dead", LONG);
    spec.filter = "hes.directory.*.dead.>".parse().expect("a filter");
    let mut consumer = bus.consumer(spec.clone()).await.expect("a consumer");
    for attempt in 1..=3 {
        let events = receive(&mut consumer, 10).await;
        assert_eq!(events.first().map(|event| event.attempt), Some(attempt));
        consumer
            .nack(&events, Duration::ZERO)
            .await
            .expect("refused");
    }
    bus.publish(&[event(31, "dead")]).await.expect("published");
    drop((consumer, bus));

    let bus = harness.open().await;
    let mut consumer = bus.consumer(spec).await.expect("a consumer");
    assert!(matches!(
        consumer.next(10).await.expect("an answer"),
        Received::Gap { .. }
    ));
    assert!(matches!(
        consumer.next(10).await.expect("an answer"),
        Received::Gap { .. }
    ));
    consumer.close_gap().await.expect("closed");

    assert_eq!(ids(&receive(&mut consumer, 10).await), [31]);
    let dead = bus.dead_letters("dead").await.expect("an answer");
    let dead: Vec<_> = dead
        .iter()
        .map(|letter| (letter.envelope.clone(), letter.attempts))
        .collect();
    assert_eq!(dead, [(event(30, "dead"), 3)]);
}

#[expect(clippy::expect_used, reason = "a failing bus fails the test")]
async fn an_event_that_is_never_answered_becomes_a_dead_letter(harness: &mut impl Harness) {
    let bus = harness.open().await;
    bus.publish(&[event(50, "silent")])
        .await
        .expect("published");
    let mut spec = spec("silent", SHORT);
    spec.filter = "hes.directory.*.silent.>".parse().expect("a filter");
    let mut consumer = bus.consumer(spec).await.expect("a consumer");

    for _ in 1..=3 {
        assert_eq!(ids(&receive(&mut consumer, 10).await), [50]);
    }

    let told = tokio::time::timeout(Duration::from_secs(20), consumer.next(10));
    assert!(matches!(
        told.await.expect("an answer in time").expect("an answer"),
        Received::Gap { .. }
    ));
    let dead = bus.dead_letters("silent").await.expect("an answer");
    assert_eq!(dead.len(), 1);
}

#[expect(clippy::expect_used, reason = "a failing bus fails the test")]
async fn a_filter_selects(harness: &mut impl Harness) {
    let bus = harness.open().await;
    let mut other = event(40, "selected");
    other.subject = "hes.config.corp.selected.created"
        .parse()
        .expect("a subject");
    bus.publish(&[event(41, "unselected"), other, event(42, "selected")])
        .await
        .expect("published");
    let mut spec = spec("filter", LONG);
    spec.filter = "hes.directory.corp%2Eexample.selected.*"
        .parse()
        .expect("a filter");

    let mut consumer = bus.consumer(spec).await.expect("a consumer");

    assert_eq!(ids(&receive(&mut consumer, 10).await), [42]);
}

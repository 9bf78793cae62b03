use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::conformance::{self, Harness};

fn system_clock() -> Now {
    #[expect(clippy::disallowed_methods, reason = "redelivery happens in real time")]
    Arc::new(Timestamp::now)
}

struct OnDisk {
    directory: tempfile::TempDir,
    open: Option<EmbeddedBus>,
}

#[async_trait]
impl Harness for OnDisk {
    async fn open(&mut self) -> Arc<dyn Bus> {
        if let Some(bus) = self.open.take() {
            bus.close().await;
        }
        let path = self.directory.path().join("bus.db");
        let bus = EmbeddedBus::open(&path, system_clock()).await.unwrap();
        self.open = Some(bus.clone());
        Arc::new(bus)
    }
}

#[tokio::test]
async fn the_embedded_bus_is_a_bus() {
    let directory = tempfile::tempdir().unwrap();

    conformance::all(&mut OnDisk {
        directory,
        open: None,
    })
    .await;
}

#[tokio::test]
async fn a_consumer_away_for_longer_than_events_are_kept_finds_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let day = Arc::new(AtomicI64::new(0));
    let clock = day.clone();
    let now: Now = Arc::new(move || {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * clock.load(Ordering::SeqCst))
    });
    let bus = EmbeddedBus::open(&directory.path().join("bus.db"), now)
        .await
        .unwrap();
    let spec = conformance::spec("away", std::time::Duration::from_secs(60));
    drop(bus.consumer(spec.clone()).await.unwrap());
    bus.publish(&[conformance::event(1, "account")])
        .await
        .unwrap();

    day.store(8, Ordering::SeqCst);
    bus.publish(&[conformance::event(2, "account")])
        .await
        .unwrap();

    let mut consumer = bus.consumer(spec).await.unwrap();
    assert!(matches!(
        consumer.next(10).await.unwrap(),
        Received::Gap { .. }
    ));
    consumer.close_gap().await.unwrap();
    let Received::Events(events) = consumer.next(10).await.unwrap() else {
        panic!("the gap was closed");
    };
    assert_eq!(events.len(), 1);
}

/// A bus whose clock stands still.
async fn frozen(directory: &tempfile::TempDir) -> EmbeddedBus {
    let path = directory.path().join("bus.db");
    let now: Now = Arc::new(|| Timestamp::UNIX_EPOCH);
    EmbeddedBus::open(&path, now).await.unwrap()
}

async fn events(consumer: &mut Box<dyn Consumer>) -> Vec<u128> {
    let Received::Events(events) = consumer.next(100).await.unwrap() else {
        panic!("a gap");
    };
    let ids = events.iter().map(|event| event.envelope.id.as_u128());
    ids.collect()
}

#[tokio::test]
async fn an_event_that_kills_its_consumer_takes_no_other_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let spec = conformance::spec("killed", std::time::Duration::from_secs(60));
    let bus = frozen(&directory).await;
    let batch: Vec<_> = (1..=5)
        .map(|id| conformance::event(id, "account"))
        .collect();
    bus.publish(&batch).await.unwrap();
    bus.close().await;

    // Event 3 kills the process whenever it is delivered, before the others of its batch are acknowledged.
    let mut done = Vec::new();
    let mut gap = false;
    while !gap {
        let bus = frozen(&directory).await;
        let mut consumer = bus.consumer(spec.clone()).await.unwrap();
        loop {
            let Received::Events(events) = consumer.next(100).await.unwrap() else {
                gap = true;
                break;
            };
            let ids = events.iter().map(|event| event.envelope.id.as_u128());
            let ids: Vec<_> = ids.collect();
            if ids.contains(&3) {
                break;
            }
            consumer.ack(&events).await.unwrap();
            done.extend(ids);
        }
        bus.close().await;
    }

    let bus = frozen(&directory).await;
    let dead = bus.dead_letters("killed").await.unwrap();
    let dead: Vec<_> = dead.iter().map(|dead| dead.envelope.id.as_u128()).collect();
    assert_eq!(dead, [3]);
    let mut consumer = bus.consumer(spec).await.unwrap();
    consumer.close_gap().await.unwrap();
    bus.publish(&[conformance::event(6, "account")])
        .await
        .unwrap();
    let mut rest = events(&mut consumer).await;
    while rest.last() != Some(&6) {
        rest.extend(events(&mut consumer).await);
    }
    done.extend(rest);
    done.sort_unstable();
    done.dedup();
    assert_eq!(done, [1, 2, 4, 5, 6]);
}

#[tokio::test]
async fn a_consumer_new_to_a_stream_that_forgot_events_finds_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let day = Arc::new(AtomicI64::new(0));
    let clock = day.clone();
    let now: Now = Arc::new(move || {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * clock.load(Ordering::SeqCst))
    });
    let bus = EmbeddedBus::open(&directory.path().join("bus.db"), now)
        .await
        .unwrap();
    for (id, today) in [(1, 0), (2, 8)] {
        day.store(today, Ordering::SeqCst);
        bus.publish(&[conformance::event(id, "account")])
            .await
            .unwrap();
    }

    let spec = conformance::spec("new", std::time::Duration::from_secs(60));
    let mut consumer = bus.consumer(spec).await.unwrap();

    assert!(matches!(
        consumer.next(10).await.unwrap(),
        Received::Gap { .. }
    ));
    consumer.close_gap().await.unwrap();
    assert_eq!(events(&mut consumer).await, [2]);
}

#[tokio::test]
async fn a_consumer_whose_filter_changed_finds_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let bus = frozen(&directory).await;
    let mut spec = conformance::spec("changed", std::time::Duration::from_secs(60));
    spec.filter = "hes.directory.*.account.>".parse().unwrap();
    bus.publish(&[
        conformance::event(1, "account"),
        conformance::event(2, "group"),
    ])
    .await
    .unwrap();
    let mut consumer = bus.consumer(spec.clone()).await.unwrap();
    assert_eq!(events(&mut consumer).await, [1]);
    drop(consumer);

    spec.filter = "hes.directory.*.group.>".parse().unwrap();
    let mut consumer = bus.consumer(spec).await.unwrap();

    assert!(matches!(
        consumer.next(10).await.unwrap(),
        Received::Gap { .. }
    ));
    consumer.close_gap().await.unwrap();
    bus.publish(&[conformance::event(3, "group")])
        .await
        .unwrap();
    assert_eq!(events(&mut consumer).await, [3]);
}

#[tokio::test]
async fn events_for_others_are_passed_over_in_few_steps() {
    let directory = tempfile::tempdir().unwrap();
    let bus = frozen(&directory).await;
    let mut batch: Vec<_> = (1..=2_000)
        .map(|id| conformance::event(id, "account"))
        .collect();
    batch.push(conformance::event(2_001, "group"));
    bus.publish(&batch).await.unwrap();
    let mut spec = conformance::spec("sparse", std::time::Duration::from_secs(60));
    spec.filter = "hes.directory.*.group.>".parse().unwrap();
    let mut consumer = bus.consumer(spec).await.unwrap();

    let Received::Events(found) = consumer.next(1).await.unwrap() else {
        panic!("a gap");
    };

    assert_eq!(found[0].sequence, 2_001);
}

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

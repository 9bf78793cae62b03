use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use storage::Migrations;

use super::*;
use crate::bus::Cause;
use crate::conformance::event;
use crate::{Consumer, ConsumerSpec, DeadLetter, Envelope};

/// Remembers what it was told, and can be down.
#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<Envelope>>,
    failures_left: Mutex<u32>,
    told: Notify,
}

#[async_trait]
impl Bus for Recorder {
    async fn publish(&self, events: &[Envelope]) -> Result<(), BusError> {
        let mut left = self.failures_left.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            let down: Cause = Arc::new(std::io::Error::other("down"));
            return Err(BusError::Publish(down));
        }
        self.events.lock().unwrap().extend_from_slice(events);
        self.told.notify_one();
        Ok(())
    }

    async fn consumer(&self, _: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError> {
        unreachable!("the relay only publishes")
    }

    async fn check(&self) -> Result<(), BusError> {
        unreachable!("the relay only publishes")
    }

    async fn dead_letters(&self, _: &str) -> Result<Vec<DeadLetter>, BusError> {
        unreachable!("the relay only publishes")
    }
}

impl Recorder {
    fn ids(&self) -> Vec<u128> {
        self.events
            .lock()
            .unwrap()
            .iter()
            .map(|event| event.id.as_u128())
            .collect()
    }
}

async fn database(directory: &tempfile::TempDir) -> Database {
    let settings = storage::testing::settings(&directory.path().join("test.db")).await;
    Database::open_migrated(&settings, &Migrations::NONE)
        .await
        .unwrap()
}

async fn commit(database: &Database, number: u128) {
    let mut transaction = database.begin().await.unwrap();
    outbox::append(&mut transaction, [&event(number, "account")])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

fn relay(database: &Database, bus: &Arc<Recorder>, owner: &str) -> Relay {
    let now: Now = Arc::new(|| Timestamp::UNIX_EPOCH);
    Relay::new(database.clone(), bus.clone(), now, "test", owner.to_owned())
}

#[tokio::test]
async fn what_is_committed_is_published_once_and_what_is_not_never() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(&directory).await;
    let bus = Arc::new(Recorder::default());
    let relay = relay(&database, &bus, "one");
    commit(&database, 1).await;
    let mut transaction = database.begin().await.unwrap();
    outbox::append(&mut transaction, [&event(2, "account")])
        .await
        .unwrap();
    drop(transaction);
    commit(&database, 3).await;

    relay.drain().await.unwrap();
    relay.drain().await.unwrap();

    assert_eq!(bus.ids(), [1, 3]);
}

#[tokio::test]
async fn a_bus_that_was_down_gets_everything_when_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(&directory).await;
    let bus = Arc::new(Recorder::default());
    *bus.failures_left.lock().unwrap() = 2;
    commit(&database, 1).await;
    let relay = relay(&database, &bus, "one");

    assert!(relay.drain().await.is_err());
    assert!(relay.drain().await.is_err());
    relay.drain().await.unwrap();

    assert_eq!(bus.ids(), [1]);
    let mut reader = database.read().await.unwrap();
    assert_eq!(outbox::depth(&mut reader).await.unwrap(), 0);
}

#[tokio::test]
async fn of_two_relays_one_works_until_the_outbox_is_empty_or_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(&directory).await;
    let bus = Arc::new(Recorder::default());
    let (first, second) = (relay(&database, &bus, "one"), relay(&database, &bus, "two"));
    commit(&database, 1).await;
    *bus.failures_left.lock().unwrap() = 1;
    first.drain().await.unwrap_err();

    second.drain().await.unwrap();
    assert_eq!(bus.ids(), [], "the first relay is at it");
    first.drain().await.unwrap();
    assert_eq!(bus.ids(), [1]);
    commit(&database, 2).await;
    second.drain().await.unwrap();
    assert_eq!(bus.ids(), [1, 2], "the first relay had emptied the outbox");

    commit(&database, 3).await;
    *bus.failures_left.lock().unwrap() = 2;
    first.drain().await.unwrap_err();
    let stop = CancellationToken::new();
    stop.cancel();
    first.run(stop).await;
    second.drain().await.unwrap();
    assert_eq!(bus.ids(), [1, 2, 3], "the first relay had stopped");
}

#[tokio::test]
async fn a_wake_up_publishes_without_waiting_for_the_poll() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(&directory).await;
    let bus = Arc::new(Recorder::default());
    let relay = relay(&database, &bus, "one");
    let (waker, stop) = (relay.waker(), CancellationToken::new());
    let running = relay.run(stop.clone());

    let act = async {
        commit(&database, 1).await;
        waker.wake();
        tokio::time::timeout(Duration::from_secs(20), bus.told.notified())
            .await
            .unwrap();
        stop.cancel();
    };
    tokio::join!(running, act);

    assert_eq!(bus.ids(), [1]);
}

//! JetStream is a bus, on a real NATS server that is stopped, killed, paused and closed to strangers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "code of tests: a failure here is a failed test"
)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use events::conformance::{self, Harness, event, spec};
use events::jetstream::{JetStreamBus, Settings};
use events::{Bus, Consumer, Received};
use testkit::ca::Ca;
use testkit::nats::{Nats, Security};
use testkit::poll_until;

fn at(server: &Nats) -> Settings {
    Settings {
        servers: vec![server.url()],
        ..Settings::default()
    }
}

async fn connect(server: &Nats) -> JetStreamBus {
    JetStreamBus::connect(&at(server)).await.unwrap()
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

async fn events(consumer: &mut Box<dyn Consumer>, limit: usize) -> Vec<events::Delivery> {
    let next = tokio::time::timeout(Duration::from_secs(30), consumer.next(limit));
    match next.await.unwrap().unwrap() {
        Received::Events(events) => events,
        Received::Gap { reason } => panic!("a gap: {reason}"),
    }
}

fn ids(deliveries: &[events::Delivery]) -> Vec<u128> {
    deliveries
        .iter()
        .map(|delivery| delivery.envelope.id.as_u128())
        .collect()
}

/// Opens a new client each time, and starts the server anew in between.
struct Restarting {
    server: Nats,
    bus: Option<JetStreamBus>,
}

#[async_trait]
impl Harness for Restarting {
    async fn open(&mut self) -> Arc<dyn Bus> {
        if let Some(bus) = self.bus.take() {
            bus.close().await;
            self.server.kill();
            self.server.start_again().await.unwrap();
        }
        let bus = connect(&self.server).await;
        until_connected(Arc::new(bus.clone())).await;
        self.bus = Some(bus.clone());
        Arc::new(bus)
    }
}

/// Not `poll_until`, whose future isn't `Send`.
async fn until_connected(bus: Arc<dyn Bus>) {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_500 {
        if bus.dead_letters("nobody").await.is_ok() {
            return;
        }
        again.tick().await;
    }
    panic!("no connection");
}

#[tokio::test]
async fn jetstream_is_a_bus() {
    let server = Nats::start().await.unwrap();

    conformance::all(&mut Restarting { server, bus: None }).await;
}

#[tokio::test]
async fn what_is_published_while_the_server_is_killed_is_there_once_it_says_so() {
    let server = Nats::start().await.unwrap();
    let bus = connect(&server).await;
    until_connected(Arc::new(bus.clone())).await;
    let batch: Vec<_> = (1..=500).map(|number| event(number, "account")).collect();

    let publishing = bus.publish(&batch);
    let killing = async {
        server.kill();
        server.start_again().await.unwrap();
    };
    let (_, ()) = tokio::join!(publishing, killing);
    // As a relay does until it has heard that all is stored.
    poll_until(
        Duration::from_secs(60),
        "the batch to be stored",
        async || bus.publish(&batch).await.ok(),
    )
    .await
    .unwrap();

    let mut consumer = bus
        .consumer(spec("killed", Duration::from_secs(60)))
        .await
        .unwrap();
    let mut seen = Vec::new();
    while seen.len() < batch.len() {
        let deliveries = events(&mut consumer, 200).await;
        seen.extend(ids(&deliveries));
        consumer.ack(&deliveries).await.unwrap();
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=500).collect::<Vec<u128>>());
}

#[tokio::test]
async fn two_that_open_one_consumer_share_its_events() {
    let server = Nats::start().await.unwrap();
    let (one, two) = (connect(&server).await, connect(&server).await);
    until_connected(Arc::new(one.clone())).await;
    until_connected(Arc::new(two.clone())).await;
    let spec = spec("shared", Duration::from_secs(60));
    let (mut first, mut second) = tokio::join!(one.consumer(spec.clone()), two.consumer(spec));
    let (first, second) = (first.as_mut().unwrap(), second.as_mut().unwrap());
    let batch: Vec<_> = (1..=40).map(|number| event(number, "account")).collect();
    one.publish(&batch).await.unwrap();

    let mut seen = Vec::new();
    while seen.len() < batch.len() {
        let (mut by_first, mut by_second) = (Vec::new(), Vec::new());
        tokio::select! {
            events = events(first, 5) => by_first = events,
            events = events(second, 5) => by_second = events,
        }
        first.ack(&by_first).await.unwrap();
        second.ack(&by_second).await.unwrap();
        seen.extend(ids(&by_first).into_iter().chain(ids(&by_second)));
    }

    seen.sort_unstable();
    assert_eq!(seen, (1..=40).collect::<Vec<u128>>());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_no_hang_and_no_loss() {
    let server = Nats::start().await.unwrap();
    let bus = connect(&server).await;
    bus.publish(&[event(1, "account")]).await.unwrap();

    let second = [event(2, "account")];
    server.pause();
    let publishing = tokio::time::timeout(Duration::from_secs(30), bus.publish(&second));
    let answer = publishing.await.expect("an answer in time");
    server.resume();

    assert!(answer.is_err());
    poll_until(
        Duration::from_secs(60),
        "the event to be stored",
        async || bus.publish(&[event(2, "account")]).await.ok(),
    )
    .await
    .unwrap();
    let mut consumer = bus
        .consumer(spec("paused", Duration::from_secs(60)))
        .await
        .unwrap();
    let mut seen = events(&mut consumer, 10).await;
    while seen.len() < 2 {
        seen.extend(events(&mut consumer, 10).await);
    }
    assert_eq!(ids(&seen), [1, 2]);
}

#[tokio::test]
async fn a_server_that_is_down_at_the_start_is_waited_for() {
    let server = Nats::start().await.unwrap();
    server.stop().await.unwrap();
    let bus = connect(&server).await;

    let early = bus.publish(&[event(1, "account")]).await.unwrap_err();
    server.start_again().await.unwrap();

    let said = chain(&early);
    assert!(said.contains("no answer in time"), "{said}");
    until_connected(Arc::new(bus.clone())).await;
    bus.publish(&[event(1, "account")]).await.unwrap();
}

#[tokio::test]
async fn a_server_must_prove_its_name_and_clients_theirs() {
    let ca = Ca::new("NATS authority").unwrap();
    let stranger = Ca::new("another authority").unwrap();
    let server = Nats::start_with(Security {
        ca: Some(ca.clone()),
        user: Some(("hes".to_owned(), "right-canary".to_owned())),
    })
    .await
    .unwrap();
    let password = |text: &str| {
        let path = ca.folder().join(text);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        path
    };
    let right = Settings {
        ca_file: ca.file(),
        user: "hes".to_owned(),
        password_file: password("right-canary"),
        ..at(&server)
    };
    let said = async |settings: &Settings| {
        let bus = JetStreamBus::connect(settings).await.unwrap();
        chain(&bus.publish(&[event(1, "account")]).await.unwrap_err())
    };

    let wrong_ca = Settings {
        ca_file: stranger.file(),
        ..right.clone()
    };
    let wrong_password = Settings {
        password_file: password("wrong-canary"),
        ..right.clone()
    };
    let (untrusted, refused) = tokio::join!(said(&wrong_ca), said(&wrong_password));
    let bus = JetStreamBus::connect(&right).await.unwrap();
    until_connected(Arc::new(bus.clone())).await;

    bus.publish(&[event(1, "account")]).await.unwrap();
    assert!(untrusted.contains("UnknownIssuer"), "{untrusted}");
    assert!(refused.contains("authorization violation"), "{refused}");
    assert!(!refused.contains("canary"), "{refused}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_with_what_is_wrong() {
    let with = async |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        match JetStreamBus::connect(&settings).await {
            Ok(_) => panic!("it connected"),
            Err(error) => chain(&error),
        }
    };

    let none = with(|settings| settings.servers.clear()).await;
    let odd = with(|settings| settings.servers = vec!["http://127.0.0.1".to_owned()]).await;
    let replicas = with(|settings| settings.replicas = 2).await;
    let missing = with(|settings| settings.ca_file = "/nowhere/ca.pem".into()).await;

    assert!(none.contains("at least one"), "{none}");
    assert!(odd.contains("`http://127.0.0.1`"), "{odd}");
    assert!(replicas.contains("1, 3 or 5"), "{replicas}");
    assert!(missing.contains("/nowhere/ca.pem"), "{missing}");
}

/// Events that are older than the stream keeps look to a consumer as if an operator had purged them.
#[tokio::test]
async fn events_that_went_before_they_were_delivered_are_a_gap_until_it_is_closed() {
    let server = Nats::start().await.unwrap();
    let bus = connect(&server).await;
    let spec = spec("away", Duration::from_secs(60));
    let mut consumer = bus.consumer(spec.clone()).await.unwrap();
    bus.publish(&[
        event(1, "account"),
        event(2, "account"),
        event(3, "account"),
    ])
    .await
    .unwrap();
    let first = events(&mut consumer, 1).await;
    consumer.ack(&first).await.unwrap();
    drop(consumer);
    let client = async_nats::connect(server.url()).await.unwrap();
    let stream = async_nats::jetstream::new(client)
        .get_stream("hes_directory")
        .await
        .unwrap();
    stream.purge().sequence(3).await.unwrap();

    let mut consumer = bus.consumer(spec.clone()).await.unwrap();
    for _ in 0..2 {
        let told = consumer.next(10).await.unwrap();
        assert!(matches!(told, Received::Gap { .. }), "{told:?}");
    }
    drop(consumer);
    let mut again = connect(&server).await.consumer(spec.clone()).await.unwrap();
    assert!(matches!(
        again.next(10).await.unwrap(),
        Received::Gap { .. }
    ));
    again.close_gap().await.unwrap();

    let rest = events(&mut again, 10).await;
    assert_eq!(ids(&rest), [3]);
    again.ack(&rest).await.unwrap();
    // All was told since: nothing is missed when it is opened once more.
    drop(again);
    bus.publish(&[event(4, "account")]).await.unwrap();
    let mut once_more = bus.consumer(spec).await.unwrap();
    assert_eq!(ids(&events(&mut once_more, 10).await), [4]);
}

#[tokio::test]
async fn a_stream_that_is_not_as_it_must_be_is_adjusted_or_refused() {
    use async_nats::jetstream::stream::{Config, RetentionPolicy};

    let server = Nats::start().await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let make = async |name: &str, config: Config| {
        let family = name.trim_start_matches("hes_").to_owned();
        context
            .create_stream(Config {
                name: name.to_owned(),
                subjects: vec![format!("hes.{family}.>")],
                ..config
            })
            .await
            .unwrap()
    };
    let short = Config {
        max_age: Duration::from_secs(3600),
        max_bytes: 1 << 20,
        ..Config::default()
    };
    let mut adjusted = make("hes_directory", short).await;
    let queue = Config {
        retention: RetentionPolicy::WorkQueue,
        ..Config::default()
    };
    make("hes_config", queue).await;
    let bus = connect(&server).await;
    let mut of_config = event(2, "domain");
    of_config.subject = "hes.config.corp.domain.updated".parse().unwrap();

    bus.publish(&[event(1, "account")]).await.unwrap();
    let refused = chain(&bus.publish(&[of_config]).await.unwrap_err());

    let config = adjusted.info().await.unwrap().config.clone();
    assert_eq!(config.max_age, Duration::from_secs(7 * 24 * 3600));
    // An operator's own limit stays.
    assert_eq!(config.max_bytes, 1 << 20);
    assert!(
        refused.contains("`hes_config` exists with another retention"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_by_its_version() {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let old = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let info = r#"{"server_id":"old","version":"2.8.4","proto":1,"host":"127.0.0.1","port":4222,"headers":true,"max_payload":1048576}"#;
            stream
                .write_all(format!("INFO {info}\r\n").as_bytes())
                .await
                .unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                if line.starts_with("PING") {
                    stream.write_all(b"PONG\r\n").await.unwrap();
                }
                line.clear();
            }
        }
    };
    let settings = Settings {
        servers: vec![format!("nats://{address}")],
        ..Settings::default()
    };
    let bus = JetStreamBus::connect(&settings).await.unwrap();

    let first = [event(1, "account")];
    let refused = tokio::select! {
        () = old => unreachable!("it answers for ever"),
        refused = bus.publish(&first) => chain(&refused.unwrap_err()),
    };

    assert!(
        refused.contains("of version 2.8.4: 2.9 is the oldest"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_event_that_kills_its_consumer_takes_no_other_with_it() {
    let server = Nats::start().await.unwrap();
    let bus = connect(&server).await;
    let spec = spec("killed", Duration::from_millis(300));
    let batch: Vec<_> = (1..=5).map(|number| event(number, "account")).collect();
    bus.publish(&batch).await.unwrap();

    // Event 3 kills the process whenever it is delivered, before the others of its batch are acknowledged. Meanwhile
    // others come, which nobody suspects.
    let (mut done, mut round, mut gap) = (Vec::new(), 0, false);
    while !gap {
        round += 1;
        bus.publish(&[event(100 + round, "account")]).await.unwrap();
        let mut consumer = bus.consumer(spec.clone()).await.unwrap();
        loop {
            let Received::Events(events) = consumer.next(100).await.unwrap() else {
                gap = true;
                break;
            };
            if ids(&events).contains(&3) {
                break;
            }
            consumer.ack(&events).await.unwrap();
            done.extend(ids(&events));
        }
    }

    let dead = bus.dead_letters("killed").await.unwrap();
    let dead: Vec<_> = dead.iter().map(|dead| dead.envelope.id.as_u128()).collect();
    assert_eq!(dead, [3]);
    let mut consumer = bus.consumer(spec).await.unwrap();
    assert!(matches!(
        consumer.next(10).await.unwrap(),
        Received::Gap { .. }
    ));
    consumer.close_gap().await.unwrap();
    let expected: Vec<u128> = [1, 2, 4, 5].into_iter().chain(101..=100 + round).collect();
    while !expected.iter().all(|id| done.contains(id)) {
        let rest = events(&mut consumer, 10).await;
        consumer.ack(&rest).await.unwrap();
        done.extend(ids(&rest));
    }
}

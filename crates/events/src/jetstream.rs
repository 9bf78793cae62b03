//! The bus on NATS JetStream: a stream a family, a durable pull consumer a name.
//!
//! Kept to what nats-server 2.9 does right: no key-value buckets, one filter subject a consumer. It forgets an event
//! that was delivered too often, so the counting of attempts, dead letters and gaps are ours (docs/adr/0010).

mod connection;
mod consumer;
mod error;
mod ledger;
mod message;
mod settings;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_nats::jetstream::stream::Stream;
use async_trait::async_trait;
use tokio::sync::Mutex;

pub use self::error::ConnectError;
pub use self::settings::Settings;

use self::connection::Connection;
use self::consumer::JetStreamConsumer;
use self::error::Error;
use self::ledger::Ledger;
use crate::{Bus, BusError, Consumer, ConsumerSpec, DeadLetter, Envelope};

/// The bus of any number of processes. Cheap to clone.
#[derive(Clone)]
pub struct JetStreamBus(Arc<Shared>);

struct Shared {
    connection: Connection,
    replicas: usize,
    /// Those that were found to be right since this process connected.
    streams: Mutex<BTreeMap<String, Stream>>,
    ledger: Mutex<Option<Ledger>>,
}

impl JetStreamBus {
    /// Sets the client up. Servers that are down are waited for by each call, in the end in vain, and connected to when
    /// they come back.
    pub async fn connect(settings: &Settings) -> Result<Self, ConnectError> {
        Ok(Self(Arc::new(Shared {
            connection: Connection::open(settings).await?,
            replicas: settings.replicas,
            streams: Mutex::default(),
            ledger: Mutex::default(),
        })))
    }

    /// Sends what is on its way, and leaves.
    pub async fn close(self) {
        self.0.connection.close().await;
    }

    async fn stream(&self, family: &str) -> Result<Stream, Error> {
        let mut streams = self.0.streams.lock().await;
        if let Some(stream) = streams.get(family) {
            return Ok(stream.clone());
        }
        let wanted = streams::of_family(family, self.0.replicas);
        let stream = streams::ensure(&self.0.connection, wanted).await?;
        streams.insert(family.to_owned(), stream.clone());
        Ok(stream)
    }

    async fn ledger(&self) -> Result<Ledger, Error> {
        let mut ledger = self.0.ledger.lock().await;
        if let Some(ledger) = &*ledger {
            return Ok(ledger.clone());
        }
        let connection = self.0.connection.clone();
        let opened = Box::pin(Ledger::open(connection, self.0.replicas)).await?;
        Ok(ledger.insert(opened).clone())
    }

    /// Sends all, then waits for all to be stored: NATS takes what one connection sends in its order.
    async fn send(&self, events: &[Envelope]) -> Result<(), Error> {
        let connection = &self.0.connection;
        let doing = "store an event";
        for event in events {
            self.stream(event.subject.family()).await?;
        }
        let mut stored = Vec::with_capacity(events.len());
        for event in events {
            let sent = connection.context.publish_with_headers(
                event.subject.as_str().to_owned(),
                message::headers(event),
                event.payload.clone().into(),
            );
            stored.push(connection.ask(doing, sent).await?);
        }
        for stored in stored {
            connection.ask(doing, stored).await?;
        }
        Ok(())
    }

    async fn open(&self, spec: ConsumerSpec) -> Result<JetStreamConsumer, Error> {
        let stream = self.stream(spec.filter.stream()).await?;
        let ledger = self.ledger().await?;
        let connection = self.0.connection.clone();
        Box::pin(JetStreamConsumer::open(connection, stream, ledger, spec)).await
    }
}

#[async_trait]
impl Bus for JetStreamBus {
    async fn publish(&self, events: &[Envelope]) -> Result<(), BusError> {
        let sent = self.send(events).await;
        if sent.is_err() {
            // A server that lost its store has no stream either: look again next time.
            self.0.streams.lock().await.clear();
        }
        sent.map_err(|error| BusError::Publish(Arc::new(error)))
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError> {
        let name = spec.name.clone();
        match Box::pin(self.open(spec)).await {
            Ok(consumer) => Ok(Box::new(consumer)),
            Err(error) => {
                self.0.streams.lock().await.clear();
                *self.0.ledger.lock().await = None;
                Err(BusError::Open {
                    consumer: name,
                    source: Arc::new(error),
                })
            }
        }
    }

    async fn check(&self) -> Result<(), BusError> {
        let answered = self.0.connection.check().await;
        answered.map_err(|error| BusError::Check(Arc::new(error)))
    }

    async fn dead_letters(&self, consumer: &str) -> Result<Vec<DeadLetter>, BusError> {
        let read = async { self.ledger().await?.dead(consumer).await };
        read.await.map_err(|error| BusError::Receive {
            consumer: consumer.to_owned(),
            source: Arc::new(error),
        })
    }
}

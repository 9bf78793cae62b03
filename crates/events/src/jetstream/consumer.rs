//! A durable consumer, which several processes may have open at once: each event goes to one of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{
    AckPolicy, Consumer as NatsConsumer, DeliverPolicy, ReplayPolicy, pull,
};
use async_nats::jetstream::context::{ConsumerInfoError, ConsumerInfoErrorKind};
use async_nats::jetstream::message::{AckKind, Acker};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{ErrorCode, Message};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::future::try_join_all;
use tokio::time::Instant;

use super::connection::Connection;
use super::error::Error;
use super::ledger::{Gap, Ledger};
use super::message;
use crate::{BusError, Consumer, ConsumerSpec, DeadLetter, Delivery, Lifetime, Received};

/// From this many fruitless attempts on, an event is delivered alone: if it is what kills the process each time, those
/// delivered with it must not be given up for it.
const SUSPECT: u32 = 2;
const ASK: &str = "ask for events";
/// How long one request for events waits. A gap that another process noted is seen no later.
const WAIT: Duration = Duration::from_secs(5);
/// How often it is made sure that no events ran out of time before they were delivered.
const CHECK_EXPIRY: Duration = Duration::from_secs(60);
/// How long a consumer of a process that is gone is remembered.
const FORGET: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct JetStreamConsumer {
    connection: Connection,
    ledger: Ledger,
    stream: Stream,
    consumer: NatsConsumer<pull::Config>,
    spec: ConsumerSpec,
    /// A request for events that is not at its end. Here, so that a wait that ends early loses nothing.
    asked: Option<pull::Batch>,
    /// Received, not handed out yet.
    held: VecDeque<Message>,
    /// Handed out, not answered.
    in_hand: BTreeMap<(i64, u32), Acker>,
    gap: Option<Gap>,
    /// Events are fetched one by one: while one that was delivered before waits to be delivered again, since what is
    /// fetched with one that kills its process would count an attempt, too.
    careful: bool,
    checked: Instant,
    /// Up to which event of the stream what expired is told already.
    told_until: u64,
}

impl JetStreamConsumer {
    pub(super) async fn open(
        connection: Connection,
        stream: Stream,
        ledger: Ledger,
        spec: ConsumerSpec,
    ) -> Result<Self, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if spec.name.is_empty() || !spec.name.chars().all(plain) {
            return Err(Error::Name(spec.name));
        }
        let consumer = find_or_make(&connection, &stream, &ledger, &spec).await?;
        let mut opened = Self {
            connection,
            ledger,
            stream,
            consumer,
            spec,
            asked: None,
            held: VecDeque::new(),
            in_hand: BTreeMap::new(),
            gap: None,
            careful: true,
            checked: Instant::now(),
            told_until: 0,
        };
        opened.find_expired().await?;
        Ok(opened)
    }

    /// Events are kept for days only: notes a gap when some went that were not acknowledged, delivered or not. Done before
    /// events are asked for, which makes the server forget where it stood.
    async fn find_expired(&mut self) -> Result<(), Error> {
        let doing = "see what a consumer was told";
        let stream = self.connection.ask(doing, self.stream.get_info()).await?;
        let consumer = self.connection.ask(doing, self.consumer.get_info()).await?;
        let next = consumer.ack_floor.stream_sequence + 1;
        let first = stream.state.first_sequence;
        if next < first && next <= stream.state.last_sequence && self.told_until < first {
            let reason = "events were older than the stream keeps";
            self.ledger.mark(&self.spec.name, reason).await?;
            self.told_until = first;
        }
        Ok(())
    }

    async fn receive(&mut self, limit: usize) -> Result<Received, Error> {
        loop {
            if self.checked.elapsed() >= CHECK_EXPIRY {
                self.find_expired().await?;
                self.checked = Instant::now();
            }
            self.gap = self.ledger.gap(&self.spec.name).await?;
            if let Some(gap) = &self.gap {
                return Ok(Received::Gap {
                    reason: gap.reason.clone(),
                });
            }
            if self.held.is_empty() {
                self.fetch(limit).await?;
            }
            let deliveries = self.hand_out(limit).await?;
            if !deliveries.is_empty() {
                return Ok(Received::Events(deliveries));
            }
        }
    }

    /// Waits for a first event, then takes what else is there.
    async fn fetch(&mut self, limit: usize) -> Result<(), Error> {
        if self.asked.is_none() {
            let first = self.consumer.batch().max_messages(1).expires(WAIT);
            self.asked = Some(self.connection.ask(ASK, first.messages()).await?);
        }
        self.take().await?;
        if self.careful && self.held.iter().all(|message| attempt(message) == 1) {
            let info = self.connection.ask(ASK, self.consumer.get_info()).await?;
            self.careful = info.num_redelivered > 0;
        }
        if !self.held.is_empty() && !self.careful && self.held.len() < limit {
            let rest = self.consumer.fetch().max_messages(limit - self.held.len());
            self.asked = Some(self.connection.ask(ASK, rest.messages()).await?);
            self.take().await?;
        }
        Ok(())
    }

    /// Holds what the request brings, which a wait that ended early left open.
    async fn take(&mut self) -> Result<(), Error> {
        while let Some(batch) = &mut self.asked {
            // The server ends a batch itself. One that is gone doesn't.
            match tokio::time::timeout(WAIT * 2, batch.next()).await {
                Ok(Some(Ok(message))) => self.held.push_back(message),
                Ok(Some(Err(error))) => {
                    self.asked = None;
                    return Err(self.connection.failed(ASK, error.into()));
                }
                Ok(None) => self.asked = None,
                Err(_elapsed) => {
                    self.asked = None;
                    return Err(self.connection.no_answer());
                }
            }
        }
        Ok(())
    }

    /// Events to be delivered together; what was tried too often or is no event is given up.
    async fn hand_out(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        let mut deliveries = Vec::new();
        while deliveries.len() < limit
            && let Some(message) = self.held.front()
        {
            let (sequence, attempt) = (sequence(message), attempt(message));
            let suspect = attempt > SUSPECT;
            if suspect && !deliveries.is_empty() {
                break;
            }
            let envelope =
                message::envelope(&message.subject, message.headers.as_ref(), &message.payload);
            let Some(message) = self.held.pop_front() else {
                break;
            };
            let (_, acker) = message.split();
            let Some(envelope) = envelope else {
                tracing::warn!(sequence, "passed over a message that is no event");
                self.settle(&acker).await?;
                continue;
            };
            let delivery = Delivery {
                envelope,
                sequence,
                attempt,
            };
            if attempt > self.spec.max_deliver {
                // Never answered, not even the last time.
                self.bury(&delivery, &acker, self.spec.max_deliver).await?;
                continue;
            }
            self.careful |= suspect;
            self.in_hand.retain(|(of, _), _| *of != sequence);
            self.in_hand.insert((sequence, attempt), acker);
            deliveries.push(delivery);
            if suspect {
                break;
            }
        }
        Ok(deliveries)
    }

    async fn bury(&self, delivery: &Delivery, acker: &Acker, attempts: u32) -> Result<(), Error> {
        let letter = DeadLetter {
            envelope: delivery.envelope.clone(),
            sequence: delivery.sequence,
            attempts,
        };
        self.ledger.bury(&self.spec.name, &letter).await?;
        self.settle(acker).await
    }

    /// Acknowledges, and waits for the server to have noted it.
    async fn settle(&self, acker: &Acker) -> Result<(), Error> {
        let answer = async { acker.double_ack().await.map_err(Told) };
        self.connection.ask("acknowledge an event", answer).await
    }

    fn acker(&self, delivery: &Delivery) -> Result<&Acker, Error> {
        self.in_hand
            .get(&(delivery.sequence, delivery.attempt))
            .ok_or(Error::NotInHand)
    }

    async fn acknowledge(&self, deliveries: &[Delivery]) -> Result<(), Error> {
        let answers = deliveries
            .iter()
            // One that was delivered again since is answered by that delivery.
            .filter_map(|delivery| self.acker(delivery).ok())
            .map(|acker| self.settle(acker));
        try_join_all(answers).await.map(|_| ())
    }

    async fn refuse(&self, deliveries: &[Delivery], delay: Duration) -> Result<(), Error> {
        for delivery in deliveries {
            let Ok(acker) = self.acker(delivery) else {
                continue;
            };
            if delivery.attempt >= self.spec.max_deliver {
                self.bury(delivery, acker, delivery.attempt).await?;
                continue;
            }
            // A delay of nothing is not the same as none: it would wait for `ack_wait`.
            let kind = AckKind::Nak((!delay.is_zero()).then_some(delay));
            let answer = async { acker.double_ack_with(kind).await.map_err(Told) };
            self.connection.ask("refuse an event", answer).await?;
        }
        Ok(())
    }

    fn forget(&mut self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            self.in_hand.remove(&(delivery.sequence, delivery.attempt));
        }
    }

    async fn forget_gap(&mut self) -> Result<(), Error> {
        if let Some(gap) = &self.gap {
            self.ledger.close(gap).await?;
        }
        self.gap = None;
        Ok(())
    }

    fn failed(&self, error: Error) -> BusError {
        BusError::Acknowledge {
            consumer: self.spec.name.clone(),
            source: Arc::new(error),
        }
    }
}

/// A cause that NATS gives in a box.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Told(async_nats::Error);

async fn find_or_make(
    connection: &Connection,
    stream: &Stream,
    ledger: &Ledger,
    spec: &ConsumerSpec,
) -> Result<NatsConsumer<pull::Config>, Error> {
    let name = spec.name.as_str();
    let wanted = config(spec);
    let found = connection
        .ask("look for a consumer", stream.consumer_info(name))
        .await;
    match found {
        Ok(info) => {
            let same = info.config.filter_subject == wanted.filter_subject;
            if !same {
                ledger
                    .mark(name, "its filter chose other events before")
                    .await?;
            }
            if !same || info.config.max_deliver != wanted.max_deliver {
                let gone = stream.delete_consumer(name);
                connection.ask("replace a consumer", gone).await?;
            }
        }
        Err(error) if error.is(is_missing) => {
            let info = connection
                .ask("look at a stream", stream.get_info())
                .await?;
            if spec.lifetime == Lifetime::Durable && info.state.first_sequence > 1 {
                ledger
                    .mark(name, "its stream had forgotten events before it was made")
                    .await?;
            }
        }
        Err(error) => return Err(error),
    }
    // Makes it, or brings it to what is wanted; several that do it at once want the same.
    connection
        .ask("make a consumer", stream.create_consumer(wanted))
        .await
}

fn is_missing(error: &ConsumerInfoError) -> bool {
    matches!(error.kind(), ConsumerInfoErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
        || matches!(error.kind(), ConsumerInfoErrorKind::NotFound)
}

fn config(spec: &ConsumerSpec) -> pull::Config {
    let (deliver_policy, inactive_threshold) = match spec.lifetime {
        Lifetime::Durable => (DeliverPolicy::All, Duration::ZERO),
        Lifetime::Process => (DeliverPolicy::New, FORGET),
    };
    pull::Config {
        durable_name: Some(spec.name.clone()),
        deliver_policy,
        inactive_threshold,
        ack_policy: AckPolicy::Explicit,
        ack_wait: spec.ack_wait,
        // Counted by us: the server would drop the event in silence.
        max_deliver: -1,
        filter_subject: spec.filter.as_str().to_owned(),
        replay_policy: ReplayPolicy::Instant,
        max_ack_pending: 4096,
        ..pull::Config::default()
    }
}

fn sequence(message: &Message) -> i64 {
    message
        .info()
        .map_or(0, |info| i64::try_from(info.stream_sequence).unwrap_or(0))
}

/// From 1.
fn attempt(message: &Message) -> u32 {
    message
        .info()
        .map_or(1, |info| u32::try_from(info.delivered).unwrap_or(u32::MAX))
}

#[async_trait]
impl Consumer for JetStreamConsumer {
    async fn next(&mut self, limit: usize) -> Result<Received, BusError> {
        self.receive(limit.max(1))
            .await
            .map_err(|error| BusError::Receive {
                consumer: self.spec.name.clone(),
                source: Arc::new(error),
            })
    }

    async fn ack(&mut self, deliveries: &[Delivery]) -> Result<(), BusError> {
        let answered = self.acknowledge(deliveries).await;
        answered.map_err(|error| self.failed(error))?;
        self.forget(deliveries);
        Ok(())
    }

    async fn nack(&mut self, deliveries: &[Delivery], delay: Duration) -> Result<(), BusError> {
        let answered = self.refuse(deliveries, delay).await;
        answered.map_err(|error| self.failed(error))?;
        self.forget(deliveries);
        Ok(())
    }

    async fn close_gap(&mut self) -> Result<(), BusError> {
        let closed = self.forget_gap().await;
        closed.map_err(|error| self.failed(error))
    }
}

//! The bus as a port: streams, one a family, and durable consumers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Envelope, Filter};

/// Why the bus did not do as asked. Trying again is always safe.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BusError {
    #[error("the event bus is not to be reached")]
    Check(#[source] Cause),
    #[error("failed to publish events")]
    Publish(#[source] Cause),
    #[error("failed to open consumer `{consumer}`")]
    Open {
        consumer: String,
        #[source]
        source: Cause,
    },
    #[error("failed to receive events as `{consumer}`")]
    Receive {
        consumer: String,
        #[source]
        source: Cause,
    },
    #[error("failed to acknowledge events as `{consumer}`")]
    Acknowledge {
        consumer: String,
        #[source]
        source: Cause,
    },
}

/// What an implementation failed with.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Streams of events, one a family, kept for 7 days.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Stores the events durably, in order; one whose id is stored already is not stored again.
    async fn publish(&self, events: &[Envelope]) -> Result<(), BusError>;

    /// Opens a consumer where it left off, making it where it is missing. Where several processes share the bus, several
    /// may have it open: each event is delivered to one of them.
    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError>;

    /// Asks the bus for a sign of life. An error says what is wrong with it.
    async fn check(&self) -> Result<(), BusError>;

    /// Events that a consumer gave up on, oldest first.
    async fn dead_letters(&self, consumer: &str) -> Result<Vec<DeadLetter>, BusError>;
}

/// A durable consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSpec {
    /// Its name, unique on the bus.
    pub name: String,
    /// What it gets. One filter a consumer.
    pub filter: Filter,
    /// How often an event is delivered before it is a dead letter.
    pub max_deliver: u32,
    /// How long an event may stay unacknowledged before it is delivered again.
    pub ack_wait: Duration,
    pub lifetime: Lifetime,
}

/// What a consumer is for, which says where it starts and how long it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// A service's: starts at the beginning of its stream, and is remembered for good. Replicas share it.
    Durable,
    /// One process's, which asks for the present state anyway: starts at what comes, and is forgotten some time after the
    /// process is gone.
    Process,
}

/// An open consumer. Every event is delivered at least once; order is not promised.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for events and returns at most `limit`; or tells of a gap, again and again until it is closed. Cancel-safe: an
    /// event whose delivery is dropped is delivered again.
    async fn next(&mut self, limit: usize) -> Result<Received, BusError>;

    /// The events are done with.
    async fn ack(&mut self, deliveries: &[Delivery]) -> Result<(), BusError>;

    /// The events failed: deliver them again after `delay`, unless that was the last time.
    async fn nack(&mut self, deliveries: &[Delivery], delay: Duration) -> Result<(), BusError>;

    /// A snapshot was taken that holds whatever was missed.
    async fn close_gap(&mut self) -> Result<(), BusError>;
}

/// What a consumer received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    Events(Vec<Delivery>),
    /// Events were missed: a dead letter, or older than the stream keeps. Take a snapshot, then close the gap.
    Gap {
        reason: String,
    },
}

/// One delivery of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub envelope: Envelope,
    /// Its position in the stream.
    pub sequence: i64,
    /// From 1.
    pub attempt: u32,
}

/// An event that a consumer gave up on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub envelope: Envelope,
    pub sequence: i64,
    pub attempts: u32,
}

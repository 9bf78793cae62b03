//! The embedded bus: streams and consumers in one SQLite file, for everything in one process.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use storage::{Bulk, Database, Migrations, Settings, Sql, Transaction, params};
use tokio::sync::watch;

use crate::bus::Cause;
use crate::{Bus, BusError, Consumer, ConsumerSpec, DeadLetter, Envelope, Now, Received};

mod consumer;
mod message;

use consumer::EmbeddedConsumer;

const MIGRATIONS: Migrations = storage::migrations![sqlite: "0001_bus"];
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A bus for one process.
#[derive(Clone)]
pub struct EmbeddedBus(Arc<Shared>);

struct Shared {
    database: Database,
    now: Now,
    /// Counts publications, to wake consumers.
    published: watch::Sender<u64>,
}

static STORED: Bulk = Bulk::insert(
    "INSERT INTO event (stream, id, subject, headers, body, stored_at) VALUES",
    6,
    "ON CONFLICT (stream, id) DO NOTHING",
);

impl EmbeddedBus {
    /// Opens the bus in `path`, making it where it is missing.
    pub async fn open(path: &Path, now: Now) -> Result<Self, storage::Error> {
        let database = Database::open_migrated(&Settings::at(path), &MIGRATIONS).await?;
        Ok(Self(Arc::new(Shared {
            database,
            now,
            published: watch::Sender::new(0),
        })))
    }

    /// Closes the file once what is under way is done.
    pub async fn close(&self) {
        self.0.database.close().await;
    }

    async fn store(&self, events: &[Envelope]) -> Result<(), storage::Error> {
        let now = (self.0.now)();
        let mut transaction = self.0.database.begin().await?;
        let rows = events.iter().map(|event| {
            params![
                event.subject.family(),
                event.id,
                event.subject.as_str(),
                message::headers(event),
                &event.payload,
                now,
            ]
        });
        STORED.execute(&mut transaction, Vec::new(), rows).await?;
        expire(&mut transaction, now - RETENTION).await?;
        transaction.commit().await
    }

    async fn find_dead(&self, consumer: &str) -> Result<Vec<DeadLetter>, storage::Error> {
        let mut reader = self.0.database.read().await?;
        let rows = reader
            .query(
                "SELECT seq, subject, headers, body, attempts FROM dead_letter
                 WHERE consumer = $1 ORDER BY seq",
                params![consumer],
            )
            .await?;
        rows.iter()
            .filter_map(|row| message::envelope(row).transpose().map(|read| (row, read)))
            .map(|(row, envelope)| {
                Ok(DeadLetter {
                    envelope: envelope?,
                    sequence: row.get("seq")?,
                    attempts: row.get("attempts")?,
                })
            })
            .collect()
    }
}

/// Forgets old events, and tells consumers that had not received some of them yet. By age each time: the planner, which
/// has no statistics, would walk through whole streams.
async fn expire(transaction: &mut Transaction, before: Timestamp) -> Result<(), storage::Error> {
    let oldest = transaction
        .query_optional(
            "SELECT seq FROM event WHERE stored_at < $1 LIMIT 1",
            params![before],
        )
        .await?;
    if oldest.is_none() {
        return Ok(());
    }
    transaction
        .execute(
            "UPDATE consumer SET gap = 'events were older than the stream keeps'
             WHERE EXISTS (SELECT 1 FROM event INDEXED BY event_age
                           WHERE event.stream = consumer.stream AND event.stored_at < $1
                             AND (event.seq >= consumer.next_seq
                                  OR event.seq IN (SELECT pending.seq FROM pending
                                                   WHERE pending.consumer = consumer.name)))",
            params![before],
        )
        .await?;
    transaction
        .execute(
            "INSERT INTO expired_stream (stream)
             SELECT DISTINCT stream FROM event INDEXED BY event_age WHERE stored_at < $1
             ON CONFLICT (stream) DO NOTHING",
            params![before],
        )
        .await?;
    transaction
        .execute(
            "DELETE FROM pending WHERE seq IN (SELECT seq FROM event WHERE stored_at < $1)",
            params![before],
        )
        .await?;
    transaction
        .execute("DELETE FROM event WHERE stored_at < $1", params![before])
        .await?;
    transaction
        .execute(
            "DELETE FROM dead_letter WHERE died_at < $1",
            params![before],
        )
        .await
        .map(|_| ())
}

fn cause(error: storage::Error) -> Cause {
    Arc::new(error)
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, events: &[Envelope]) -> Result<(), BusError> {
        self.store(events)
            .await
            .map_err(|error| BusError::Publish(cause(error)))?;
        self.0.published.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError> {
        let name = spec.name.clone();
        let consumer = EmbeddedConsumer::open(self.0.clone(), spec)
            .await
            .map_err(|error| BusError::Open {
                consumer: name,
                source: cause(error),
            })?;
        Ok(Box::new(consumer))
    }

    async fn check(&self) -> Result<(), BusError> {
        let read = self.0.database.read().await;
        read.map(|_| ())
            .map_err(|error| BusError::Check(cause(error)))
    }

    async fn dead_letters(&self, consumer: &str) -> Result<Vec<DeadLetter>, BusError> {
        self.find_dead(consumer)
            .await
            .map_err(|error| BusError::Receive {
                consumer: consumer.to_owned(),
                source: cause(error),
            })
    }
}

#[cfg(test)]
mod tests;

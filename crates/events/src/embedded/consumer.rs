//! A durable consumer of the embedded bus.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use storage::{Bulk, Error, Sql, Transaction, params};
use tokio::sync::watch;

use super::{Received, Shared, cause, message};
use crate::{BusError, Consumer, ConsumerSpec, Delivery, Lifetime};

/// How many stored events are looked at for one delivery, at most.
const SCAN: usize = 512;
/// From this many fruitless attempts on, an event is delivered alone: if it is what kills the process each time, those
/// delivered with it must not be given up for it.
const SUSPECT: u32 = 2;
/// How long a consumer with unacknowledged events sleeps before it looks at the caller's clock again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

static PENDING: Bulk = Bulk::insert(
    "INSERT INTO pending (consumer, seq, attempts, redeliver_at) VALUES",
    4,
    "ON CONFLICT (consumer, seq) DO UPDATE SET attempts = excluded.attempts, redeliver_at = excluded.redeliver_at",
);

pub(super) struct EmbeddedConsumer {
    shared: Arc<Shared>,
    spec: ConsumerSpec,
    published: watch::Receiver<u64>,
}

enum Step {
    Received(Received),
    /// Looked at events that were not for this consumer, or gave one up, which left a gap to tell of: look again at once.
    Again,
    /// Nothing to deliver before this moment, or before the next publication.
    Wait(Option<Timestamp>),
}

impl EmbeddedConsumer {
    pub(super) async fn open(shared: Arc<Shared>, spec: ConsumerSpec) -> Result<Self, Error> {
        let published = shared.published.subscribe();
        let mut transaction = shared.database.begin().await?;
        // Events that only its former filter chose aren't for it any more.
        transaction
            .execute(
                "DELETE FROM pending WHERE consumer = $1
                 AND EXISTS (SELECT 1 FROM consumer WHERE name = $1 AND filter <> $2)",
                params![&spec.name, spec.filter.as_str()],
            )
            .await?;
        // It starts at the first event, or at the next one, and has missed none of those.
        let from_now_on = spec.lifetime == Lifetime::Process;
        transaction
            .execute(
                "INSERT INTO consumer (name, stream, filter, next_seq, gap)
                 VALUES ($1, $2, $3,
                         CASE $4 WHEN 1 THEN (SELECT COALESCE(MAX(seq), 0) + 1 FROM event) ELSE 0 END,
                         (SELECT 'its stream had forgotten events before it was made'
                          FROM expired_stream WHERE stream = $2 AND $4 = 0))
                 ON CONFLICT (name) DO UPDATE
                 SET gap = CASE WHEN consumer.filter <> excluded.filter
                                THEN 'its filter chose other events before'
                                ELSE consumer.gap END,
                     stream = excluded.stream,
                     filter = excluded.filter",
                params![
                    &spec.name,
                    spec.filter.stream(),
                    spec.filter.as_str(),
                    from_now_on
                ],
            )
            .await?;
        // One process has the bus: what was delivered before was delivered to a consumer that is no more.
        transaction
            .execute(
                "UPDATE pending SET redeliver_at = 0 WHERE consumer = $1",
                params![&spec.name],
            )
            .await?;
        transaction.commit().await?;
        Ok(Self {
            shared,
            spec,
            published,
        })
    }

    async fn step(&self, limit: usize) -> Result<Step, Error> {
        let now = (self.shared.now)();
        let mut transaction = self.shared.database.begin().await?;
        let name = self.spec.name.as_str();
        let row = transaction
            .query_one(
                "SELECT next_seq, gap FROM consumer WHERE name = $1",
                params![name],
            )
            .await?;
        if let Some(reason) = row.get::<Option<String>>("gap")? {
            return Ok(Step::Received(Received::Gap { reason }));
        }
        let next_seq: i64 = row.get("next_seq")?;

        let (mut deliveries, buried) = self.due(&mut transaction, now, limit).await?;
        let suspect = deliveries.iter().any(|event| event.attempt > SUSPECT);
        let room = match suspect {
            true => 0,
            false => limit.saturating_sub(deliveries.len()),
        };
        let scanned = self
            .fresh(&mut transaction, next_seq, room, &mut deliveries)
            .await?;
        let redeliver_at = now + self.spec.ack_wait;
        let rows = deliveries
            .iter()
            .map(|delivery| params![name, delivery.sequence, delivery.attempt, redeliver_at]);
        PENDING.execute(&mut transaction, Vec::new(), rows).await?;
        let next_due = transaction
            .query_one(
                "SELECT MIN(redeliver_at) AS due FROM pending WHERE consumer = $1",
                params![name],
            )
            .await?
            .get("due")?;
        transaction.commit().await?;
        Ok(if !deliveries.is_empty() {
            Step::Received(Received::Events(deliveries))
        } else if scanned || buried {
            Step::Again
        } else {
            Step::Wait(next_due)
        })
    }

    /// What was delivered and not acknowledged in time, and whether anything was given up.
    async fn due(
        &self,
        transaction: &mut Transaction,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Delivery>, bool), Error> {
        let rows = transaction
            .query(
                "SELECT event.seq, event.subject, event.headers, event.body, pending.attempts
                 FROM pending JOIN event ON event.seq = pending.seq
                 WHERE pending.consumer = $1 AND pending.redeliver_at <= $2
                 ORDER BY event.seq LIMIT $3",
                params![self.spec.name.as_str(), now, limit as i64],
            )
            .await?;
        let (mut deliveries, mut buried) = (Vec::new(), false);
        for row in rows {
            let (sequence, attempts): (i64, u32) = (row.get("seq")?, row.get("attempts")?);
            match message::envelope(&row)? {
                Some(envelope) if attempts < self.spec.max_deliver => {
                    let suspect = attempts >= SUSPECT;
                    if suspect && !deliveries.is_empty() {
                        break;
                    }
                    deliveries.push(Delivery {
                        envelope,
                        sequence,
                        attempt: attempts + 1,
                    });
                    if suspect {
                        break;
                    }
                }
                Some(_) | None => {
                    self.bury(transaction, sequence, now).await?;
                    buried = true;
                }
            }
        }
        Ok((deliveries, buried))
    }

    /// What was never delivered. Returns whether anything was looked at.
    async fn fresh(
        &self,
        transaction: &mut Transaction,
        mut next_seq: i64,
        room: usize,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<bool, Error> {
        if room == 0 {
            return Ok(false);
        }
        let mut scanned = 0;
        let before = deliveries.len();
        // Goes on over events that are not for this consumer, so that a commit is worth its while.
        while deliveries.len() == before && scanned < SCAN {
            let rows = transaction
                .query(
                    "SELECT seq, subject, headers, body FROM event
                     WHERE stream = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
                    params![self.spec.filter.stream(), next_seq, SCAN.min(room) as i64],
                )
                .await?;
            if rows.is_empty() {
                break;
            }
            scanned += rows.len();
            for row in &rows {
                let sequence = row.get("seq")?;
                next_seq = sequence + 1;
                let envelope = message::envelope(row)?
                    .filter(|envelope| self.spec.filter.matches(&envelope.subject));
                deliveries.extend(envelope.map(|envelope| Delivery {
                    envelope,
                    sequence,
                    attempt: 1,
                }));
            }
        }
        if scanned > 0 {
            transaction
                .execute(
                    "UPDATE consumer SET next_seq = $1 WHERE name = $2",
                    params![next_seq, self.spec.name.as_str()],
                )
                .await?;
        }
        Ok(scanned > 0)
    }

    /// Gives an event up, and leaves a gap for the consumer to find.
    async fn bury(
        &self,
        transaction: &mut Transaction,
        sequence: i64,
        now: Timestamp,
    ) -> Result<(), Error> {
        let name = self.spec.name.as_str();
        transaction
            .execute(
                "INSERT INTO dead_letter (consumer, seq, subject, headers, body, attempts, died_at)
                 SELECT pending.consumer, event.seq, event.subject, event.headers, event.body,
                        pending.attempts, $3
                 FROM pending JOIN event ON event.seq = pending.seq
                 WHERE pending.consumer = $1 AND pending.seq = $2
                 ON CONFLICT (consumer, seq) DO NOTHING",
                params![name, sequence, now],
            )
            .await?;
        transaction
            .execute(
                "DELETE FROM pending WHERE consumer = $1 AND seq = $2",
                params![name, sequence],
            )
            .await?;
        transaction
            .execute(
                "UPDATE consumer SET gap = 'an event could not be applied' WHERE name = $1",
                params![name],
            )
            .await?;
        metrics::counter!("hes_dead_letters_total", "consumer" => self.spec.name.clone())
            .increment(1);
        Ok(())
    }

    async fn settle(
        &self,
        deliveries: &[Delivery],
        again_in: Option<Duration>,
    ) -> Result<(), Error> {
        let now = (self.shared.now)();
        let mut transaction = self.shared.database.begin().await?;
        for delivery in deliveries {
            let key = params![self.spec.name.as_str(), delivery.sequence, delivery.attempt];
            match again_in {
                Some(_) if delivery.attempt >= self.spec.max_deliver => {
                    self.bury(&mut transaction, delivery.sequence, now).await?;
                }
                Some(delay) => {
                    let mut params = key;
                    params.push((now + delay).into());
                    transaction
                        .execute(
                            "UPDATE pending SET redeliver_at = $4
                             WHERE consumer = $1 AND seq = $2 AND attempts = $3",
                            params,
                        )
                        .await?;
                }
                None => {
                    transaction
                        .execute(
                            "DELETE FROM pending
                             WHERE consumer = $1 AND seq = $2 AND attempts <= $3",
                            key,
                        )
                        .await?;
                }
            }
        }
        transaction.commit().await
    }

    async fn forget_gap(&self) -> Result<(), Error> {
        let mut transaction = self.shared.database.begin().await?;
        transaction
            .execute(
                "UPDATE consumer SET gap = NULL WHERE name = $1",
                params![self.spec.name.as_str()],
            )
            .await?;
        transaction.commit().await
    }

    fn failed(&self, error: Error) -> BusError {
        BusError::Acknowledge {
            consumer: self.spec.name.clone(),
            source: cause(error),
        }
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self, limit: usize) -> Result<Received, BusError> {
        loop {
            self.published.borrow_and_update();
            let step = self
                .step(limit.max(1))
                .await
                .map_err(|error| BusError::Receive {
                    consumer: self.spec.name.clone(),
                    source: cause(error),
                })?;
            let due = match step {
                Step::Received(received) => return Ok(received),
                Step::Again => continue,
                Step::Wait(due) => due,
            };
            let until_due = due.map(|due| {
                let until = due.duration_since((self.shared.now)());
                Duration::try_from(until)
                    .unwrap_or_default()
                    .min(LOOK_AGAIN)
            });
            tokio::select! {
                // The sender lives in `shared`, which this consumer holds.
                _ = self.published.changed() => {}
                () = sleep(until_due) => {}
            }
        }
    }

    async fn ack(&mut self, deliveries: &[Delivery]) -> Result<(), BusError> {
        self.settle(deliveries, None)
            .await
            .map_err(|error| self.failed(error))
    }

    async fn nack(&mut self, deliveries: &[Delivery], delay: Duration) -> Result<(), BusError> {
        self.settle(deliveries, Some(delay))
            .await
            .map_err(|error| self.failed(error))
    }

    async fn close_gap(&mut self) -> Result<(), BusError> {
        self.forget_gap().await.map_err(|error| self.failed(error))
    }
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

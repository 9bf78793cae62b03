//! What rotation-scheduler did, told on the bus and written into the one log. It is told in the transaction of what it did,
//! so that nothing is done without being told; and written once, however often it is told.

use std::sync::Arc;
use std::time::Duration;

use api::event::v1::{AuditRecorded, Event, event::Payload};
use events::{Bus, BusError, ConsumerSpec, Delivery, Filter, Lifetime, Received};
use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use runtime::{Ids, SharedClock, Shutdown};
use storage::Database;
use tracing::warn;

use super::{Outcome, Record};
use crate::store::{self, StoreError};

const NAME: &str = "config-service-audit";
const BATCH: usize = 256;
const ACK_WAIT: Duration = Duration::from_secs(60);
/// As long as the bus goes on telling: what can't be written now is written when the database is back.
const MAX_DELIVER: u32 = 1_000;
const RETRY: Duration = Duration::from_secs(5);
/// Longer than the bus keeps an event.
const KEEP: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(crate) struct ToldAudit {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) db: Database,
    pub(crate) ids: Ids,
    pub(crate) clock: SharedClock,
}

#[derive(Debug, thiserror::Error)]
enum TakeError {
    #[error("failed to receive what is to be audited")]
    Bus(#[from] BusError),
    #[error("failed to write what is to be audited")]
    Store(#[from] StoreError),
}

impl ToldAudit {
    /// Runs until shutdown. The bus or the database down is waited out.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let token = shutdown.token();
        let mut failures = 0;
        while !token.is_cancelled() {
            let taken = token.run_until_cancelled(Box::pin(self.take_all(&mut failures)));
            let Some(Err(error)) = taken.await else {
                return;
            };
            failures += 1;
            let pause = self.ids.backoff(failures);
            warn!(
                error = &error as &dyn std::error::Error,
                "failed to audit what was told; trying again in {pause:.1?}"
            );
            token.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn take_all(&self, failures: &mut u32) -> Result<(), TakeError> {
        let filter = "hes.rotation.*.audit.recorded"
            .parse::<Filter>()
            .map_err(|_| StoreError::corrupt("filter", "rotation"))?;
        let spec = ConsumerSpec {
            name: NAME.to_owned(),
            filter,
            max_deliver: MAX_DELIVER,
            ack_wait: ACK_WAIT,
            lifetime: Lifetime::Durable,
        };
        let mut consumer = self.bus.consumer(spec).await?;
        loop {
            match consumer.next(BATCH).await? {
                Received::Events(deliveries) => match self.write(&deliveries).await {
                    Ok(()) => {
                        consumer.ack(&deliveries).await?;
                        *failures = 0;
                    }
                    Err(error) => {
                        consumer.nack(&deliveries, RETRY).await?;
                        return Err(error.into());
                    }
                },
                // There is no snapshot of what was done: the log says that something is missing.
                Received::Gap { reason } => {
                    self.note_gap(&reason).await?;
                    consumer.close_gap().await?;
                }
            }
        }
    }

    async fn write(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let now = crate::grpc::now(&self.clock);
        let mut tx = self.db.begin().await?;
        for delivery in deliveries {
            let envelope = &delivery.envelope;
            let told = Event::decode(envelope.payload.as_slice())
                .ok()
                .and_then(|event| event.payload);
            let Some(Payload::AuditRecorded(told)) = told else {
                warn!(event.id = %envelope.id, "passed over an event on {} that can't be read", envelope.subject);
                continue;
            };
            if store::note_told(&mut tx, envelope.id, now).await? {
                store::append(&mut tx, record(told, envelope.time)).await?;
            }
        }
        let old = now.saturating_sub(KEEP).unwrap_or_default();
        store::forget_told(&mut tx, old).await?;
        Ok(tx.commit().await?)
    }

    async fn note_gap(&self, reason: &str) -> Result<(), StoreError> {
        warn!(
            reason,
            "events that were to be audited were missed ({reason})"
        );
        let now = crate::grpc::now(&self.clock);
        let mut tx = self.db.begin().await?;
        let record = Record::done(now, crate::consumer::ACTOR, "audit.gap", "hes.rotation")
            .outcome(Outcome::Failed)
            .detail("because", reason);
        store::append(&mut tx, record).await?;
        Ok(tx.commit().await?)
    }
}

fn record(told: AuditRecorded, at: Timestamp) -> Record {
    let time = told
        .time
        .as_ref()
        .and_then(|time| Timestamp::new(time.seconds, time.nanos).ok())
        .unwrap_or(at);
    let outcome = match told.done {
        true => Outcome::Succeeded,
        false => Outcome::Failed,
    };
    told.details.into_iter().fold(
        Record::done(time, told.actor, told.action, told.resource).outcome(outcome),
        |record, (key, value)| record.detail(&key, value),
    )
}

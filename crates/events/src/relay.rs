//! The relay: publishes what the outbox holds.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use storage::{Database, lease};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::{Bus, BusError, Now, outbox};

const BATCH: i64 = 256;
/// Batches between two looks at how much waits.
const COUNT_EVERY: u32 = 16;
const LEASE: &str = "outbox-relay";
const LEASE_TTL: Duration = Duration::from_secs(30);
/// Finds what a lost wake-up, another replica or an earlier process left behind.
const POLL: Duration = Duration::from_secs(2);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
const KEEP_PUBLISHED: SignedDuration = SignedDuration::from_hours(24);
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Publishes one database's outbox. Run one in every replica: a lease chooses which of them works.
pub struct Relay {
    database: Database,
    bus: Arc<dyn Bus>,
    now: Now,
    /// Names the database in metrics and logs.
    name: &'static str,
    /// Names this replica. The same after a restart where it can be: one that was killed then need not wait for its own
    /// lease to end.
    owner: String,
    wake: Arc<Notify>,
}

/// Tells a relay that something was committed.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Call it after a commit. Calls while the relay works are not lost.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("failed to read or mark the outbox")]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Relay {
    pub fn new(
        database: Database,
        bus: Arc<dyn Bus>,
        now: Now,
        name: &'static str,
        owner: String,
    ) -> Self {
        describe();
        Self {
            database,
            bus,
            now,
            name,
            owner,
            wake: Arc::new(Notify::new()),
        }
    }

    pub fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    /// Works until `shutdown`, then empties what it can in one last attempt.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut failures = 0_u32;
        let mut prune_at = (self.now)();
        loop {
            let pause = match self.drain().await {
                Ok(()) => {
                    failures = 0;
                    POLL
                }
                Err(error) => {
                    failures += 1;
                    warn!(
                        relay.name = self.name,
                        error = &error as &dyn std::error::Error,
                        "failed to publish events; they wait in the outbox"
                    );
                    // No jitter: one relay a database works at a time.
                    MAX_BACKOFF.min(POLL * 2_u32.saturating_pow(failures.min(8)))
                }
            };
            if (self.now)() >= prune_at {
                prune_at = (self.now)() + PRUNE_EVERY;
                if let Err(error) = self.prune().await {
                    warn!(
                        relay.name = self.name,
                        error = &error as &dyn std::error::Error,
                        "failed to prune published events"
                    );
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.wake.notified(), if failures == 0 => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Err(error) = self.drain().await {
            debug!(
                relay.name = self.name,
                error = &error as &dyn std::error::Error,
                "left events in the outbox for the next start"
            );
        }
        if let Err(error) = self.release().await {
            debug!(
                relay.name = self.name,
                error = &error as &dyn std::error::Error,
                "left the relay's lease to expire"
            );
        }
    }

    /// Publishes until the outbox is empty.
    async fn drain(&self) -> Result<(), Error> {
        for batches in 0_u32.. {
            // Counting what waits takes a step for each: not every time.
            if batches.is_multiple_of(COUNT_EVERY) {
                self.observe().await?;
            }
            if !self.publish_batch().await? {
                break;
            }
        }
        self.observe().await
    }

    async fn observe(&self) -> Result<(), Error> {
        let mut reader = self.database.read().await?;
        let depth = outbox::depth(&mut reader).await?;
        let waited = outbox::oldest(&mut reader).await?.map_or(0.0, |since| {
            (self.now)().duration_since(since).as_secs_f64()
        });
        metrics::gauge!("hes_outbox_depth", "database" => self.name).set(depth as f64);
        metrics::gauge!("hes_outbox_oldest_seconds", "database" => self.name).set(waited);
        Ok(())
    }

    /// Returns whether anything was published.
    async fn publish_batch(&self) -> Result<bool, Error> {
        let mut transaction = self.database.begin().await?;
        let Some(lease) = lease::claim(&mut transaction, LEASE, &self.owner, LEASE_TTL).await?
        else {
            return Ok(false);
        };
        let batch = outbox::unpublished(&mut transaction, BATCH).await?;
        transaction.commit().await?;

        let (mut events, mut seqs) = (Vec::new(), Vec::new());
        for (seq, event) in batch {
            seqs.push(seq);
            match event {
                Ok(event) => events.push(event),
                // Written by a version with other subjects. It would block all that follow.
                Err(id) => error!(event.id = %id, "dropped an event whose subject is malformed"),
            }
        }
        if seqs.is_empty() {
            self.release().await?;
            return Ok(false);
        }
        self.bus.publish(&events).await?;

        let mut transaction = self.database.begin().await?;
        lease::assert_held(&mut transaction, &lease).await?;
        outbox::mark_published(&mut transaction, &seqs, (self.now)()).await?;
        if (seqs.len() as i64) < BATCH {
            // Whoever commits next publishes it, without waiting for another replica to look.
            lease::release(&mut transaction, &lease).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn release(&self) -> Result<(), storage::Error> {
        let mut transaction = self.database.begin().await?;
        if let Some(lease) = lease::claim(&mut transaction, LEASE, &self.owner, LEASE_TTL).await? {
            lease::release(&mut transaction, &lease).await?;
        }
        transaction.commit().await
    }

    async fn prune(&self) -> Result<(), storage::Error> {
        let mut transaction = self.database.begin().await?;
        outbox::prune(&mut transaction, (self.now)() - KEEP_PUBLISHED).await?;
        transaction.commit().await
    }
}

/// What each metric is, for whoever scrapes them.
fn describe() {
    metrics::describe_gauge!(
        "hes_outbox_depth",
        metrics::Unit::Count,
        "Events that wait to be told, by the database they wait in"
    );
    metrics::describe_gauge!(
        "hes_outbox_oldest_seconds",
        metrics::Unit::Seconds,
        "How long the oldest event that waits to be told has waited"
    );
    metrics::describe_counter!(
        "hes_dead_letters_total",
        metrics::Unit::Count,
        "Events that a consumer gave up on; it takes a snapshot instead"
    );
}

#[cfg(test)]
mod tests;

//! Directory events become employees. Events are taken in batches, each batch in one transaction: a batch that fails is
//! delivered again, and what was applied of it before is older than what is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use api::directory::v1::DirectoryPinned;
use api::event::v1::{Event, event::Payload};
use directory::DomainId;
use events::{Bus, BusError, Consumer, ConsumerSpec, Delivery, Filter, Lifetime, Received};
use prost::Message as _;
use runtime::{SharedClock, Shutdown, telemetry};
use tracing::{Instrument as _, debug, warn};

use crate::audit::Record;
use crate::domains::{By, domain_name};
use crate::employees::{Applied, ApplyError, Book, Employees};
use crate::store::{self, StoreError, WorkKind};
use crate::worker::Bell;

const NAME: &str = "config-service";
const BATCH: usize = 256;
const ACK_WAIT: Duration = Duration::from_secs(60);
const MAX_DELIVER: u32 = 10;
const RETRY: Duration = Duration::from_secs(2);

/// On whose behalf employees change when a directory does.
pub(crate) const ACTOR: &str = "service:config-service";

pub(crate) struct DirectoryEvents {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) employees: Employees,
    pub(crate) clock: SharedClock,
    pub(crate) worker: Bell,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error("failed to receive directory events")]
    Bus(#[from] BusError),
    #[error("failed to store what directory events told")]
    Store(#[from] StoreError),
}

impl DirectoryEvents {
    /// Runs until shutdown. The bus or the database down is waited out.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let token = shutdown.token();
        let failures = AtomicU32::new(0);
        while !token.is_cancelled() {
            let consumed = token.run_until_cancelled(Box::pin(self.consume(&failures)));
            let Some(Err(error)) = consumed.await else {
                return;
            };
            let pause = self
                .employees
                .ids
                .backoff(failures.fetch_add(1, Ordering::Relaxed) + 1);
            warn!(
                error = &error as &dyn std::error::Error,
                "failed to take directory events; trying again in {pause:.1?}"
            );
            token.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn consume(&self, failures: &AtomicU32) -> Result<(), BatchError> {
        let filter =
            Filter::family("directory").map_err(|_| StoreError::corrupt("filter", "directory"))?;
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
                Received::Events(deliveries) => {
                    self.take(consumer.as_mut(), deliveries).await?;
                    failures.store(0, Ordering::Relaxed);
                }
                Received::Gap { reason } => {
                    warn!(
                        reason,
                        "directory events were missed ({reason}); taking snapshots"
                    );
                    self.ask_snapshots(&reason).await?;
                    // The work is stored: what was missed will be made up for, whatever happens now.
                    consumer.close_gap().await?;
                }
            }
        }
    }

    async fn take(
        &self,
        consumer: &mut dyn Consumer,
        deliveries: Vec<Delivery>,
    ) -> Result<(), BatchError> {
        match self.apply(&deliveries).await {
            Ok(()) => Ok(consumer.ack(&deliveries).await?),
            Err(error) => {
                consumer.nack(&deliveries, RETRY).await?;
                Err(error.into())
            }
        }
    }

    async fn apply(&self, deliveries: &[Delivery]) -> store::Result<()> {
        let by = self.by();
        let mut book = self.employees.open(&by).await?;
        for delivery in deliveries {
            let envelope = &delivery.envelope;
            let span =
                telemetry::received(envelope.subject.as_str(), envelope.traceparent.as_deref());
            apply_one(&mut book, &by, delivery).instrument(span).await?;
        }
        self.employees.close(book).await
    }

    async fn ask_snapshots(&self, reason: &str) -> store::Result<()> {
        let mut tx = self.employees.db.begin().await?;
        for row in store::domains(&mut tx).await? {
            store::ask_work(&mut tx, &row.id, WorkKind::Snapshot, reason).await?;
        }
        tx.commit().await?;
        self.worker.ring();
        Ok(())
    }

    fn by(&self) -> By {
        By {
            actor: ACTOR.to_owned(),
            now: crate::grpc::now(&self.clock),
        }
    }
}

/// An event that means nothing here is passed over: told again, it would mean no more.
async fn apply_one(book: &mut Book<'_>, by: &By, delivery: &Delivery) -> store::Result<()> {
    let subject = &delivery.envelope.subject;
    let Ok(Event {
        payload: Some(payload),
    }) = Event::decode(delivery.envelope.payload.as_slice())
    else {
        warn!(event.id = %delivery.envelope.id, "passed over an event on {subject} that can't be read");
        return Ok(());
    };
    match payload {
        Payload::AccountChanged(changed) => {
            let account = changed.account.unwrap_or_default();
            match book.apply(account).await {
                Ok(Applied::Taken | Applied::Old) => {}
                Ok(Applied::Foreign) => {
                    debug!("passed over an account of a domain that isn't configured ({subject})");
                }
                Err(ApplyError::Invalid(error)) => warn!(
                    event.id = %delivery.envelope.id,
                    error = &error as &dyn std::error::Error,
                    "passed over an invalid account"
                ),
                Err(ApplyError::Store(error)) => return Err(error),
            }
        }
        Payload::DirectoryPinned(pinned) => pin(book, by, &pinned).await?,
        Payload::SyncRunChanged(_)
        | Payload::DomainChanged(_)
        | Payload::PasswordlessSettingsChanged(_)
        | Payload::EmployeeChanged(_)
        | Payload::LinkProposalChanged(_)
        | Payload::RotationChanged(_)
        | Payload::DomainRotationChanged(_)
        | Payload::TargetChanged(_)
        | Payload::AuditRecorded(_) => {
            debug!("passed over an event on {subject} that isn't a directory's");
        }
    }
    Ok(())
}

/// Notes what a domain's settings turned out to mean. Whether another record stands for the same directory is the
/// connector's to refuse: it alone has seen the directory.
pub(crate) async fn pin(
    book: &mut Book<'_>,
    by: &By,
    pinned: &DirectoryPinned,
) -> store::Result<()> {
    let Ok(api::name::DomainName(id)) = pinned.domain.parse::<api::name::DomainName>() else {
        return Ok(());
    };
    if store::put_pinned(book.transaction(), &id, pinned).await? {
        let record = pinned_record(by, &id, pinned);
        store::append(book.transaction(), record).await?;
        book.domains_changed().await?;
    }
    Ok(())
}

fn pinned_record(by: &By, id: &DomainId, pinned: &DirectoryPinned) -> Record {
    let group = |group: &Option<api::directory::v1::PinnedGroup>| {
        group
            .as_ref()
            .map(|group| group.id.clone())
            .unwrap_or_default()
    };
    let identity = pinned.identity.clone().unwrap_or_default();
    by.record_of("domain.pin", &domain_name(id))
        .detail("directory_id", identity.directory_id)
        .detail("dns_name", identity.dns_name)
        .detail("sync_group", group(&pinned.sync_group))
        .detail("rotation_group", group(&pinned.rotation_group))
}

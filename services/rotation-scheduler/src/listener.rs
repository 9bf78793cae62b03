//! The bus, heard: directories and employees are taken down; settings and rotations that moved on another replica ring
//! bells here.

use std::sync::Arc;
use std::time::Duration;

use api::event::v1::{Event, event::Payload};
use api::name::{DomainName, EmployeeName};
use events::{Bus, BusError, Consumer, ConsumerSpec, Delivery, Filter, Lifetime, Received};
use prost::Message as _;
use runtime::{Shutdown, telemetry};
use tracing::{Instrument as _, debug, warn};

use crate::heard::{Book, EMPLOYEES};
use crate::ledger::{Ledger, LedgerError};
use crate::store;

const BATCH: usize = 256;
const ACK_WAIT: Duration = Duration::from_secs(60);
const MAX_DELIVER: u32 = 10;
const RETRY: Duration = Duration::from_secs(2);

/// Hears one family of events.
pub(crate) struct Listener {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) ledger: Ledger,
    pub(crate) family: &'static str,
    pub(crate) what: What,
    pub(crate) instance: String,
}

/// What is done with what is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Taken down, once for all replicas.
    TakeDown,
    /// Rings bells, in each process.
    Ring,
}

#[derive(Debug, thiserror::Error)]
enum HearError {
    #[error("failed to receive events")]
    Bus(#[from] BusError),
    #[error("failed to store what events told")]
    Ledger(#[from] LedgerError),
}

impl Listener {
    /// Runs until shutdown. The bus or the database down is waited out.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let token = shutdown.token();
        let mut failures = 0;
        while !token.is_cancelled() {
            let heard = token.run_until_cancelled(Box::pin(self.hear(&mut failures)));
            let Some(Err(error)) = heard.await else {
                return;
            };
            failures += 1;
            let pause = self.ledger.ids.backoff(failures);
            warn!(
                error = &error as &dyn std::error::Error,
                "failed to take events of `{}`; trying again in {pause:.1?}", self.family
            );
            token.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn hear(&self, failures: &mut u32) -> Result<(), HearError> {
        let Ok(filter) = Filter::family(self.family) else {
            return Ok(());
        };
        let spec = match self.what {
            What::TakeDown => ConsumerSpec {
                name: format!("{}-{}", crate::NAME, self.family),
                filter,
                max_deliver: MAX_DELIVER,
                ack_wait: ACK_WAIT,
                lifetime: Lifetime::Durable,
            },
            What::Ring => ConsumerSpec {
                name: format!("{}-{}-{}", crate::NAME, self.family, self.instance)
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                    .collect(),
                filter,
                max_deliver: 5,
                ack_wait: ACK_WAIT,
                lifetime: Lifetime::Process,
            },
        };
        let mut consumer = self.bus.consumer(spec).await?;
        loop {
            match consumer.next(BATCH).await? {
                Received::Events(deliveries) => {
                    self.take(consumer.as_mut(), deliveries).await?;
                    *failures = 0;
                }
                Received::Gap { reason } => {
                    self.missed(&reason).await?;
                    consumer.close_gap().await?;
                }
            }
        }
    }

    async fn take(
        &self,
        consumer: &mut dyn Consumer,
        deliveries: Vec<Delivery>,
    ) -> Result<(), HearError> {
        let done = match self.what {
            What::TakeDown => self.take_down(&deliveries).await,
            What::Ring => {
                for delivery in &deliveries {
                    self.ring(delivery);
                }
                Ok(())
            }
        };
        match done {
            Ok(()) => Ok(consumer.ack(&deliveries).await?),
            Err(error) => {
                consumer.nack(&deliveries, RETRY).await?;
                Err(error.into())
            }
        }
    }

    async fn take_down(&self, deliveries: &[Delivery]) -> Result<(), LedgerError> {
        let mut book = Book::open(&self.ledger).await?;
        for delivery in deliveries {
            let envelope = &delivery.envelope;
            let span =
                telemetry::received(envelope.subject.as_str(), envelope.traceparent.as_deref());
            match payload(delivery) {
                Some(Payload::AccountChanged(changed)) => {
                    let account = changed.account.unwrap_or_default();
                    book.account(account).instrument(span).await?;
                }
                Some(Payload::EmployeeChanged(changed)) => {
                    let employee = changed.employee.unwrap_or_default();
                    book.employee(employee, false).instrument(span).await?;
                }
                Some(Payload::DirectoryPinned(pinned)) => book.pinned(pinned).await?,
                Some(_) => debug!("passed over an event on {}", envelope.subject),
                None => warn!(
                    event.id = %envelope.id,
                    "passed over an event on {} that can't be read", envelope.subject
                ),
            }
        }
        book.close().await
    }

    fn ring(&self, delivery: &Delivery) {
        let bells = &self.ledger.bells;
        match payload(delivery) {
            Some(Payload::RotationChanged(changed)) => {
                let rotation = changed.rotation.unwrap_or_default();
                if let Ok(EmployeeName(employee)) = rotation.employee.parse::<EmployeeName>() {
                    bells.ring_employee(employee);
                }
                bells.ring_domain_named(&delivery.envelope.subject.scope());
            }
            Some(Payload::DomainRotationChanged(changed)) => {
                if let Ok(DomainName(domain)) = changed.domain.parse::<DomainName>() {
                    bells.ring_domain(&domain);
                }
            }
            Some(Payload::TargetChanged(_)) => bells.ring_all_domains(),
            Some(Payload::AuditRecorded(_)) => {}
            // Settings: what exactly changed is asked of config-service.
            Some(_) | None => bells.ring_list(),
        }
    }

    /// Events were missed: what they told is asked for whole.
    async fn missed(&self, reason: &str) -> Result<(), HearError> {
        let bells = &self.ledger.bells;
        if self.what == What::Ring {
            bells.ring_list();
            bells.ring_all_domains();
            return Ok(());
        }
        warn!(
            reason,
            "events of `{}` were missed ({reason}); taking snapshots", self.family
        );
        let mut tx = self.ledger.db.begin().await.map_err(LedgerError::from)?;
        if self.family == "employee" {
            store::ask_work(&mut tx, EMPLOYEES, reason)
                .await
                .map_err(LedgerError::from)?;
        } else {
            for domain in store::domains(&mut tx).await.map_err(LedgerError::from)? {
                let name = DomainName(domain.id).to_string();
                store::ask_work(&mut tx, &name, reason)
                    .await
                    .map_err(LedgerError::from)?;
            }
        }
        tx.commit().await.map_err(LedgerError::from)?;
        bells.ring_list();
        Ok(())
    }
}

fn payload(delivery: &Delivery) -> Option<Payload> {
    Event::decode(delivery.envelope.payload.as_slice())
        .ok()?
        .payload
}

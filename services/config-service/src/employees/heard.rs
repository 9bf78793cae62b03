//! What the bus tells of employees, told on to those who watch through this process.

use std::sync::Arc;
use std::time::Duration;

use api::event::v1::{Event, event::Payload};
use events::{Bus, BusError, ConsumerSpec, Filter, Lifetime, Received};
use prost::Message as _;
use runtime::{Ids, Shutdown};
use tracing::warn;

use super::{Told, Watchers};

const BATCH: usize = 256;
const ACK_WAIT: Duration = Duration::from_secs(30);

pub(crate) struct EmployeeEvents {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) watchers: Watchers,
    pub(crate) ids: Ids,
    /// Each process hears for itself.
    pub(crate) instance: String,
}

impl EmployeeEvents {
    /// Runs until shutdown. The bus down is waited out; what is missed meanwhile comes when it is back.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let token = shutdown.token();
        let mut failures = 0;
        while !token.is_cancelled() {
            let heard = token.run_until_cancelled(Box::pin(self.hear(&mut failures)));
            let Some(Err(error)) = heard.await else {
                return;
            };
            failures += 1;
            let pause = self.ids.backoff(failures);
            warn!(
                error = &error as &dyn std::error::Error,
                "failed to hear of employees; trying again in {pause:.1?}"
            );
            token.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn hear(&self, failures: &mut u32) -> Result<(), BusError> {
        let Ok(filter) = Filter::family("employee") else {
            return Ok(());
        };
        let name = format!("config-service-employees-{}", self.instance);
        let spec = ConsumerSpec {
            name: name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .collect(),
            filter,
            max_deliver: 5,
            ack_wait: ACK_WAIT,
            lifetime: Lifetime::Process,
        };
        let mut consumer = self.bus.consumer(spec).await?;
        loop {
            match consumer.next(BATCH).await? {
                Received::Events(deliveries) => {
                    for delivery in &deliveries {
                        if let Some(employee) = employee_in(&delivery.envelope.payload) {
                            self.watchers.tell(Told::Changed(Arc::new(employee)));
                        }
                    }
                    consumer.ack(&deliveries).await?;
                    *failures = 0;
                }
                Received::Gap { .. } => {
                    self.watchers.tell(Told::Gap);
                    consumer.close_gap().await?;
                }
            }
        }
    }
}

fn employee_in(payload: &[u8]) -> Option<api::config::v1::Employee> {
    match Event::decode(payload).ok()?.payload? {
        Payload::EmployeeChanged(changed) => changed.employee,
        Payload::AccountChanged(_)
        | Payload::DirectoryPinned(_)
        | Payload::SyncRunChanged(_)
        | Payload::DomainChanged(_)
        | Payload::PasswordlessSettingsChanged(_)
        | Payload::LinkProposalChanged(_)
        | Payload::RotationChanged(_)
        | Payload::DomainRotationChanged(_)
        | Payload::TargetChanged(_)
        | Payload::AuditRecorded(_) => None,
    }
}

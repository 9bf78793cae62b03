#![doc = include_str!("../README.md")]

mod announce;
mod bells;
mod breaker;
mod connectors;
mod delivery;
mod enrolment;
mod grpc;
mod heard;
mod ledger;
mod listener;
mod message;
mod metrics;
mod names;
mod policy;
mod program;
mod store;
mod supervisor;
mod tokens;
mod worker;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::rotation::Rules;
use api::rotation::v1::delivery_service_server::DeliveryServiceServer;
use api::rotation::v1::rotation_service_server::RotationServiceServer;
use events::{Bus, Now, Relay, Standing};
use jiff::SignedDuration;
use runtime::grpc::Routes;
use runtime::{Channel, Ids, OnEnd, Readiness, Service, SharedClock, Tasks};
use sealing::Sealer;
use serde::Deserialize;
use storage::{Database, Migrations};

pub use connectors::Connectors;
pub use program::Program;

use bells::Bells;
use grpc::{DeliveryHandler, RotationHandler};
use ledger::Ledger;
use listener::{Listener, What};
use supervisor::Supervisor;
use tokens::ClientTokens;

/// The name by which the other services know this one.
pub const NAME: &str = "rotation-scheduler";

/// The schema of the service's database.
pub const MIGRATIONS: Migrations = storage::migrations!["0001_init"];

/// Every setting of this service with its default, commented.
pub const DEFAULT_SETTINGS: &str = include_str!("../settings.default.toml");

/// The section `[rotation_scheduler]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub send_deadline: Duration,
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub quiescence: Duration,
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            send_deadline: Duration::from_secs(30),
            quiescence: Duration::from_hours(1),
            patience: Duration::from_hours(24),
        }
    }
}

/// What the service stands on; whoever runs it decides what these are.
#[derive(Clone)]
pub struct Deps {
    /// Opened with [`MIGRATIONS`].
    pub db: Database,
    pub bus: Arc<dyn Bus>,
    /// To config-service, as this service.
    pub config: Channel,
    pub clock: SharedClock,
    pub ids: Ids,
    pub tasks: Tasks,
    /// Seals passwords that are not delivered yet.
    pub sealer: Sealer,
    pub connectors: Connectors,
    /// Unique among processes that share the database, and the same after a restart where it can be: a process that
    /// comes back under another name waits until the lease of its former self runs out.
    pub instance: String,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps")
            .field("connectors", &self.connectors)
            .finish_non_exhaustive()
    }
}

/// The service as a value; nothing runs yet.
pub fn build(settings: Settings, deps: Deps) -> Service {
    metrics::describe();
    let Deps {
        db,
        bus,
        config,
        clock,
        ids,
        tasks,
        sealer,
        connectors,
        instance,
    } = deps;
    let now: Now = {
        let clock = clock.clone();
        Arc::new(move || clock.now())
    };
    let standing = Standing::new(db.clone(), Arc::clone(&bus), Arc::clone(&now));
    let relay = Relay::new(db.clone(), Arc::clone(&bus), now, NAME, instance.clone());
    let ledger = Ledger {
        db: db.clone(),
        ids,
        clock,
        sealer,
        rules: Arc::new(rules(&settings)),
        bells: Bells::default(),
        relay: relay.waker(),
    };
    let (tokens, readiness) = (ClientTokens::default(), Readiness::default());
    let supervisor = Arc::new(Supervisor {
        ledger: ledger.clone(),
        connectors,
        config,
        tasks: tasks.clone(),
        readiness: readiness.clone(),
        tokens: tokens.clone(),
        instance: instance.clone(),
        seats: Mutex::new(HashSet::new()),
    });
    let routes = Routes::new()
        .with(RotationServiceServer::new(RotationHandler {
            ledger: ledger.clone(),
            standing,
            instance: instance.clone(),
        }))
        .with(DeliveryServiceServer::new(DeliveryHandler {
            ledger: ledger.clone(),
            tokens: tokens.clone(),
            tasks,
        }));
    let mut service = Service::new(NAME)
        .routes(routes)
        .readiness(readiness)
        .accepting(Arc::new(tokens.clone()))
        .task(
            "outbox relay",
            OnEnd::ShutDown,
            async move |shutdown: runtime::Shutdown| {
                relay.run(shutdown.token()).await;
            },
        )
        .task("delivery clients", OnEnd::ShutDown, move |shutdown| {
            tokens.keep(db, shutdown)
        })
        .task("domains", OnEnd::ShutDown, move |shutdown| {
            supervisor.run(shutdown)
        });
    for (family, what) in [
        ("directory", What::TakeDown),
        ("employee", What::TakeDown),
        ("config", What::Ring),
        ("rotation", What::Ring),
    ] {
        let listener = Listener {
            bus: Arc::clone(&bus),
            ledger: ledger.clone(),
            family,
            what,
            instance: instance.clone(),
        };
        let name = format!("{family} events");
        service = service.task(name, OnEnd::ShutDown, move |shutdown| {
            listener.run(shutdown)
        });
    }
    service
}

fn rules(settings: &Settings) -> Rules {
    let signed =
        |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    Rules {
        // The lease outlasts it, and the connector takes no deadline that is further away.
        send_deadline: signed(settings.send_deadline.min(Duration::from_secs(45))),
        quiescence: signed(settings.quiescence),
        patience: signed(settings.patience),
        ..Rules::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_defaults_are_the_defaults() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            rotation_scheduler: Settings,
        }
        let layers = runtime::settings::Layers::new(&[DEFAULT_SETTINGS]);

        let file: File = runtime::settings::load(&layers).unwrap();

        assert_eq!(file.rotation_scheduler, Settings::default());
    }
}

#![doc = include_str!("../README.md")]

mod announce;
pub mod audit;
mod connectors;
mod consumer;
mod denials;
mod domains;
mod employees;
mod facade;
mod grpc;
mod log;
mod mask;
mod metrics;
mod program;
mod store;
mod validate;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::config::v1::audit_service_server::AuditServiceServer;
use api::config::v1::credential_service_server::CredentialServiceServer;
use api::config::v1::domain_service_server::DomainServiceServer;
use api::config::v1::employee_service_server::EmployeeServiceServer;
use api::config::v1::status_service_server::StatusServiceServer;
use api::connector::v1::sync_service_server::SyncServiceServer;
use events::{Bus, Now, Relay, Standing};
use runtime::grpc::Routes;
use runtime::{Channel, Ids, OnEnd, Readiness, Service, SharedClock};
use sealing::Sealer;
use serde::Deserialize;
use storage::{Database, Migrations};

pub use connectors::Connectors;
pub use program::Program;

use audit::ToldAudit;
use consumer::DirectoryEvents;
use domains::Domains;
use employees::{EmployeeEvents, Employees, Watchers};
use facade::Facade;
use log::Log;
use worker::{Bell, Worker};

/// The name by which the other services know this one.
pub const NAME: &str = "config-service";

/// The schema of the service's database.
pub const MIGRATIONS: Migrations =
    storage::migrations!["0001_init", "0002_counts", "0003_told_audit"];

/// Every setting of this service with its default, commented.
pub const DEFAULT_SETTINGS: &str = include_str!("../settings.default.toml");

/// The section `[config_service]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(deserialize_with = "runtime::settings::duration")]
    pub housekeeping_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            housekeeping_interval: Duration::from_secs(30),
        }
    }
}

/// What the service stands on; whoever runs it decides what these are.
#[derive(Clone)]
pub struct Deps {
    /// Opened with [`MIGRATIONS`].
    pub db: Database,
    pub bus: Arc<dyn Bus>,
    pub clock: SharedClock,
    pub ids: Ids,
    /// Seals credentials.
    pub sealer: Sealer,
    pub connectors: Connectors,
    /// To rotation-scheduler, where this installation has one.
    pub rotation: Option<Channel>,
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
    let Deps {
        db,
        bus,
        clock,
        ids,
        sealer,
        connectors,
        rotation,
        instance,
    } = deps;
    let now: Now = {
        let clock = clock.clone();
        Arc::new(move || clock.now())
    };
    let standing = Standing::new(db.clone(), bus.clone(), Arc::clone(&now));
    let relay = Relay::new(db.clone(), bus.clone(), now, NAME, instance.clone());
    metrics::describe();
    let (bell, readiness) = (Bell::default(), Readiness::default());
    let domains = Domains {
        db: db.clone(),
        ids: ids.clone(),
        sealer,
    };
    let employees = Employees {
        db: db.clone(),
        ids,
        watchers: Watchers::default(),
        relay: relay.waker(),
    };
    let (desk, desk_work) = facade::desk();
    let (on_denial, denial_work) = denials::denials(db.clone(), clock.clone());
    let facade = Facade {
        domains: domains.clone(),
        connectors: connectors.clone(),
        desk,
    };
    let worker = Worker {
        domains: domains.clone(),
        employees: employees.clone(),
        connectors: connectors.clone(),
        clock: clock.clone(),
        bell: bell.clone(),
        readiness: readiness.clone(),
        interval: settings.housekeeping_interval,
        instance: instance.clone(),
    };
    let employee_events = EmployeeEvents {
        bus: bus.clone(),
        watchers: employees.watchers.clone(),
        ids: employees.ids.clone(),
        instance: instance.clone(),
    };
    let told_audit = ToldAudit {
        bus: bus.clone(),
        db: db.clone(),
        ids: employees.ids.clone(),
        clock: clock.clone(),
    };
    let directory_events = DirectoryEvents {
        bus,
        employees: employees.clone(),
        clock: clock.clone(),
        worker: bell.clone(),
    };
    let log = Log { db };
    let routes = Routes::new()
        .with(DomainServiceServer::new(grpc::DomainHandler {
            domains: domains.clone(),
            connectors: connectors.clone(),
            rotation: rotation.clone(),
            clock: clock.clone(),
            log: log.clone(),
            relay: relay.waker(),
            worker: bell,
        }))
        .with(CredentialServiceServer::new(grpc::CredentialHandler {
            domains,
            clock: clock.clone(),
        }))
        .with(EmployeeServiceServer::new(grpc::EmployeeHandler {
            employees,
            clock: clock.clone(),
            log: log.clone(),
        }))
        .with(AuditServiceServer::new(grpc::AuditHandler(log)))
        .with(StatusServiceServer::new(grpc::StatusHandler {
            standing,
            connectors,
            rotation,
            instance,
        }))
        .with(SyncServiceServer::new(grpc::SyncHandler { facade, clock }));
    Service::new(NAME)
        .routes(routes)
        .readiness(readiness)
        .on_denial(on_denial)
        .task("refused calls", OnEnd::ShutDown, denial_work)
        .task(
            "outbox relay",
            OnEnd::ShutDown,
            async move |shutdown: runtime::Shutdown| {
                relay.run(shutdown.token()).await;
            },
        )
        .task("directory events", OnEnd::ShutDown, |shutdown| {
            directory_events.run(shutdown)
        })
        .task("audit events", OnEnd::ShutDown, |shutdown| {
            told_audit.run(shutdown)
        })
        .task("employee events", OnEnd::ShutDown, |shutdown| {
            employee_events.run(shutdown)
        })
        .task("work", OnEnd::ShutDown, |shutdown| worker.run(shutdown))
        .task("sync requests", OnEnd::ShutDown, desk_work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_defaults_are_the_defaults() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            config_service: Settings,
        }
        let layers = runtime::settings::Layers::new(&[DEFAULT_SETTINGS]);

        let file: File = runtime::settings::load(&layers).unwrap();

        assert_eq!(file.config_service, Settings::default());
    }
}

//! From settings and dependencies to a service.

use std::sync::Arc;
use std::time::Duration;

use api::connector::v1::connector_service_server::ConnectorServiceServer;
use api::connector::v1::password_service_server::PasswordServiceServer;
use events::{Bus, ConsumerSpec, Filter, Lifetime, Now, Received, Relay, Standing};
use runtime::grpc::Routes;
use runtime::{Channel, Ids, OnEnd, Service, SharedClock, Shutdown, Tasks};
use storage::Database;
use tracing::warn;

use crate::grpc::{Connector, PasswordCalls};
use crate::metrics;
use crate::passwords::Passwords;
use crate::peer::Peer;
use crate::settings::Settings;
use crate::source::Directory;
use crate::store::Store;
use crate::supervisor::{Parts, Supervisor};

/// What a connector stands on. Who makes it decides whether it runs alone or with the whole suite.
pub struct Deps {
    /// Opened with [`crate::MIGRATIONS`].
    pub database: Database,
    pub bus: Arc<dyn Bus>,
    /// To config-service, as this connector.
    pub config: Channel,
    pub clock: SharedClock,
    pub ids: Ids,
    pub tasks: Tasks,
    /// Names this process among those that share the database: unique there, and best the same after a restart, so that
    /// it takes up at once what it was at.
    pub instance: String,
}

/// The service of one kind of connector. `name` is the service's, such as `ad-connector`.
pub fn build<D: Directory + Passwords>(
    name: &'static str,
    settings: Settings,
    deps: Deps,
    directory: D,
) -> Service {
    metrics::describe();
    let Deps {
        database,
        bus,
        config,
        clock,
        ids,
        tasks,
        instance,
    } = deps;
    let now: Now = {
        let clock = clock.clone();
        Arc::new(move || clock.now())
    };
    let standing = Standing::new(database.clone(), Arc::clone(&bus), Arc::clone(&now));
    let relay = Relay::new(
        database.clone(),
        Arc::clone(&bus),
        now,
        name,
        instance.clone(),
    );
    let store = Store::new(database, clock.clone(), ids.clone(), relay.waker());
    let supervisor = Supervisor::new(Parts {
        peer: Peer::new(config, directory.kind(), settings.batch),
        directory,
        store,
        settings,
        clock,
        ids,
        instance: instance.clone(),
        tasks,
    });
    let routes = Routes::new()
        .with(ConnectorServiceServer::new(Connector {
            supervisor: Arc::clone(&supervisor),
            standing,
            name,
        }))
        .with(PasswordServiceServer::new(PasswordCalls {
            supervisor: Arc::clone(&supervisor),
        }));
    let listening = Arc::clone(&supervisor);
    Service::new(name)
        .routes(routes)
        .task("relay", OnEnd::ShutDown, move |shutdown| {
            relay.run(shutdown.token())
        })
        .task("config events", OnEnd::ShutDown, move |shutdown| {
            listen(listening, bus, name, instance, shutdown)
        })
        .task("domains", OnEnd::ShutDown, move |shutdown| {
            supervisor.run(shutdown)
        })
}

/// How long an event may stay unanswered: looking again takes no time.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// Looks at the domains again whenever config-service tells of a change. What exactly changed doesn't matter, so a lost
/// event is made good by the next one, or by the timer.
async fn listen<D: Directory>(
    supervisor: Arc<Supervisor<D>>,
    bus: Arc<dyn Bus>,
    name: &'static str,
    instance: String,
    shutdown: Shutdown,
) {
    let Ok(filter) = Filter::family("config") else {
        return;
    };
    // Each process has to hear of it, so each has a consumer of its own.
    let name: String = format!("{name}-config-{instance}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    while !shutdown.is_signalled() {
        let spec = ConsumerSpec {
            name: name.clone(),
            filter: filter.clone(),
            max_deliver: 5,
            ack_wait: ACK_WAIT,
            lifetime: Lifetime::Process,
        };
        let hear = async {
            let mut consumer = bus.consumer(spec).await?;
            loop {
                let received = consumer.next(100).await?;
                supervisor.look_again();
                match received {
                    Received::Events(deliveries) => consumer.ack(&deliveries).await?,
                    Received::Gap { .. } => consumer.close_gap().await?,
                }
            }
        };
        let result: Result<(), events::BusError> = tokio::select! {
            () = shutdown.signalled() => return,
            result = hear => result,
        };
        if let Err(error) = result {
            warn!(%error, "config-service's events can't be heard: {error}");
        }
        tokio::select! {
            () = shutdown.signalled() => return,
            () = supervisor.clock.sleep(supervisor.settings.retry) => {}
        }
    }
}

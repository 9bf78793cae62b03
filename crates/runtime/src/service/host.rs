//! Runs services, one or many, on the same listeners, and ends them in order (O1): readiness off, stop accepting,
//! finish or park, leave.

use std::time::Duration;

use futures::{StreamExt, stream::FuturesUnordered};
use prost_reflect::DescriptorPool;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Readiness, Service};
use crate::{
    OnEnd, Tasks,
    auth::Authenticator,
    grpc::{self, BuildError, Health, Listener, Routes, Server},
    lifecycle::Stuck,
    settings,
};

/// How a process ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(deserialize_with = "settings::duration")]
    pub drain_delay: Duration,
    #[serde(deserialize_with = "settings::duration")]
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            drain_delay: Duration::ZERO,
            grace: Duration::from_secs(30),
        }
    }
}

/// What services run in.
#[derive(Debug)]
pub struct Host {
    pub grpc: grpc::Settings,
    pub lifecycle: Settings,
    pub authenticator: Authenticator,
    pub tasks: Tasks,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("failed to build the server of {services}")]
    Server {
        services: String,
        #[source]
        source: BuildError,
    },
}

/// The process ends, and not well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Failed(String),
    #[error("left before everything was finished")]
    Stuck(#[source] Stuck),
}

/// Services that are answering.
#[derive(Debug)]
pub struct Running {
    tasks: Tasks,
    lifecycle: Settings,
    health: Health,
    stop: CancellationToken,
}

impl Host {
    /// Starts the services, their rules read from the suite's own contracts.
    pub fn start(
        self,
        services: Vec<Service>,
        listeners: Vec<Listener>,
    ) -> Result<Running, StartError> {
        self.start_with(api::descriptor_pool(), services, listeners)
    }

    /// [`Host::start`], for contracts that aren't the suite's own.
    pub fn start_with(
        self,
        pool: &DescriptorPool,
        services: Vec<Service>,
        listeners: Vec<Listener>,
    ) -> Result<Running, StartError> {
        let names: Vec<&str> = services.iter().map(|service| service.name).collect();
        let routes = services.iter().fold(Routes::new(), |routes, service| {
            routes.merge(service.routes.clone())
        });
        let authenticator = services
            .iter()
            .filter_map(|service| service.tokens.clone())
            .fold(self.authenticator, Authenticator::accepting_shared);
        let server = Server::build(&self.grpc, pool, authenticator, routes).map_err(|source| {
            StartError::Server {
                services: names.join(", "),
                source,
            }
        })?;
        let listeners_to_denials = services
            .iter()
            .filter_map(|service| service.on_denial.clone());
        let server = server.on_denial(listeners_to_denials);
        let (health, stop) = (server.health(), CancellationToken::new());
        let readiness: Vec<Readiness> = services
            .iter()
            .map(|service| service.readiness.clone())
            .collect();
        let reporting = report(readiness, health.clone(), self.tasks.shutdown().token());
        self.tasks.spawn("readiness", OnEnd::ShutDown, reporting);
        for service in services {
            info!(service = service.name, "starting {}", service.name);
            service.start(&self.tasks);
        }
        server.serve(listeners, &stop, &self.tasks);
        Ok(Running {
            tasks: self.tasks,
            lifecycle: self.lifecycle,
            health,
            stop,
        })
    }
}

impl Running {
    /// Waits for the end, and ends in order.
    pub async fn wait(self) -> Result<(), RunError> {
        let shutdown = self.tasks.shutdown();
        shutdown.signalled().await;
        self.health.set_ready(false).await;
        tokio::select! {
            () = tokio::time::sleep(self.lifecycle.drain_delay) => {}
            () = shutdown.abort_signalled() => {}
        }
        self.stop.cancel();
        let joined = self.tasks.join(self.lifecycle.grace).await;
        if let Some(reason) = shutdown.failure() {
            return Err(RunError::Failed(reason.to_owned()));
        }
        joined.map_err(RunError::Stuck)
    }
}

/// Tells the health service when the services change their minds, until shutdown.
async fn report(services: Vec<Readiness>, health: Health, shutdown: CancellationToken) {
    health.set("liveness", true).await;
    let mut watches: Vec<_> = services.iter().map(Readiness::watch).collect();
    loop {
        let reasons: Vec<String> = services.iter().filter_map(Readiness::reason).collect();
        if !reasons.is_empty() {
            warn!(
                reasons = reasons.join("; "),
                "not ready: {}",
                reasons.join("; ")
            );
        }
        health.set_ready(reasons.is_empty()).await;
        let mut changes: FuturesUnordered<_> =
            watches.iter_mut().map(|watch| watch.changed()).collect();
        let changed = async {
            if changes.next().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        if shutdown.run_until_cancelled(changed).await.is_none() {
            return;
        }
    }
}

//! What a service hands to the process that runs it, and the process that runs one or many.

mod host;
mod readiness;

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;

pub use host::{Host, RunError, Running, Settings, StartError};
pub use readiness::Readiness;

use crate::{
    auth::{OnDenial, Tokens},
    grpc::Routes,
    lifecycle::{OnEnd, Outcome, Shutdown, Tasks},
};

/// A service as a value: `build(settings, deps)` makes it, the host runs it. Nothing runs before that.
pub struct Service {
    pub name: &'static str,
    pub routes: Routes,
    pub readiness: Readiness,
    on_denial: Option<OnDenial>,
    tokens: Option<Arc<dyn Tokens>>,
    tasks: Vec<Task>,
}

struct Task {
    name: String,
    on_end: OnEnd,
    start: Box<dyn FnOnce(Shutdown) -> BoxFuture<'static, Option<String>> + Send>,
}

impl Service {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            routes: Routes::new(),
            readiness: Readiness::default(),
            on_denial: None,
            tokens: None,
            tasks: Vec::new(),
        }
    }

    #[must_use]
    pub fn routes(mut self, routes: Routes) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Keeps the handle the service's tasks report to.
    #[must_use]
    pub fn readiness(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// Told of every call that the server, whichever services it has, refuses to a known caller.
    #[must_use]
    pub fn on_denial(mut self, listener: OnDenial) -> Self {
        self.on_denial = Some(listener);
        self
    }

    /// Tokens that this service gives out, beside those that its host knows. They let their holders into whatever services
    /// the process has, as far as the methods allow.
    #[must_use]
    pub fn accepting(mut self, tokens: Arc<dyn Tokens>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// A task that lives as long as the service; it must end once shutdown is signalled.
    #[must_use]
    pub fn task<F, Fut>(mut self, name: impl Into<String>, on_end: OnEnd, start: F) -> Self
    where
        F: FnOnce(Shutdown) -> Fut + Send + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.tasks.push(Task {
            name: format!("{}: {}", self.name, name.into()),
            on_end,
            start: Box::new(move |shutdown| {
                let future = start(shutdown);
                Box::pin(async move { future.await.failure() })
            }),
        });
        self
    }

    fn start(self, tasks: &Tasks) {
        for task in self.tasks {
            let future = (task.start)(tasks.shutdown().clone());
            tasks.spawn(task.name, task.on_end, async move {
                future
                    .await
                    .map_or(Ok(()), |failure| Err(anyhow::Error::msg(failure)))
            });
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

use std::{convert::Infallible, fmt};

use http::Request;
use tonic::{body::Body, server::NamedService};
use tower::Service;

/// gRPC services, and their names, which is where their rules are found.
#[derive(Clone, Default)]
pub struct Routes {
    pub(super) services: Vec<&'static str>,
    pub(super) routes: Option<tonic::service::Routes>,
}

impl Routes {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.services.push(S::NAME);
        self.routes = Some(self.routes.unwrap_or_default().add_service(service));
        self
    }

    /// These and those.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.services.extend(other.services);
        self.routes = match (self.routes, other.routes) {
            (Some(mine), Some(theirs)) => {
                // Each has its own fallback, and two can't be merged: mine is kept.
                let theirs = theirs.into_axum_router().reset_fallback();
                Some(mine.into_axum_router().merge(theirs).into())
            }
            (mine, theirs) => mine.or(theirs),
        };
        self
    }

    pub fn services(&self) -> &[&'static str] {
        &self.services
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.services).finish()
    }
}

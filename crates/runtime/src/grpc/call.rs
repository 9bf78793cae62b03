//! The way of one call through the server.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::ServiceExt;
use tracing::{Instrument, error, field::Empty, info_span};

use super::{
    Settings,
    body::Watched,
    connection::Peer,
    deadline,
    observe::{Observed, Side, status},
    status::{Failure, Reason},
};
use crate::{
    auth::{Authenticator, Caller, Denial, Method, NotAuthenticated, OnDenial, Rule, Rules},
    lifecycle::panic_message,
    telemetry,
};

/// What every call needs, on any connection.
pub(super) struct Calls {
    pub(super) routes: tonic::service::Routes,
    pub(super) rules: Rules,
    pub(super) authenticator: Authenticator,
    pub(super) settings: Settings,
    pub(super) on_denial: Vec<OnDenial>,
    /// Cancelled when the server leaves: streams end, other calls are waited for.
    pub(super) leaving: CancellationToken,
}

impl Calls {
    pub(super) async fn answer(&self, peer: Peer, request: Request<Body>) -> Response<Body> {
        let Some(method) = self.rules.method(request.uri().path()) else {
            return self.unknown_method(&request);
        };
        let span = info_span!(
            "rpc",
            otel.name = %method.name,
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.system.name = "grpc",
            rpc.method = %method.name,
            rpc.response.status_code = Empty,
            hes.caller = Empty,
        );
        let span = telemetry::with_parent_of(span, request.headers());
        let deadline = Instant::now() + self.time_for(method, request.headers());
        let mut call = Observed::start(Side::Server, method.name.clone(), deadline, span.clone());

        let work = deadline::within(deadline, self.handle(method, peer, request));
        let work = AssertUnwindSafe(work).catch_unwind().instrument(span);
        let response = match tokio::time::timeout_at(deadline, Box::pin(work)).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(failure))) => failure.into_status().into_http(),
            Ok(Err(panic)) => panicked(&method.name, panic_message(&*panic))
                .into_status()
                .into_http(),
            Err(_elapsed) => deadline::exceeded().into_status().into_http(),
        };

        // A response whose status stands in its headers has no body.
        if status(response.headers()).is_some() {
            call.finish_by(response.headers());
            return response;
        }
        let leaving = method.streaming.then(|| self.leaving.clone());
        response.map(|body| Watched::wrap(body, call, leaving))
    }

    async fn handle(
        &self,
        method: &Method,
        peer: Peer,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        let caller = self.admit(method, &peer, request.headers())?;
        tracing::Span::current().record("hes.caller", tracing::field::display(&caller));
        // The token has done its work; what does not travel on can't be logged.
        request.headers_mut().remove(AUTHORIZATION);
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(peer);
        match self.routes.clone().oneshot(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    }

    fn admit(&self, method: &Method, peer: &Peer, headers: &HeaderMap) -> Result<Caller, Failure> {
        let caller = match (self.identify(peer, headers), &method.rule) {
            (Ok(caller), _) => caller,
            (Err(_), Rule::Public) => Caller::Anonymous,
            (Err(error), Rule::AnyOf { .. }) => {
                return Err(unauthenticated(
                    method,
                    &format!("{error}; get a new one and try again"),
                ));
            }
        };
        if method.rule.allows(&caller) {
            return Ok(caller);
        }
        if caller == Caller::Anonymous {
            return Err(unauthenticated(
                method,
                "the call carries no identity; send a bearer token, or a client certificate",
            ));
        }
        for on_denial in &self.on_denial {
            on_denial(Denial {
                caller: caller.clone(),
                method: method.name.clone(),
            });
        }
        Err(Failure::new(
            Reason::PermissionDenied,
            format!(
                "{caller} may not call {}; {}",
                method.name,
                admitted(&method.rule)
            ),
        )
        .with("method", &method.name)
        .with("caller", &caller))
    }

    fn identify(&self, peer: &Peer, headers: &HeaderMap) -> Result<Caller, NotAuthenticated> {
        match peer {
            Peer::InProcess(caller) => Ok(caller.clone()),
            Peer::Network { service, .. } => match headers.get(AUTHORIZATION) {
                Some(value) => {
                    let value = value.to_str().map_err(|_| NotAuthenticated)?;
                    let (scheme, token) = value.split_once(' ').ok_or(NotAuthenticated)?;
                    if !scheme.eq_ignore_ascii_case("bearer") {
                        return Err(NotAuthenticated);
                    }
                    self.authenticator.caller(token.trim())
                }
                None => Ok(service.clone().map_or(Caller::Anonymous, Caller::Service)),
            },
        }
    }

    fn time_for(&self, method: &Method, headers: &HeaderMap) -> Duration {
        let settings = &self.settings;
        let (default, max) = if method.streaming {
            (settings.stream_deadline, settings.max_stream_deadline)
        } else {
            (settings.deadline, settings.max_deadline)
        };
        deadline::requested(headers).unwrap_or(default).min(max)
    }

    /// Counted under one name: a stranger may make up as many methods as they like.
    fn unknown_method(&self, request: &Request<Body>) -> Response<Body> {
        let deadline = Instant::now() + self.settings.deadline;
        let mut call = Observed::start(
            Side::Server,
            "_OTHER".to_owned(),
            deadline,
            tracing::Span::none(),
        );
        let failure = Failure::new(
            Reason::MethodUnknown,
            format!("there is no method {} here", request.uri().path()),
        );
        let response = failure.into_status().into_http();
        call.finish_by(response.headers());
        response
    }
}

fn unauthenticated(method: &Method, why: &str) -> Failure {
    Failure::new(
        Reason::Unauthenticated,
        format!("{} needs an identity: {why}", method.name),
    )
    .with("method", &method.name)
}

fn admitted(rule: &Rule) -> String {
    match rule {
        Rule::Public => "everyone may".to_owned(),
        Rule::AnyOf { roles, services } => {
            let names: Vec<&str> = roles
                .iter()
                .map(|role| role.proto().1)
                .chain(services.iter().map(|service| service.as_str()))
                .collect();
            format!("it is for {}", names.join(", "))
        }
    }
}

pub(super) fn panicked(method: &str, message: &str) -> Failure {
    error!(
        rpc.method = method,
        panic = message,
        "handler of {method} panicked: {message}"
    );
    Failure::new(
        Reason::Internal,
        "the server failed on this call, by a defect; its log tells more",
    )
}

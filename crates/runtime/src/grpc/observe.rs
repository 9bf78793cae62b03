//! Measures a call, however it ends.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use tonic::Code;
use tracing::Span;

const GRPC_STATUS: &str = "grpc-status";

/// The client's timer fires as ours does, and which is first is chance: a call dropped this close to its deadline was
/// dropped because of it.
const ABOUT_THE_DEADLINE: Duration = Duration::from_millis(20);

/// Which end of the call measures it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Server,
    Client,
}

/// A call in progress. Dropped before it was finished, it counts as cancelled: a client that goes away drops the
/// handler's future and its response, and code after an `.await` never runs.
#[derive(Debug)]
pub(super) struct Observed {
    side: Side,
    method: String,
    started: Instant,
    deadline: Instant,
    span: Span,
    finished: bool,
}

impl Observed {
    pub(super) fn start(side: Side, method: String, deadline: Instant, span: Span) -> Self {
        Self {
            side,
            method,
            started: Instant::now(),
            deadline,
            span,
            finished: false,
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Empty once the call is finished.
    pub(super) fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Finishes by the status in the headers or trailers, if one is there.
    pub(super) fn finish_by(&mut self, headers: &HeaderMap) {
        if let Some(code) = status(headers) {
            self.finish(code);
        }
    }

    pub(super) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let status = name(code);
        self.span.record("rpc.response.status_code", status);
        if matches!(
            (self.side, code),
            (Side::Client, code) if code != Code::Ok
        ) || is_server_fault(code)
        {
            self.span.record("otel.status_code", "ERROR");
        }
        let labels = [
            ("rpc_system_name", "grpc".to_owned()),
            ("rpc_method", std::mem::take(&mut self.method)),
            ("rpc_response_status_code", status.to_owned()),
        ];
        let metric = match self.side {
            Side::Server => "rpc_server_call_duration_seconds",
            Side::Client => "rpc_client_call_duration_seconds",
        };
        metrics::histogram!(metric, &labels).record(self.started.elapsed());
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let code = if Instant::now() + ABOUT_THE_DEADLINE >= self.deadline {
            Code::DeadlineExceeded
        } else {
            Code::Cancelled
        };
        self.finish(code);
    }
}

pub(super) fn status(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// The codes that OpenTelemetry calls an error of the server; the others are answers.
fn is_server_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The code as gRPC and OpenTelemetry spell it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

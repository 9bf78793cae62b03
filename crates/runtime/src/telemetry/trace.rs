//! W3C trace context, in and out.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// The current span as an event's `traceparent` header; `None` outside any trace.
pub fn current_traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| {
        let flags = span.trace_flags().to_u8();
        format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
    })
}

/// Notes that an event is about to be sent, in the current trace, and returns the event's `traceparent`.
pub fn sent(subject: &str) -> Option<String> {
    let span = info_span!(
        "send",
        otel.name = %format!("send {}", without_scope(subject)),
        otel.kind = "producer",
        messaging.system = "nats",
        messaging.operation.type = "send",
        messaging.destination.name = %subject,
    );
    span.in_scope(current_traceparent)
}

/// The span in which an event is handled, a child of the one that sent it.
pub fn received(subject: &str, traceparent: Option<&str>) -> Span {
    let span = info_span!(
        "process",
        otel.name = %format!("process {}", without_scope(subject)),
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.type = "process",
        messaging.destination.name = %subject,
    );
    with_parent(span, traceparent)
}

/// `hes.<family>.<scope>.<what>.<verb>` as a name for spans: there are few of them.
fn without_scope(subject: &str) -> String {
    let tokens = subject.split('.').enumerate();
    let tokens: Vec<_> = tokens
        .filter_map(|(index, token)| (index != 2).then_some(token))
        .collect();
    tokens.join(".")
}

/// Makes the span a child of the trace that an event's `traceparent` names; one that is malformed is ignored.
#[must_use]
pub fn with_parent(span: Span, traceparent: Option<&str>) -> Span {
    if let Some(traceparent) = traceparent {
        adopt(
            &span,
            &TraceContextPropagator::new().extract(&Single(traceparent)),
        );
    }
    span
}

/// Makes the span a child of the trace that a request's headers name.
#[must_use]
pub fn with_parent_of(span: Span, headers: &HeaderMap) -> Span {
    adopt(
        &span,
        &TraceContextPropagator::new().extract(&Headers(headers)),
    );
    span
}

/// Writes the current span into a request's headers.
pub fn inject(headers: &mut HeaderMap) {
    TraceContextPropagator::new()
        .inject_context(&Span::current().context(), &mut HeadersMut(headers));
}

fn adopt(span: &Span, context: &Context) {
    if context.span().span_context().is_valid() {
        // Fails when nothing records traces, or the span has begun: then it has no parent, and that is all.
        drop(span.set_parent(context.clone()));
    }
}

struct Single<'a>(&'a str);

impl Extractor for Single<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_span_continues_the_trace_of_the_event_it_handles() {
        crate::telemetry::testing();
        let span = with_parent(tracing::info_span!("handle"), Some(PARENT));

        let mine = span.in_scope(current_traceparent).unwrap();

        assert!(
            mine.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
            "{mine}"
        );
        assert_ne!(mine, PARENT);
    }

    #[test]
    fn a_malformed_parent_begins_a_new_trace() {
        crate::telemetry::testing();
        for parent in [None, Some(""), Some("00-zz-zz-01"), Some("junk")] {
            let span = with_parent(tracing::info_span!("handle"), parent);
            assert!(span.in_scope(current_traceparent).is_some(), "{parent:?}");
        }
        assert_eq!(current_traceparent(), None);
    }
}

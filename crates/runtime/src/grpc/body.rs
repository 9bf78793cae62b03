//! The body of a response, watched until its end: a streaming call lives here, long after its headers are sent.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use http_body::Frame;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body};

use super::{
    call::panicked,
    deadline,
    observe::Observed,
    status::{Failure, Reason},
};
use crate::lifecycle::panic_message;

/// Ends with DEADLINE_EXCEEDED at the call's deadline, with UNAVAILABLE when the server leaves, and tells the
/// measurement how it ended.
pub(super) struct Watched {
    inner: Body,
    call: Observed,
    deadline: Pin<Box<Sleep>>,
    leaving: Option<BoxFuture<'static, ()>>,
    ended: bool,
}

impl Watched {
    /// `leaving` cuts a stream short; without it the body is waited for.
    pub(super) fn wrap(inner: Body, call: Observed, leaving: Option<CancellationToken>) -> Body {
        Body::new(Self {
            inner,
            deadline: Box::pin(tokio::time::sleep_until(call.deadline())),
            call,
            leaving: leaving
                .map(|token| Box::pin(token.cancelled_owned()) as BoxFuture<'static, ()>),
            ended: false,
        })
    }

    fn end(&mut self, failure: Failure) -> Frame<Bytes> {
        let status = failure.into_status();
        self.ended = true;
        self.call.finish(status.code());
        trailers(&status)
    }

    fn interruption(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Some(deadline::exceeded());
        }
        let leaving = self.leaving.as_mut()?;
        leaving.as_mut().poll(cx).is_ready().then(|| {
            Failure::new(
                Reason::ShuttingDown,
                "the server is leaving; open the stream again",
            )
        })
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        // First, so that a stream that always has more can't outrun its deadline.
        if let Some(failure) = this.interruption(cx) {
            return Poll::Ready(Some(Ok(this.end(failure))));
        }
        let span = this.call.span().clone();
        let _entered = span.enter();
        let inner = Pin::new(&mut this.inner);
        let poll = || deadline::within_sync(this.call.deadline(), || inner.poll_frame(cx));
        let polled = match std::panic::catch_unwind(AssertUnwindSafe(poll)) {
            Ok(polled) => polled,
            Err(panic) => {
                let failure = panicked(this.call.method(), panic_message(&*panic));
                return Poll::Ready(Some(Ok(this.end(failure))));
            }
        };
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => {
                this.ended = true;
                // A response without trailers is a broken one.
                this.call.finish(Code::Unknown);
            }
            Poll::Ready(Some(Err(status))) => {
                this.ended = true;
                this.call.finish(status.code());
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.call.finish_by(trailers);
                }
            }
        }
        polled
    }
}

fn trailers(status: &Status) -> Frame<Bytes> {
    let mut headers = HeaderMap::new();
    // Fails when the message can't be a header; then the code alone must do.
    if status.add_header(&mut headers).is_err() {
        headers.insert(
            "grpc-status",
            http::HeaderValue::from(i32::from(status.code())),
        );
    }
    Frame::trailers(headers)
}

//! Traces reach a collector. Telemetry is set up once a process, so this test has one of its own.
#![expect(
    clippy::unwrap_used,
    reason = "all of this is test code, helpers included"
)]

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use runtime::telemetry;
use tokio::{net::TcpListener, sync::mpsc};
use tonic::{Request, Response, body::Body, server};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// As much of `ExportTraceServiceRequest` as the test looks at.
#[derive(Clone, PartialEq, prost::Message)]
struct Export {
    #[prost(bytes = "vec", repeated, tag = "1")]
    resource_spans: Vec<Vec<u8>>,
}

#[derive(Clone)]
struct Collector(mpsc::UnboundedSender<Export>);

impl server::NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl tower::Service<http::Request<Body>> for Collector {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let received = self.0.clone();
        Box::pin(async move {
            let mut grpc = server::Grpc::new(ProstCodec::<(), Export>::default());
            let handler = service_fn(move |request: Request<Export>| {
                received.send(request.into_inner()).unwrap();
                std::future::ready(Ok(Response::new(())))
            });
            Ok(grpc.unary(handler, request).await)
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_still_buffered_is_exported_when_the_process_leaves() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let collector = tonic::transport::Server::builder()
        .add_service(Collector(sender))
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(collector);
    let settings = telemetry::Settings {
        otlp_endpoint: Some(format!("http://{address}")),
        ..telemetry::Settings::default()
    };

    let guard = telemetry::init(&settings, "hes-under-test").unwrap();
    tracing::info_span!("the unit in hand").in_scope(|| ());
    guard.flush().await;

    let export = received.try_recv().unwrap();
    let bytes = export.resource_spans.concat();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("hes-under-test"), "{text}");
    assert!(text.contains("the unit in hand"), "{text}");
}

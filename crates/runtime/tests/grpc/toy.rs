//! A service and its client, written without generated code.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, LazyLock, OnceLock},
    task::{Context, Poll},
};

use futures::{StreamExt, future::BoxFuture, stream::BoxStream};
use http::uri::PathAndQuery;
use prost_reflect::DescriptorPool;
use runtime::{Caller, grpc, telemetry};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming, body::Body, client, server};
use tonic_prost::ProstCodec;
use tower::service_fn;

pub(crate) static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc");
    let contracts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let mut compiler = protox::Compiler::new([here, contracts]).unwrap();
    compiler
        .include_imports(true)
        .open_file("toy.proto")
        .unwrap();
    DescriptorPool::decode(&*compiler.encode_file_descriptor_set()).unwrap()
});

#[derive(Clone)]
pub(crate) struct Toy {
    /// `Gated` answers once there is a permit.
    pub(crate) gate: Arc<Semaphore>,
    /// A permit for each call that reached its handler.
    pub(crate) reached: Arc<Semaphore>,
    /// `Forward` calls `Echo` here.
    pub(crate) next: Arc<OnceLock<runtime::Channel>>,
}

impl Default for Toy {
    fn default() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            reached: Arc::new(Semaphore::new(0)),
            next: Arc::default(),
        }
    }
}

impl server::NamedService for Toy {
    const NAME: &'static str = "toy.v1.ToyService";
}

impl tower::Service<http::Request<Body>> for Toy {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let toy = self.clone();
        let path = request.uri().path().to_owned();
        Box::pin(async move {
            let mut grpc = server::Grpc::new(ProstCodec::<String, String>::default());
            Ok(match path.strip_prefix("/toy.v1.ToyService/").unwrap() {
                "CountedBreaks" => {
                    let first = futures::stream::iter([Ok("tick".to_owned())]);
                    let rest = futures::stream::once(async {
                        // What comes in one go is sent in one.
                        tokio::task::yield_now().await;
                        panic!("toy")
                    });
                    let messages = first.chain(rest).boxed();
                    grpc.server_streaming(Stream(Some(messages)), request).await
                }
                "Once" | "CountedOnce" => {
                    let first = futures::stream::iter([Ok("tick".to_owned())]);
                    let messages = first.chain(futures::stream::pending()).boxed();
                    grpc.server_streaming(Stream(Some(messages)), request).await
                }
                "Flood" => {
                    let messages = futures::stream::repeat_with(|| Ok("x".repeat(1000))).boxed();
                    grpc.server_streaming(Stream(Some(messages)), request).await
                }
                method => {
                    let method = method.to_owned();
                    let handler =
                        service_fn(move |request| toy.clone().unary(method.clone(), request));
                    grpc.unary(handler, request).await
                }
            })
        })
    }
}

impl Toy {
    async fn unary(
        self,
        method: String,
        request: Request<String>,
    ) -> Result<Response<String>, Status> {
        self.reached.add_permits(1);
        match &*method {
            "Slow" | "CountedSlow" => std::future::pending().await,
            "Gated" => drop(self.gate.acquire().await),
            "Panics" | "CountedPanics" => panic!("toy"),
            "Forward" => {
                let echoed = call(self.next.get().unwrap(), "Echo").await?;
                return Ok(Response::new(echoed));
            }
            _ => {}
        }
        let caller = Caller::of(&request);
        let trace = telemetry::current_traceparent().unwrap_or_default();
        let remaining = grpc::remaining().unwrap().as_secs();
        let authorization = request.metadata().contains_key("authorization");
        Ok(Response::new(format!(
            "{caller} {remaining} {authorization} {trace}"
        )))
    }
}

type Messages = BoxStream<'static, Result<String, Status>>;

/// Answers its first call with these messages.
struct Stream(Option<Messages>);

impl server::ServerStreamingService<String> for Stream {
    type Response = String;
    type ResponseStream = Messages;
    type Future = Ready<Result<Response<Messages>, Status>>;

    fn call(&mut self, _request: Request<String>) -> Self::Future {
        ready(Ok(Response::new(self.0.take().unwrap())))
    }
}

/// What a generated client does.
pub(crate) async fn unary(
    channel: &runtime::Channel,
    method: &str,
    request: Request<String>,
) -> Result<String, Status> {
    let mut grpc = client::Grpc::new(channel.clone());
    grpc.ready().await?;
    let codec = ProstCodec::<String, String>::default();
    let response = grpc.unary(request, path(method), codec).await?;
    Ok(response.into_inner())
}

pub(crate) async fn call(channel: &runtime::Channel, method: &str) -> Result<String, Status> {
    unary(channel, method, Request::new(String::new())).await
}

pub(crate) async fn open(
    channel: &runtime::Channel,
    method: &str,
) -> Result<Streaming<String>, Status> {
    let mut grpc = client::Grpc::new(channel.clone());
    grpc.ready().await?;
    let codec = ProstCodec::<String, String>::default();
    let request = Request::new(String::new());
    let response = grpc.server_streaming(request, path(method), codec).await?;
    Ok(response.into_inner())
}

fn path(method: &str) -> PathAndQuery {
    format!("/toy.v1.ToyService/{method}").parse().unwrap()
}

/// A service of that name, which is never called.
macro_rules! named {
    ($type:ident, $name:literal) => {
        #[derive(Clone)]
        pub(crate) struct $type;

        impl server::NamedService for $type {
            const NAME: &'static str = $name;
        }

        impl tower::Service<http::Request<Body>> for $type {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = Ready<Result<Self::Response, Infallible>>;

            fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, _request: http::Request<Body>) -> Self::Future {
                ready(Ok(http::Response::default()))
            }
        }
    };
}

named!(Forgotten, "toy.v1.ForgottenService");
named!(Empty, "toy.v1.EmptyService");
named!(Stranger, "toy.v1.StrangerService");

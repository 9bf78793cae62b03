use std::{net::SocketAddr, time::Duration};

use runtime::{Caller, Channel, Shutdown, Tasks, auth::Role, telemetry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tonic::Status;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};
use tracing::Instrument;

use crate::{
    toy::{call, open},
    world::World,
};

/// How many calls of a method the server counted as ended so.
fn counted(method: &str, status: &str) -> u64 {
    let metrics = telemetry::metrics::install().unwrap().render();
    let method = format!("rpc_method=\"toy.v1.ToyService/{method}\"");
    let status = format!("rpc_response_status_code=\"{status}\"");
    metrics
        .lines()
        .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"))
        .filter(|line| line.contains(&method) && line.contains(&status))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

async fn until(mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), poll)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_call_that_the_client_gives_up_is_counted_as_cancelled() {
    telemetry::metrics::install().unwrap();
    let world = World::start().await;
    let channel = world.inside(Caller::person("inside", [Role::Viewer]));

    let reached = world.toy.reached.clone();
    tokio::select! {
        answer = call(&channel, "Gated") => panic!("{answer:?}"),
        permit = reached.acquire() => drop(permit.unwrap()),
    }
    until(|| counted("Gated", "CANCELLED") == 1).await;

    let mut stream = open(&channel, "Once").await.unwrap();
    stream.message().await.unwrap();
    drop(stream);
    until(|| counted("Once", "CANCELLED") == 1).await;
    assert_eq!(counted("Once", "OK"), 0);
}

#[tokio::test]
async fn calls_are_counted_by_method_and_status_and_strangers_methods_under_one_name() {
    telemetry::metrics::install().unwrap();
    let world = World::start().await;
    let viewer = world.inside(Caller::person("inside", [Role::Viewer]));

    call(&viewer, "ForAdministrators").await.unwrap_err();
    call(
        &world.inside(Caller::person("a", [Role::Administrator])),
        "ForAdministrators",
    )
    .await
    .unwrap();
    call(&viewer, "Nonesuch").await.unwrap_err();

    until(|| counted("ForAdministrators", "OK") >= 1).await;
    assert!(counted("ForAdministrators", "PERMISSION_DENIED") >= 1);
    let metrics = telemetry::metrics::install().unwrap().render();
    let server: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with("rpc_server"))
        .collect();
    assert!(
        server
            .iter()
            .any(|line| line.contains("rpc_method=\"_OTHER\""))
    );
    assert!(!server.iter().any(|line| line.contains("Nonesuch")));
    assert!(metrics.contains("# TYPE rpc_server_call_duration_seconds histogram"));
}

#[tokio::test]
async fn metrics_and_liveness_are_served_over_http() {
    let metrics = telemetry::metrics::install().unwrap();
    metrics::counter!("scraped_total").increment(7);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new(Shutdown::new());
    metrics.serve(Some(listener), &tasks);

    let scraped = get(address, "/metrics").await;
    assert!(scraped.starts_with("HTTP/1.1 200 OK"), "{scraped}");
    assert!(scraped.contains("scraped_total 7"), "{scraped}");
    assert!(get(address, "/healthz").await.ends_with("ok\n"));

    tasks.join(Duration::from_secs(10)).await.unwrap();
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_trace_crosses_from_the_client_to_the_handler() {
    telemetry::testing();
    let world = World::start().await;
    let channel = world.bearing("vera".to_owned());
    let span = tracing::info_span!("client");
    let trace = |traceparent: &str| traceparent.split('-').nth(1).unwrap().to_owned();
    let mine = trace(&span.in_scope(telemetry::current_traceparent).unwrap());

    let echoed = call(&channel, "Echo").instrument(span).await.unwrap();
    let other = call(&channel, "Echo").await.unwrap();

    assert_eq!(trace(echoed.rsplit(' ').next().unwrap()), mine);
    assert_ne!(trace(other.rsplit(' ').next().unwrap()), mine);
}

#[tokio::test]
async fn health_is_public_and_follows_the_services_readiness() {
    let world = World::start().await;
    let mut health = HealthClient::new(world.anonymous());

    for name in ["", "liveness", "readiness", "toy.v1.ToyService"] {
        becomes(&mut health, name, ServingStatus::Serving).await;
    }
    world.readiness.not_ready("no database");
    for name in ["", "readiness", "toy.v1.ToyService"] {
        becomes(&mut health, name, ServingStatus::NotServing).await;
    }
    becomes(&mut health, "liveness", ServingStatus::Serving).await;
    world.readiness.ready();
    becomes(&mut health, "readiness", ServingStatus::Serving).await;
}

async fn becomes(health: &mut HealthClient<Channel>, service: &str, wanted: ServingStatus) {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let mut watch = health.watch(request).await.unwrap().into_inner();
    let wait = async { while watch.message().await.unwrap().unwrap().status() != wanted {} };
    let waited = tokio::time::timeout(Duration::from_secs(10), wait).await;
    assert!(waited.is_ok(), "{service:?} never became {wanted:?}");
}

#[tokio::test]
async fn reflection_speaks_both_versions_to_viewers_only() {
    let world = World::start().await;
    let viewer = world.bearing("vera".to_owned());

    let services = listed_v1(viewer.clone()).await.unwrap();
    assert!(
        services.contains(&"toy.v1.ToyService".to_owned()),
        "{services:?}"
    );
    assert!(
        !services.contains(&"toy.v1.ForgottenService".to_owned()),
        "{services:?}"
    );
    assert_eq!(listed_v1alpha(viewer).await.unwrap(), services);

    let anonymous = listed_v1(world.anonymous()).await.unwrap_err();
    assert_eq!(anonymous.code(), tonic::Code::Unauthenticated);
    let delivery = listed_v1alpha(world.bearing("dora".to_owned()))
        .await
        .unwrap_err();
    assert_eq!(delivery.code(), tonic::Code::PermissionDenied);
}

async fn listed_v1(channel: Channel) -> Result<Vec<String>, Status> {
    use v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client
        .server_reflection_info(futures::stream::iter([request]))
        .await?
        .into_inner();
    match answers.message().await?.unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => Ok(list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect()),
        other => panic!("{other:?}"),
    }
}

async fn listed_v1alpha(channel: Channel) -> Result<Vec<String>, Status> {
    use v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client
        .server_reflection_info(futures::stream::iter([request]))
        .await?
        .into_inner();
    match answers.message().await?.unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => Ok(list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect()),
        other => panic!("{other:?}"),
    }
}

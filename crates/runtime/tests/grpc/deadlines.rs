use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use runtime::{
    Caller,
    auth::Role,
    grpc::{
        self, Reason, Settings,
        channel::{self, Options, Streams},
    },
    tls,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_rustls::TlsConnector;
use tonic::{Code, Request, Status};

use crate::{
    toy::{POOL, Toy, call, open, unary},
    world::World,
};

const SOON: Duration = Duration::from_millis(150);
const LATE: Duration = Duration::from_secs(60);

fn exceeded(status: &Status) -> bool {
    status.code() == Code::DeadlineExceeded && Reason::of(status) == Some(Reason::DeadlineExceeded)
}

/// A server with short deadlines, and a client that would wait much longer: the server must end it.
async fn hasty() -> World {
    World::with(Settings {
        max_deadline: SOON,
        max_stream_deadline: SOON * 2,
        ..Settings::default()
    })
    .await
}

#[tokio::test]
async fn the_server_ends_a_slow_call_at_the_deadline() {
    let world = hasty().await;
    let started = Instant::now();

    let status = call(&world.patient(LATE), "Slow").await.unwrap_err();

    assert!(exceeded(&status), "{status:?}");
    assert!((SOON..LATE).contains(&started.elapsed()));
}

#[tokio::test]
async fn the_server_ends_a_stream_at_the_deadline_of_streams_whether_silent_or_flooding() {
    let world = hasty().await;
    for method in ["Once", "Flood"] {
        let started = Instant::now();
        let mut stream = open(&world.patient(LATE), method).await.unwrap();
        assert!(stream.message().await.unwrap().is_some());

        let end = async {
            loop {
                match stream.message().await {
                    Ok(message) => assert!(message.is_some(), "{method} ended without a status"),
                    Err(status) => break status,
                }
            }
        };
        let status = tokio::time::timeout(LATE / 2, end).await.unwrap();

        assert!(exceeded(&status), "{method}: {status:?}");
        assert!((SOON * 2..LATE).contains(&started.elapsed()), "{method}");
    }
}

#[tokio::test]
async fn the_clients_own_deadline_is_announced_and_kept() {
    let world = World::start().await;

    let status = call(&world.patient(SOON), "Slow").await.unwrap_err();
    assert!(exceeded(&status), "{status:?}");

    let mut stream = open(&world.patient(SOON), "Once").await.unwrap();
    stream.message().await.unwrap();
    let status = stream.message().await.unwrap_err();
    assert!(exceeded(&status), "{status:?}");

    // The handler sees how long it has: what the caller asked for, not its channel's default.
    let mut request = Request::new(String::new());
    request.set_timeout(Duration::from_secs(7));
    let echoed = unary(&world.patient(LATE), "Echo", request).await.unwrap();
    assert_eq!(echoed.split(' ').nth(1), Some("6"), "{echoed}");
}

#[tokio::test]
async fn a_call_without_a_deadline_gets_the_servers_default() {
    let world = World::with(Settings {
        deadline: SOON,
        stream_deadline: LATE,
        ..Settings::default()
    })
    .await;
    let response = call_by_hand(&world, "Slow").await;
    assert_eq!(response.headers()["grpc-status"], "4");
}

#[tokio::test]
async fn a_server_that_never_says_a_word_runs_into_the_clients_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options {
        deadline: SOON,
        streams: Streams::of(&POOL),
        ..Options::default()
    };
    let network = channel::connect(&format!("http://{address}"), &options).unwrap();
    let status = call(&network, "Echo").await.unwrap_err();
    assert!(exceeded(&status), "{status:?}");
}

#[tokio::test]
async fn another_servers_timeout_is_told_as_what_it_is() {
    // tonic's own server says CANCELLED when its timer fires.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder()
        .timeout(SOON)
        .add_service(Toy::default())
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    let options = Options {
        deadline: LATE,
        streams: Streams::of(&POOL),
        ..Options::default()
    };
    let channel = channel::connect(&format!("http://{address}"), &options).unwrap();

    let status = tokio::select! {
        ended = server => panic!("{ended:?}"),
        answer = call(&channel, "Slow") => answer.unwrap_err(),
    };

    assert!(exceeded(&status), "{status:?}");
}

#[tokio::test]
async fn a_handler_that_panics_answers_internal_and_the_connection_lives() {
    let world = World::start().await;
    let channel = world.inside(Caller::person("inside", [Role::Viewer]));

    let status = call(&channel, "Panics").await.unwrap_err();

    assert_eq!(
        (status.code(), Reason::of(&status)),
        (Code::Internal, Some(Reason::Internal))
    );
    call(&channel, "Echo").await.unwrap();
}

#[tokio::test]
async fn a_call_made_on_anothers_behalf_gets_no_longer_than_that_one_has() {
    let world = World::start().await;
    world.toy.next.set(world.patient(LATE)).unwrap();
    let mut request = Request::new(String::new());
    request.set_timeout(Duration::from_secs(7));

    let echoed = unary(&world.patient(LATE), "Forward", request)
        .await
        .unwrap();

    assert_eq!(echoed.split(' ').nth(1), Some("6"), "{echoed}");
}

#[tokio::test]
async fn outside_a_call_there_is_no_deadline_to_inherit() {
    assert_eq!(grpc::remaining(), None);
}

/// What a client of another make sends, which announces no deadline.
async fn call_by_hand(world: &World, method: &str) -> http::Response<Incoming> {
    let tls = tls::client(Some(&world.certificates.ca), None).unwrap();
    let mut tls = Arc::unwrap_or_clone(tls);
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(world.address).await.unwrap();
    let stream = TlsConnector::from(Arc::new(tls))
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    // An empty message: not compressed, no bytes.
    let message = Full::new(Bytes::from_static(&[0, 0, 0, 0, 0]));
    let request = http::Request::post(format!("{}/toy.v1.ToyService/{method}", world.url()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", "Bearer vera")
        .body(message)
        .unwrap();
    tokio::select! {
        ended = connection => panic!("{ended:?}"),
        response = sender.send_request(request) => response.unwrap(),
    }
}

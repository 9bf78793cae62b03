//! HTTPS on loopback: a request read whole, and answered.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A request body longer than this is none: twenty requests of a batch are far shorter.
const LONGEST: usize = 4 * 1024 * 1024;

pub(crate) type Answer = Response<Full<Bytes>>;

/// What answers at an address.
pub(crate) trait Service: Send + Sync + 'static {
    fn answer(&self, head: &Parts, body: &Bytes) -> Answer;
}

/// Serves until it is dropped.
pub(crate) async fn serve(
    service: Arc<impl Service>,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(Arc::clone(&service), stream, Arc::clone(&tls)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(service: Arc<impl Service>, stream: TcpStream, tls: Arc<ServerConfig>) {
    drop(stream.set_nodelay(true));
    let stream = match TlsAcceptor::from(tls).accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move {
            let (head, body) = request.into_parts();
            let answer = match Limited::new(body, LONGEST).collect().await {
                Ok(body) => service.answer(&head, &body.to_bytes()),
                Err(_) => plain(413, "the request is too long"),
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let ended = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// An answer that is no JSON.
pub(crate) fn plain(status: u16, text: &'static str) -> Answer {
    answer(status, "text/plain; charset=utf-8", text.into())
}

pub(crate) fn json(status: u16, body: &serde_json::Value) -> Answer {
    answer(
        status,
        "application/json; charset=utf-8",
        body.to_string().into(),
    )
}

fn answer(status: u16, media: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(media),
    );
    headers.insert(
        http::header::CACHE_CONTROL,
        http::HeaderValue::from_static("no-store, no-cache"),
    );
    answer
}

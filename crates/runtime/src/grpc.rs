//! gRPC, both ends.
//!
//! A server answers over TLS, plaintext and in-process pipes alike; each call passes, in this order: its span, its
//! measurement, its deadline, the access rule, the handler. A [`Channel`] is the other end: it gives every call a
//! deadline, carries the trace, and says the truth about timeouts.

mod body;
mod call;
pub mod channel;
mod connection;
mod connector;
mod deadline;
mod observe;
mod page;
mod routes;
mod server;
mod status;

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;

pub use channel::Channel;
pub use connection::{InProcess, Listener, Peer, in_process};
pub use deadline::remaining;
pub use page::{Page, PageError};
pub use routes::Routes;
pub use server::{BuildError, Health, Server};
pub use status::{DOMAIN, Failure, Reason};

use crate::{settings, tls};

/// How the API is served.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "settings::duration")]
    pub deadline: Duration,
    #[serde(deserialize_with = "settings::duration")]
    pub max_deadline: Duration,
    #[serde(deserialize_with = "settings::duration")]
    pub stream_deadline: Duration,
    #[serde(deserialize_with = "settings::duration")]
    pub max_stream_deadline: Duration,
    pub tls: tls::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7443)),
            deadline: Duration::from_secs(30),
            max_deadline: Duration::from_mins(10),
            stream_deadline: Duration::from_hours(1),
            max_stream_deadline: Duration::from_hours(24),
            tls: tls::Settings::default(),
        }
    }
}

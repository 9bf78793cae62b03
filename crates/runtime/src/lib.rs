#![doc = include_str!("../README.md")]

pub mod auth;
pub mod clock;
pub mod grpc;
pub mod ids;
pub mod lifecycle;
pub mod points;
pub mod service;
pub mod settings;
pub mod telemetry;
pub mod tls;

pub use auth::Caller;
pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
pub use grpc::Channel;
pub use ids::Ids;
pub use lifecycle::{OnEnd, Shutdown, Tasks};
pub use service::{Readiness, Service};

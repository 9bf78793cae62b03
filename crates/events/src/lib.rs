#![doc = include_str!("../README.md")]

mod bus;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod embedded;
mod envelope;
pub mod jetstream;
pub mod outbox;
mod relay;
mod standing;
mod subject;

use std::sync::Arc;

pub use bus::{
    Bus, BusError, Cause, Consumer, ConsumerSpec, DeadLetter, Delivery, Lifetime, Received,
};
pub use envelope::{Envelope, EnvelopeError};
pub use relay::{Relay, Waker};
pub use standing::{Component, Standing};
pub use subject::{Filter, Subject, SubjectError};

/// The caller's clock.
pub type Now = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

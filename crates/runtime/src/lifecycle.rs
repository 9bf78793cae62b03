//! How a process ends: on a signal, or because a task that must not end did.
//!
//! `Shutdown` tells everyone to finish; `Tasks` knows who hasn't yet. Nothing is spawned outside `Tasks`, so nothing
//! dies unseen and nothing is forgotten when the process leaves.

mod shutdown;
mod tasks;

pub use shutdown::{Shutdown, SignalsError};
pub(crate) use tasks::panic_message;
pub use tasks::{OnEnd, Outcome, Stuck, Tasks};

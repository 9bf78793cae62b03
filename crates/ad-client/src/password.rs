//! One account's password: whether it may be reset, by which policy, how often it was set, and resetting it.
//!
//! Everything goes by `<GUID=…>`: a name may be another person's by now.

mod metadata;
mod policy;
mod protect;
mod send;
mod standing;

pub use policy::Policy;
pub use send::{Answer, Refusal};
pub use standing::{Barrier, Look, Standing};

use directory::ObjectId;
use jiff::Timestamp;
use uuid::Uuid;

/// How often the password was set, where and when last: the attribute's own replication metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// One more with each write anywhere. Equal on every domain controller once they have converged.
    pub number: u32,
    /// The database instance of the domain controller that wrote last.
    pub origin: Uuid,
    /// By that domain controller's clock, in whole seconds.
    pub time: Timestamp,
}

/// The base of a search, and the name of a modification: an object whatever it is called now.
fn base(object: ObjectId) -> String {
    format!("<GUID={object}>")
}

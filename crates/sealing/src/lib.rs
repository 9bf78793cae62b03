#![doc = include_str!("../README.md")]

mod cipher;
mod error;
mod file;
mod format;
mod keys;
mod presence;
mod random;
mod record;
mod sealer;
mod target;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use file::{FileKeyProvider, KeyFileError, Placement};
pub use format::Sealed;
pub use keys::{DataKey, KeyId, KeyProvider, WrappedKey};
pub use presence::{PresenceKey, PresenceSecret};
pub use random::fill as fill_random;
pub use record::Record;
pub use sealer::Sealer;
pub use target::{Purpose, TargetKey, TargetSecret};

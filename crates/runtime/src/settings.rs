//! Settings: compiled-in commented defaults < TOML file < `HES__SECTION__KEY` environment < flags.
//!
//! The defaults name every key there is. A key they don't name is an error wherever it comes from, because a
//! misspelled setting that is silently ignored is found in production. An option without a default is the empty
//! string there, and read by [`optional`]. No message ever shows a value: it may be a secret.

mod describe;
mod error;
mod layers;
mod typed;
mod value;

pub use describe::describe;
pub use error::{Error, Origin};
pub use layers::{Layers, environment, load};
pub use value::{duration, optional};

/// Defaults of the sections that every process has: `[grpc]`, `[telemetry]`, `[lifecycle]`.
pub const DEFAULTS: &str = include_str!("settings/default.toml");

#[cfg(test)]
mod tests;

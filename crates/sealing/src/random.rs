//! Randomness for keys and nonces, straight from the operating system.

use crate::Error;

/// Fills `bytes` with randomness that nobody can guess.
///
/// # Errors
///
/// Where the system gives none.
#[expect(
    clippy::disallowed_methods,
    reason = "keys, nonces and passwords are made of these bytes alone; a seedable source would make them guessable"
)]
pub fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(Error::Random)
}

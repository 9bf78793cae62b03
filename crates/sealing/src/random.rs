//! Randomness for keys and nonces, straight from the operating system.

use crate::Error;

#[expect(
    clippy::disallowed_methods,
    reason = "keys and nonces are made here and nowhere else; a seedable source would make them guessable"
)]
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(Error::Random)
}

//! Why a secret was not sealed or opened. No message holds a secret, a key, or a byte of either.

use crate::KeyId;

/// A failed seal, open or rewrap.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
    #[error("the stored bytes are no sealed value: {0}; restore the row from a backup")]
    Format(&'static str),
    #[error(
        "the value is sealed under the key `{0}`, which the key provider does not have; give the provider that key again"
    )]
    UnknownKey(KeyId),
    #[error(
        "the value sealed under the key `{0}` does not open: it belongs to another record, was altered, or the key is \
         another one of the same id"
    )]
    Unopenable(KeyId),
    #[error("the secret could not be encrypted: it is too long")]
    TooLong,
    #[error("the key provider failed to {doing}")]
    Provider {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

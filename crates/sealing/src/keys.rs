//! Keys: those that encrypt secrets, and the port to those that encrypt keys.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{Error, random};

/// The name of a key-encryption key: 1 to 64 of `A–Z a–z 0–9 . _ - /`. Not a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        // Without the text: a key pasted in the wrong place may be in it.
        Err(Error::Format("a key id is 1 to 64 of A-Z a-z 0-9 . _ - /"))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of one version of one secret. Wiped when dropped.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut key = Self(Zeroizing::default());
        random::fill(key.0.as_mut())?;
        Ok(key)
    }

    /// The key in these bytes, as a provider unwrapped them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut key = Self(Zeroizing::default());
        if bytes.len() != key.0.len() {
            return Err(Error::Format("a data key is 32 bytes"));
        }
        key.0.copy_from_slice(bytes);
        Ok(key)
    }

    /// The key itself, for a provider to wrap.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// A data key that only its provider can read.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The key-encryption key, version included where the provider has versions.
    pub key_id: KeyId,
    /// Opaque to all but the provider. At most 65,535 bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// Who keeps the key-encryption keys. Asynchronous, because it may be another server.
#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// The key that wraps from now on.
    async fn active_key(&self) -> Result<KeyId, Error>;

    /// Wraps under the active key, bound to `associated_data`.
    async fn wrap(&self, key: &DataKey, associated_data: &[u8]) -> Result<WrappedKey, Error>;

    /// Unwraps under the key that `wrapped` names, active or not.
    async fn unwrap(&self, wrapped: &WrappedKey, associated_data: &[u8]) -> Result<DataKey, Error>;
}

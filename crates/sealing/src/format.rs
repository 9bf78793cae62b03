//! The bytes of a sealed value. The README has the table.

use std::fmt;

use crate::cipher::{NONCE, TAG};
use crate::{Error, KeyId, WrappedKey};

const VERSION: u8 = 1;

/// A secret that only the holder of its key-encryption key can open, and only for its record. Safe to store and to log.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    pub(crate) wrapped: WrappedKey,
    pub(crate) nonce: [u8; NONCE],
    pub(crate) body: Vec<u8>,
}

impl Sealed {
    /// Reads what [`Sealed::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (version, rest) = take(bytes, 1)?;
        if version != [VERSION] {
            return Err(Error::Format(
                "its format is unknown to this version of the program",
            ));
        }
        let (key_id, rest) = take_counted(rest, 1)?;
        let (wrapped, rest) = take_counted(rest, 2)?;
        let (nonce, body) = take(rest, NONCE)?;
        if body.len() < TAG {
            return Err(CUT_SHORT);
        }
        Ok(Self {
            wrapped: WrappedKey {
                key_id: std::str::from_utf8(key_id)
                    .map_err(|_| Error::Format("its key id is no text"))?
                    .parse()?,
                bytes: wrapped.to_vec(),
            },
            nonce: nonce.try_into().map_err(|_| CUT_SHORT)?,
            body: body.to_vec(),
        })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let key_id = self.wrapped.key_id.as_str().as_bytes();
        let wrapped = self.wrapped.bytes.as_slice();
        let mut bytes = vec![VERSION];
        // Neither is cut: a `KeyId` has 64 bytes at most, and the sealer checks the wrapped key.
        bytes.push(key_id.len() as u8);
        bytes.extend(key_id);
        bytes.extend((wrapped.len() as u16).to_be_bytes());
        bytes.extend(wrapped);
        bytes.extend(self.nonce);
        bytes.extend(&self.body);
        bytes
    }

    /// The key-encryption key it is sealed under.
    pub fn key_id(&self) -> &KeyId {
        &self.wrapped.key_id
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("key_id", self.key_id())
            .finish_non_exhaustive()
    }
}

const CUT_SHORT: Error = Error::Format("it is cut short");

fn take(bytes: &[u8], count: usize) -> Result<(&[u8], &[u8]), Error> {
    bytes.split_at_checked(count).ok_or(CUT_SHORT)
}

/// As many bytes as the big-endian number of `width` bytes before them says.
fn take_counted(bytes: &[u8], width: usize) -> Result<(&[u8], &[u8]), Error> {
    let (count, rest) = take(bytes, width)?;
    let count = count
        .iter()
        .fold(0, |count, byte| count << 8 | usize::from(*byte));
    take(rest, count)
}

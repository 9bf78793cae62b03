//! Key-encryption keys from a file: the provider that needs no other server.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::cipher::{self, NONCE};
use crate::{DataKey, Error, KeyId, KeyProvider, WrappedKey};

mod create;
mod error;
mod line;
#[cfg(test)]
mod tests;

pub use error::KeyFileError;

/// Far more keys than anybody rotates through.
const LONGEST: u64 = 64 * 1024;

/// Where the key file may lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Anywhere: for a trial on one's own machine.
    Anywhere,
    /// Not in this directory: whoever copies the data, or its backup, must not have the key with it.
    Outside(PathBuf),
}

struct Key {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
}

/// The keys of one file, read once. The first wraps; every one unwraps.
pub struct FileKeyProvider {
    active: Key,
    former: Vec<Key>,
}

impl FileKeyProvider {
    /// Reads the key file, if it is well placed and nobody but its owner may read it.
    pub fn load(path: &Path, placement: &Placement) -> Result<Self, KeyFileError> {
        let file = File::open(path).map_err(|source| KeyFileError::Open {
            path: path.to_owned(),
            source,
        })?;
        check(path, &file, placement)?;
        let mut text = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
        file.take(LONGEST + 1)
            .read_to_end(&mut text)
            .map_err(|source| KeyFileError::Read {
                path: path.to_owned(),
                source,
            })?;
        if text.len() as u64 > LONGEST {
            return Err(KeyFileError::NotAKeyFile {
                path: path.to_owned(),
            });
        }
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &[u8]) -> Result<Self, KeyFileError> {
        let mut keys: Vec<Key> = Vec::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let refused = |reason| KeyFileError::Line {
                path: path.to_owned(),
                line: index + 1,
                reason,
            };
            let Some(key) = line::parse(line).map_err(refused)? else {
                continue;
            };
            if keys.iter().any(|known| known.id == key.id) {
                return Err(refused("it has the id of a line above"));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let Some(active) = keys.next() else {
            return Err(KeyFileError::NoKey {
                path: path.to_owned(),
            });
        };
        Ok(Self {
            active,
            former: keys.collect(),
        })
    }

    /// Makes a file with one new key, which nobody but its owner may read. A file that exists is never touched.
    pub fn create(path: &Path) -> Result<(), KeyFileError> {
        create::create(path)
    }

    fn find(&self, id: &KeyId) -> Option<&Key> {
        std::iter::once(&self.active)
            .chain(&self.former)
            .find(|key| key.id == *id)
    }
}

/// Asked of the open file, so that it can't be exchanged between the question and the reading.
fn check(path: &Path, file: &File, placement: &Placement) -> Result<(), KeyFileError> {
    let unreadable = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAKeyFile {
            path: path.to_owned(),
        });
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::ReadableByOthers {
            path: path.to_owned(),
            mode,
        });
    }
    if let Placement::Outside(directory) = placement {
        // A data directory that does not exist yet holds nothing.
        let Ok(resolved_directory) = directory.canonicalize() else {
            return Ok(());
        };
        if path
            .canonicalize()
            .map_err(unreadable)?
            .starts_with(resolved_directory)
        {
            return Err(KeyFileError::InDataDirectory {
                path: path.to_owned(),
                directory: directory.clone(),
            });
        }
    }
    Ok(())
}

#[async_trait]
impl KeyProvider for FileKeyProvider {
    async fn active_key(&self) -> Result<KeyId, Error> {
        Ok(self.active.id.clone())
    }

    async fn wrap(&self, key: &DataKey, associated_data: &[u8]) -> Result<WrappedKey, Error> {
        let bound = bound(&self.active.id, associated_data);
        let (nonce, body) = cipher::encrypt(&self.active.bytes, &bound, key.expose())?;
        Ok(WrappedKey {
            key_id: self.active.id.clone(),
            bytes: [nonce.as_slice(), &body].concat(),
        })
    }

    async fn unwrap(&self, wrapped: &WrappedKey, associated_data: &[u8]) -> Result<DataKey, Error> {
        let key = self
            .find(&wrapped.key_id)
            .ok_or_else(|| Error::UnknownKey(wrapped.key_id.clone()))?;
        let (nonce, body) = wrapped
            .bytes
            .split_first_chunk::<NONCE>()
            .ok_or(Error::Format("its wrapped key is cut short"))?;
        let plain = cipher::decrypt(&key.bytes, &bound(&key.id, associated_data), nonce, body)
            .ok_or_else(|| Error::Unopenable(key.id.clone()))?;
        DataKey::from_bytes(&plain)
    }
}

/// One key under two ids is still two keys.
fn bound(id: &KeyId, associated_data: &[u8]) -> Vec<u8> {
    [associated_data, id.as_str().as_bytes()].concat()
}

impl fmt::Debug for FileKeyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKeyProvider")
            .field("active", &self.active.id)
            .field("former", &self.former.len())
            .finish_non_exhaustive()
    }
}

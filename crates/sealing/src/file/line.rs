//! One line of a key file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Key;
use crate::KeyId;

/// The key of this line; nothing for a comment or an empty line.
pub(super) fn parse(line: &[u8]) -> Result<Option<Key>, &'static str> {
    let line = std::str::from_utf8(line)
        .map_err(|_| "it is no text")?
        .trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (id, encoded) = match line.split_once(':') {
        Some((id, encoded)) => (Some(id.trim()), encoded.trim()),
        None => (None, line),
    };
    // The decoder writes no more than these, and no copy of the key elsewhere.
    let mut decoded = Zeroizing::new([0; 33]);
    let length = STANDARD
        .decode_slice(encoded, decoded.as_mut_slice())
        .map_err(|_| NOT_A_KEY)?;
    let mut bytes = Zeroizing::new([0; 32]);
    match decoded.split_at_checked(length) {
        Some((key, _)) if length == bytes.len() => bytes.copy_from_slice(key),
        Some(_) | None => return Err(NOT_A_KEY),
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Err("a key of zeros is no key");
    }
    let id = match id {
        Some(id) => id
            .parse()
            .map_err(|_| "its id, before the colon, must be 1 to 64 of A-Z a-z 0-9 . _ - /")?,
        None => fingerprint(&bytes)?,
    };
    Ok(Some(Key { id, bytes }))
}

const NOT_A_KEY: &str = "a key is 32 bytes in base64, which is 44 characters";

/// A new key and the line it stands in.
pub(super) fn write(bytes: &[u8; 32]) -> Result<Zeroizing<String>, &'static str> {
    let id = fingerprint(bytes)?;
    let encoded = Zeroizing::new(STANDARD.encode(bytes));
    Ok(Zeroizing::new([id.as_str(), ":", &encoded, "\n"].concat()))
}

/// An id that tells keys apart and nothing about them.
fn fingerprint(bytes: &[u8; 32]) -> Result<KeyId, &'static str> {
    let digest = Sha256::new()
        .chain_update("hes key id")
        .chain_update(bytes)
        .finalize();
    let hex: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("file-{hex}")
        .parse()
        .map_err(|_| "its id could not be made")
}

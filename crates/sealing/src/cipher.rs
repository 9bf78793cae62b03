//! XChaCha20-Poly1305, as both layers use it. Its nonce is long enough to be drawn at random for every message.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::{Error, random};

pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;

/// The nonce and the ciphertext with its tag.
pub(crate) fn encrypt(
    key: &[u8; 32],
    associated_data: &[u8],
    plain: &[u8],
) -> Result<([u8; NONCE], Vec<u8>), Error> {
    let mut nonce = [0; NONCE];
    random::fill(&mut nonce)?;
    // Room for the tag from the start: growing would leave a copy of the secret behind.
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + TAG));
    body.extend_from_slice(plain);
    XChaCha20Poly1305::new(<&Key>::from(key))
        .encrypt_in_place(<&XNonce>::from(&nonce), associated_data, &mut *body)
        .map_err(|_| Error::TooLong)?;
    Ok((nonce, std::mem::take(&mut *body)))
}

/// The plaintext; nothing if any byte of the four is not the one it was encrypted with.
pub(crate) fn decrypt(
    key: &[u8; 32],
    associated_data: &[u8],
    nonce: &[u8; NONCE],
    body: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(body.to_vec());
    XChaCha20Poly1305::new(<&Key>::from(key))
        .decrypt_in_place(<&XNonce>::from(nonce), associated_data, &mut *plain)
        .ok()?;
    Some(plain)
}

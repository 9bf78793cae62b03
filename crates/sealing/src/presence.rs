//! Proof that a target is there: a signature over what the server asks anew each time (Ed25519, RFC 8032).
//!
//! A key of its own beside the one that is sealed to: X25519 agrees on secrets and signs nothing.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use secrecy::{ExposeSecret as _, SecretSlice};
use zeroize::Zeroizing;

use crate::{Error, random};

/// Of a seed and of a public key.
const KEY_LEN: usize = 32;

/// What is signed: for what, the server's nonce, and which target claims to be there.
fn message(nonce: &[u8], target: &str) -> Vec<u8> {
    [b"hes presence 1\0".as_slice(), nonce, target.as_bytes()].concat()
}

/// A target's public key for proofs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PresenceKey([u8; KEY_LEN]);

impl PresenceKey {
    /// From its 32 bytes.
    ///
    /// # Errors
    ///
    /// Where they are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Error::Format("a target's signing key is 32 bytes"))
    }

    pub fn to_bytes(self) -> [u8; KEY_LEN] {
        self.0
    }

    /// Whether the holder of the key's other half signed this nonce for this target.
    pub fn proves(&self, nonce: &[u8], target: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(&message(nonce, target), signature)
            .is_ok()
    }
}

impl fmt::Debug for PresenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresenceKey({})", BASE64_STANDARD.encode(self.0))
    }
}

/// A target's private key for proofs, which never leaves the client beside it.
pub struct PresenceSecret {
    seed: SecretSlice<u8>,
    pair: Ed25519KeyPair,
}

impl PresenceSecret {
    /// A new one.
    ///
    /// # Errors
    ///
    /// Where the system gives no random bytes.
    pub fn generate() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; KEY_LEN]);
        random::fill(seed.as_mut_slice())?;
        Self::from_bytes(&seed.to_vec().into())
    }

    /// From the bytes of [`Self::to_bytes`].
    ///
    /// # Errors
    ///
    /// Where they are not 32.
    pub fn from_bytes(seed: &SecretSlice<u8>) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret())
            .map_err(|_| Error::Format("a target's private signing key is 32 bytes"))?;
        Ok(Self {
            seed: seed.clone(),
            pair,
        })
    }

    /// For the client's own store.
    pub fn to_bytes(&self) -> SecretSlice<u8> {
        self.seed.clone()
    }

    pub fn public(&self) -> PresenceKey {
        let mut bytes = [0; KEY_LEN];
        for (to, from) in bytes.iter_mut().zip(self.pair.public_key().as_ref()) {
            *to = *from;
        }
        PresenceKey(bytes)
    }

    /// Answers a challenge.
    pub fn prove(&self, nonce: &[u8], target: &str) -> Vec<u8> {
        self.pair.sign(&message(nonce, target)).as_ref().to_vec()
    }
}

impl fmt::Debug for PresenceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresenceSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 32] = [7; 32];

    #[test]
    fn a_proof_is_good_for_its_nonce_its_target_and_its_key() {
        let (secret, other) = (
            PresenceSecret::generate().unwrap(),
            PresenceSecret::generate().unwrap(),
        );
        let proof = secret.prove(&NONCE, "targets/1");
        assert!(secret.public().proves(&NONCE, "targets/1", &proof));
        assert!(!other.public().proves(&NONCE, "targets/1", &proof));
        assert!(!secret.public().proves(&NONCE, "targets/2", &proof));
        assert!(!secret.public().proves(&[8; 32], "targets/1", &proof));
        assert!(!secret.public().proves(&NONCE, "targets/1", &proof[..63]));
    }

    #[test]
    fn keys_survive_their_bytes_and_are_not_shown() {
        let secret = PresenceSecret::generate().unwrap();
        let again = PresenceSecret::from_bytes(&secret.to_bytes()).unwrap();
        assert_eq!(again.public(), secret.public());
        assert_eq!(format!("{secret:?}"), "PresenceSecret(..)");
        assert!(PresenceKey::from_bytes(&[1; 31]).is_err());
        assert!(PresenceSecret::from_bytes(&vec![1; 31].into()).is_err());
    }
}

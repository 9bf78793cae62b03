//! Sealing to a target: what only the key's own client can open (HPKE, RFC 9180).
//!
//! Mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. The sender is known by the stream it comes
//! through, not by the ciphertext; what it is for is authenticated with it.

use std::convert::Infallible;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use zeroize::Zeroizing;

use crate::{Error, random};

/// Separates these ciphertexts from any other use of the same key.
const INFO: &[u8] = b"hes delivery 1";
/// Of the encapsulated key, and of both keys of a target.
const KEY_LEN: usize = 32;

type Public = <X25519HkdfSha256 as hpke::Kem>::PublicKey;
type Private = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;
type Encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;

/// What a sealed password is for: whoever opens it says so, and one that was sealed for something else does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose<'a> {
    /// `domains/{domain}/accounts/{object id}`.
    pub account: &'a str,
    /// Which of the account's passwords it is.
    pub generation: u64,
    /// Which candidate of that generation.
    pub candidate: u32,
    /// The target it is for.
    pub target: &'a str,
}

impl Purpose<'_> {
    /// Each text has its length before it, so that no two purposes share their bytes.
    fn associated_data(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in [self.account, self.target] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.candidate.to_be_bytes());
        bytes
    }
}

/// A target's public key: anybody may know it.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetKey(Public);

impl TargetKey {
    /// From its 32 bytes.
    ///
    /// # Errors
    ///
    /// Where they are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Public::from_bytes(bytes)
            .map(Self)
            .map_err(|_| Error::Format("a target's public key is 32 bytes"))
    }

    pub fn to_bytes(&self) -> [u8; KEY_LEN] {
        self.0.to_bytes().into()
    }

    /// Seals a secret so that only this target can open it: the encapsulated key, then the ciphertext.
    ///
    /// # Errors
    ///
    /// Where the system gives no random bytes, or the key is one that no secret can be agreed with.
    pub fn seal(&self, purpose: &Purpose<'_>, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let mut ephemeral = Drawn::new()?;
        let sealed =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &self.0,
                INFO,
                secret,
                &purpose.associated_data(),
                &mut ephemeral,
            );
        if ephemeral.is_spent {
            return Err(Error::Format(
                "the library asked for more random bytes than a key",
            ));
        }
        let (encapsulated, ciphertext) = sealed
            .map_err(|_| Error::Format("nothing can be sealed to the target's public key"))?;
        let mut bytes = encapsulated.to_bytes().to_vec();
        bytes.extend(ciphertext);
        Ok(bytes)
    }
}

impl fmt::Debug for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetKey({})", BASE64_STANDARD.encode(self.to_bytes()))
    }
}

/// A target's private key, which never leaves the client beside it.
pub struct TargetSecret(Private);

impl TargetSecret {
    /// A new one.
    ///
    /// # Errors
    ///
    /// Where the system gives no random bytes.
    pub fn generate() -> Result<Self, Error> {
        let mut material = Zeroizing::new([0; KEY_LEN]);
        random::fill(material.as_mut_slice())?;
        let (private, _) = X25519HkdfSha256::derive_keypair(material.as_slice());
        Ok(Self(private))
    }

    /// From the bytes of [`Self::to_bytes`].
    ///
    /// # Errors
    ///
    /// Where they are not 32.
    pub fn from_bytes(bytes: &SecretSlice<u8>) -> Result<Self, Error> {
        Private::from_bytes(bytes.expose_secret())
            .map(Self)
            .map_err(|_| Error::Format("a target's private key is 32 bytes"))
    }

    /// For the client's own store.
    pub fn to_bytes(&self) -> SecretSlice<u8> {
        let bytes: Zeroizing<[u8; KEY_LEN]> = Zeroizing::new(self.0.to_bytes().into());
        bytes.to_vec().into()
    }

    pub fn public(&self) -> TargetKey {
        TargetKey(X25519HkdfSha256::sk_to_pk(&self.0))
    }

    /// Opens what was sealed to this target for this very purpose.
    ///
    /// # Errors
    ///
    /// Where it is for another target or purpose, or was altered.
    pub fn open(&self, purpose: &Purpose<'_>, sealed: &[u8]) -> Result<SecretSlice<u8>, Error> {
        let unopenable =
            || Error::Format("it was sealed for another target or purpose, or was altered");
        let (encapsulated, ciphertext) = sealed.split_at_checked(KEY_LEN).ok_or_else(unopenable)?;
        let encapsulated = Encapsulated::from_bytes(encapsulated).map_err(|_| unopenable())?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &encapsulated,
            INFO,
            ciphertext,
            &purpose.associated_data(),
        )
        .map(Into::into)
        .map_err(|_| unopenable())
    }
}

impl fmt::Debug for TargetSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TargetSecret(..)")
    }
}

/// Random bytes drawn beforehand, so that a system without any is an error and not a panic within the library: one
/// ephemeral key's worth.
struct Drawn {
    bytes: Zeroizing<[u8; KEY_LEN]>,
    used: usize,
    /// More was asked for than was drawn: what came of it is not used.
    is_spent: bool,
}

impl Drawn {
    fn new() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        random::fill(bytes.as_mut_slice())?;
        Ok(Self {
            bytes,
            used: 0,
            is_spent: false,
        })
    }
}

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        let left = self.bytes.get(self.used..).unwrap_or_default();
        self.is_spent |= left.len() < into.len();
        for (byte, drawn) in into.iter_mut().zip(left) {
            *byte = *drawn;
        }
        self.used += into.len();
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSE: Purpose<'_> = Purpose {
        account: "domains/corp/accounts/8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e",
        generation: 7,
        candidate: 1,
        target: "key-1",
    };

    #[test]
    fn only_the_target_opens_it_and_only_for_what_it_was_sealed_for() {
        let (target, other) = (
            TargetSecret::generate().unwrap(),
            TargetSecret::generate().unwrap(),
        );
        let sealed = target.public().seal(&PURPOSE, b"a password").unwrap();

        let opened = target.open(&PURPOSE, &sealed).unwrap();
        assert_eq!(opened.expose_secret(), b"a password");
        assert!(other.open(&PURPOSE, &sealed).is_err());
        for purpose in [
            Purpose {
                account: "domains/corp/accounts/00000000-0000-0000-0000-000000000001",
                ..PURPOSE
            },
            Purpose {
                generation: 8,
                ..PURPOSE
            },
            Purpose {
                candidate: 2,
                ..PURPOSE
            },
            Purpose {
                target: "key-2",
                ..PURPOSE
            },
        ] {
            assert!(target.open(&purpose, &sealed).is_err(), "{purpose:?}");
        }
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(target.open(&PURPOSE, &altered).is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(target.open(&PURPOSE, &sealed[..length]).is_err());
        }
    }

    #[test]
    fn texts_that_run_together_are_other_purposes() {
        let purpose = |account, target| Purpose {
            account,
            target,
            ..PURPOSE
        };
        assert_ne!(
            purpose("ab", "c").associated_data(),
            purpose("a", "bc").associated_data()
        );
    }

    #[test]
    fn the_same_secret_is_never_sealed_to_the_same_bytes() {
        let target = TargetSecret::generate().unwrap();
        let seal = || target.public().seal(&PURPOSE, b"a password").unwrap();
        let (one, two) = (seal(), seal());
        // Neither the ephemeral key nor the ciphertext under it.
        assert_ne!(one[..KEY_LEN], two[..KEY_LEN]);
        assert_ne!(one[KEY_LEN..], two[KEY_LEN..]);
    }

    #[test]
    fn keys_survive_their_bytes_and_are_not_shown() {
        let target = TargetSecret::generate().unwrap();
        let again = TargetSecret::from_bytes(&target.to_bytes()).unwrap();
        let public = TargetKey::from_bytes(&again.public().to_bytes()).unwrap();
        let sealed = public.seal(&PURPOSE, b"x").unwrap();
        assert!(target.open(&PURPOSE, &sealed).is_ok());
        assert_eq!(format!("{target:?}"), "TargetSecret(..)");
        assert!(TargetKey::from_bytes(&[1; 31]).is_err());
        // A point that agrees on nothing: sealing to it would be sealing to everybody.
        let zero = TargetKey::from_bytes(&[0; 32]).unwrap();
        assert!(zero.seal(&PURPOSE, b"x").is_err());
    }

    #[test]
    fn random_bytes_are_given_once() {
        let mut drawn = Drawn::new().unwrap();
        let mut bytes = [0; KEY_LEN];
        drawn.try_fill_bytes(&mut bytes).unwrap();
        assert!(!drawn.is_spent);
        drawn.try_next_u32().unwrap();
        assert!(drawn.is_spent);
    }
}

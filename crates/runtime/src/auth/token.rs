//! Bearer tokens.

use std::{fmt, str::FromStr, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Caller;
use crate::Ids;

/// Knows some bearer tokens. The bootstrap token is one such; an identity provider's tokens are another.
pub trait Tokens: Send + Sync {
    /// Whose token this is, if it is one of ours and valid.
    fn caller(&self, token: &str) -> Option<Caller>;
}

/// The administrator's first way in. The server keeps the hash; the file with the token is the operator's copy.
pub struct BootstrapToken(SecretString);

/// The SHA-256 of a token. A token has 256 random bits, so there is nothing to guess and no need for a slow hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

#[derive(Debug, thiserror::Error)]
#[error("a token's hash is 64 hexadecimal digits")]
pub struct TokenHashError;

/// Turns a bearer token into a caller.
#[derive(Clone, Default)]
pub struct Authenticator {
    tokens: Vec<Arc<dyn Tokens>>,
}

/// The bearer token is nobody's.
#[derive(Debug, thiserror::Error)]
#[error("the bearer token is malformed, unknown, revoked or expired")]
pub struct NotAuthenticated;

impl BootstrapToken {
    pub fn generate(ids: &Ids) -> Self {
        let random: [u8; 32] = ids.bytes();
        // The prefix lets secret scanners find a token that strayed.
        Self(format!("hes_{}", URL_SAFE_NO_PAD.encode(random)).into())
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.expose_secret())
    }

    /// For the file that the operator gets.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

impl TokenHash {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// For a table of hashes: equality tells nothing of the token, of which it is no part.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for TokenHash {
    type Err = TokenHashError;

    fn from_str(hex: &str) -> Result<Self, Self::Err> {
        let digits = hex.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 64 {
            return Err(TokenHashError);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| TokenHashError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| TokenHashError)?;
        }
        Ok(Self(hash))
    }
}

impl Tokens for TokenHash {
    fn caller(&self, token: &str) -> Option<Caller> {
        let same: bool = Self::of(token).0.ct_eq(&self.0).into();
        same.then_some(Caller::Administrator)
    }
}

impl Authenticator {
    /// Knows no token: every caller is anonymous, or known by certificate or by the process.
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn accepting(self, tokens: impl Tokens + 'static) -> Self {
        self.accepting_shared(Arc::new(tokens))
    }

    /// The same, for tokens that somebody else still adds to.
    #[must_use]
    pub fn accepting_shared(mut self, tokens: Arc<dyn Tokens>) -> Self {
        self.tokens.push(tokens);
        self
    }

    pub(crate) fn caller(&self, token: &str) -> Result<Caller, NotAuthenticated> {
        self.tokens
            .iter()
            .find_map(|tokens| tokens.caller(token))
            .ok_or(NotAuthenticated)
    }
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BootstrapToken([hidden])")
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash([hidden])")
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authenticator({} sources of tokens)", self.tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bootstrap_token_is_recognised_by_its_stored_hash_and_nothing_else_is() {
        let token = BootstrapToken::generate(&Ids::system());
        let stored: TokenHash = token.hash().to_hex().parse().unwrap();
        let authenticator = Authenticator::new().accepting(stored);

        let caller = authenticator
            .caller(token.secret().expose_secret())
            .unwrap();

        assert_eq!(caller, Caller::Administrator);
        for wrong in ["", "hes_", &token.hash().to_hex()] {
            assert!(authenticator.caller(wrong).is_err());
        }
        assert!(
            !format!("{token:?}{stored:?}{authenticator:?}")
                .contains(token.secret().expose_secret())
        );
    }
}

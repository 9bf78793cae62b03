//! Credentials in memory: never printed, wiped when they are done with (K2).

use std::fmt;

use api::config::v1::{CredentialKind, Credentials, credentials::Kind};
use prost::Message as _;
use zeroize::{Zeroize as _, Zeroizing};

/// Credentials in the clear.
pub(crate) struct Secret(Credentials);

impl Secret {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self(credentials)
    }

    pub(crate) fn expose(&self) -> &Credentials {
        &self.0
    }

    /// For a message that carries them on: the caller's to wipe.
    pub(crate) fn into_inner(mut self) -> Credentials {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn kind(&self) -> CredentialKind {
        match &self.0.kind {
            Some(Kind::ActiveDirectory(_)) => CredentialKind::ActiveDirectory,
            Some(Kind::EntraClientSecret(_)) => CredentialKind::EntraClientSecret,
            Some(Kind::EntraCertificate(_)) => CredentialKind::EntraCertificate,
            Some(Kind::EntraFederatedToken(_)) => CredentialKind::EntraFederatedToken,
            None => CredentialKind::Unspecified,
        }
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        // One allocation of the right size: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.0.encoded_len()));
        self.0.encode_raw(&mut *bytes);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        Credentials::decode(bytes).ok().map(Self)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        match &mut self.0.kind {
            Some(Kind::ActiveDirectory(account)) => {
                account.logon_name.zeroize();
                account.password.zeroize();
            }
            Some(Kind::EntraClientSecret(application)) => {
                application.application_id.zeroize();
                application.client_secret.zeroize();
            }
            Some(Kind::EntraCertificate(application)) => {
                application.application_id.zeroize();
                application.private_key_pem.zeroize();
            }
            Some(Kind::EntraFederatedToken(application)) => {
                application.application_id.zeroize();
                application.token_file.zeroize();
            }
            None => {}
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.kind().as_str_name())
    }
}

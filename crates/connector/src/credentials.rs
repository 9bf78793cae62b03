//! What a directory is logged on to with: fetched from config-service when needed, kept in memory only.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use api::config::v1 as proto;
use directory::DomainId;
use secrecy::SecretString;

/// What to log on with, by kind of directory.
#[derive(Clone)]
pub enum Credentials {
    ActiveDirectory {
        logon_name: SecretString,
        password: SecretString,
    },
    EntraClientSecret {
        application_id: SecretString,
        client_secret: SecretString,
    },
    EntraCertificate {
        application_id: SecretString,
        certificate_pem: SecretString,
        private_key_pem: SecretString,
    },
    EntraFederatedToken {
        application_id: SecretString,
        token_file: SecretString,
    },
}

impl Credentials {
    /// Takes the secrets out of the message, which is gone then. `None` when it holds none.
    pub fn from_proto(message: proto::Credentials) -> Option<Self> {
        use proto::credentials::Kind;
        Some(match message.kind? {
            Kind::ActiveDirectory(kind) => Self::ActiveDirectory {
                logon_name: kind.logon_name.into(),
                password: kind.password.into(),
            },
            Kind::EntraClientSecret(kind) => Self::EntraClientSecret {
                application_id: kind.application_id.into(),
                client_secret: kind.client_secret.into(),
            },
            Kind::EntraCertificate(kind) => Self::EntraCertificate {
                application_id: kind.application_id.into(),
                certificate_pem: kind.certificate_pem.into(),
                private_key_pem: kind.private_key_pem.into(),
            },
            Kind::EntraFederatedToken(kind) => Self::EntraFederatedToken {
                application_id: kind.application_id.into(),
                token_file: kind.token_file.into(),
            },
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ActiveDirectory { .. } => "ActiveDirectory { .. }",
            Self::EntraClientSecret { .. } => "EntraClientSecret { .. }",
            Self::EntraCertificate { .. } => "EntraCertificate { .. }",
            Self::EntraFederatedToken { .. } => "EntraFederatedToken { .. }",
        })
    }
}

/// Credentials in use, by domain and version: config-service audits each time it hands them out.
#[derive(Debug, Default)]
pub(crate) struct Keyring(Mutex<HashMap<DomainId, (i64, Credentials)>>);

impl Keyring {
    pub(crate) fn get(&self, domain: &DomainId, version: i64) -> Option<Credentials> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (had, credentials) = keys.get(domain)?;
        (*had == version).then(|| credentials.clone())
    }

    pub(crate) fn put(&self, domain: &DomainId, version: i64, credentials: Credentials) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(domain.clone(), (version, credentials));
    }

    /// Once they were removed, or replaced, they have no business here.
    pub(crate) fn keep_only(&self, domain: &DomainId, version: Option<i64>) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys
            .get(domain)
            .is_some_and(|(had, _)| Some(*had) != version)
        {
            keys.remove(domain);
        }
    }
}

//! Where the servers are, and how to be let in.

use std::path::PathBuf;

use serde::Deserialize;

/// How to reach NATS. Empty texts and paths stand for what isn't given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `tls://HOST:PORT`, or `nats://HOST:PORT` for plaintext behind a mesh or on loopback; several of one cluster.
    pub servers: Vec<String>,
    /// Certificates of the authorities to trust, as PEM. Empty: those that the system trusts.
    pub ca_file: PathBuf,
    /// The client's certificate, where the servers ask for one.
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    /// A `.creds` file with a JWT and its key.
    pub credentials_file: PathBuf,
    pub user: String,
    /// A file that holds the user's password, and maybe a line's end.
    pub password_file: PathBuf,
    /// On how many servers each stream is kept: 1, 3 or 5.
    pub replicas: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: vec!["tls://127.0.0.1:4222".to_owned()],
            ca_file: PathBuf::new(),
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            credentials_file: PathBuf::new(),
            user: String::new(),
            password_file: PathBuf::new(),
            replicas: 1,
        }
    }
}

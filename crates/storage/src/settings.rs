//! Where a database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::{Error, postgres};

/// Which database, and how it is used. Only the section of the chosen engine counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub engine: Engine,
    #[serde(default)]
    pub sqlite: Sqlite,
    #[serde(default)]
    pub postgres: Postgres,
}

/// What stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// One file, for one process.
    #[default]
    Sqlite,
    /// A server, for any number of replicas.
    Postgres,
}

/// A database in a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sqlite {
    /// The file; made when missing.
    pub path: PathBuf,
    /// Connections that read at the same time. There is always one that writes.
    pub readers: u32,
    /// How long a writer waits for its turn, in seconds.
    pub busy_timeout_seconds: u64,
}

/// A database of a PostgreSQL server, 14 or newer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Postgres {
    /// A name or an address; the server's certificate must be for it.
    pub host: String,
    pub port: u16,
    /// The database's name.
    pub name: String,
    /// The role to log on as. It must own its schema to migrate it.
    pub user: String,
    /// A file that holds the role's password, and maybe a line's end. Empty: the server asks for none.
    pub password_file: PathBuf,
    pub tls: Tls,
    /// Certificates of the authorities to trust, as PEM. Empty: the public ones.
    pub ca_file: PathBuf,
    /// Connections that a process keeps at most.
    pub connections: u32,
    /// How long to wait for a connection, in seconds.
    pub acquire_timeout_seconds: u64,
    /// How long a writer waits for its turn, in seconds.
    pub lock_timeout_seconds: u64,
    /// How long a query may take before its connection counts as dead, in seconds.
    pub query_timeout_seconds: u64,
}

/// How a connection to PostgreSQL is protected. Encrypted without being verified isn't among it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Tls {
    /// Encrypted; the server proves its name by a certificate of a trusted authority.
    #[default]
    #[serde(rename = "verify-full")]
    VerifyFull,
    /// Plaintext: for a mesh that brings its own TLS, or loopback.
    #[serde(rename = "none")]
    Off,
}

impl Default for Sqlite {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            readers: 4,
            busy_timeout_seconds: 30,
        }
    }
}

impl Default for Postgres {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 5432,
            name: String::new(),
            user: String::new(),
            password_file: PathBuf::new(),
            tls: Tls::VerifyFull,
            ca_file: PathBuf::new(),
            connections: 10,
            acquire_timeout_seconds: 10,
            lock_timeout_seconds: 30,
            query_timeout_seconds: 120,
        }
    }
}

impl Settings {
    /// A SQLite file.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            engine: Engine::Sqlite,
            sqlite: Sqlite {
                path: path.into(),
                ..Sqlite::default()
            },
            postgres: Postgres::default(),
        }
    }

    /// A database of a PostgreSQL server.
    pub fn on(postgres: Postgres) -> Self {
        Self {
            engine: Engine::Postgres,
            sqlite: Sqlite::default(),
            postgres,
        }
    }

    /// What can be known to be wrong without asking a server: to be told at once, where a server that is away is waited
    /// for.
    pub fn check(&self) -> Result<(), Error> {
        let empty = match self.engine {
            Engine::Sqlite => self
                .sqlite
                .path
                .as_os_str()
                .is_empty()
                .then_some("database.sqlite.path"),
            Engine::Postgres => {
                let texts = [
                    ("database.postgres.host", &self.postgres.host),
                    ("database.postgres.name", &self.postgres.name),
                    ("database.postgres.user", &self.postgres.user),
                ];
                let missing = texts.into_iter().find(|(_, text)| text.is_empty());
                missing.map(|(setting, _)| setting)
            }
        };
        if let Some(setting) = empty {
            return Err(Error::NotSet { setting });
        }
        match self.engine {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => postgres::check(&self.postgres, &self.place()),
        }
    }

    pub(crate) fn place(&self) -> Place {
        match self.engine {
            Engine::Sqlite => Place::File(self.sqlite.path.clone()),
            Engine::Postgres => Place::Server {
                host: self.postgres.host.clone(),
                port: self.postgres.port,
                name: self.postgres.name.clone(),
            },
        }
    }
}

impl Sqlite {
    pub(crate) fn busy_timeout(&self) -> Duration {
        Duration::from_secs(self.busy_timeout_seconds)
    }
}

impl Postgres {
    pub(crate) fn acquire_timeout(&self) -> Duration {
        Duration::from_secs(self.acquire_timeout_seconds)
    }

    pub(crate) fn query_timeout(&self) -> Duration {
        Duration::from_secs(self.query_timeout_seconds)
    }

    pub(crate) fn password_file(&self) -> Option<&Path> {
        given(&self.password_file)
    }

    pub(crate) fn ca_file(&self) -> Option<&Path> {
        given(&self.ca_file)
    }
}

fn given(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

/// Names a database in errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    Server {
        host: String,
        port: u16,
        name: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server { host, port, name } => write!(f, "{name} at {host}:{port}"),
        }
    }
}

//! A real PostgreSQL server on 127.0.0.1, with verified TLS and passwords, stopped and killed at will.

mod cluster;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

use self::cluster::Account;
use crate::ca::{Ca, Names};
use crate::process::Supervised;
use crate::{place, poll_until};

const HOST: &str = "127.0.0.1";
const SUPERUSER: &str = "postgres";
const DEADLINE: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Postgres {
    process: Mutex<Supervised>,
    dir: TempDir,
    ca: Ca,
    port: u16,
    password: String,
    account: Account,
}

/// A database with an owner of its own, who is no superuser.
#[derive(Clone)]
pub struct Database {
    pub host: String,
    pub port: u16,
    pub name: String,
    pub user: String,
    pub password: String,
    pub ca_file: PathBuf,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("port", &self.port)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The server that all tests of this process share, started at the first use. It ends with the process.
pub async fn shared() -> Result<Arc<Postgres>> {
    static SHARED: OnceCell<Arc<Postgres>> = OnceCell::const_new();
    let start = async || Ok::<_, anyhow::Error>(Arc::new(Postgres::start().await?));
    SHARED.get_or_try_init(start).await.cloned()
}

impl Postgres {
    /// Starts a server with nothing in it.
    pub async fn start() -> Result<Self> {
        let account = Account::find()?;
        let dir = place::temp_dir("postgres")?;
        place::let_others_pass(dir.path())?;
        let ca = Ca::new("PostgreSQL test authority")?;
        let issued = ca.server(&Names::ip([127, 0, 0, 1]).and_dns("localhost"))?;
        let data = dir.path().join("data");
        let password = cluster::copy_into(&data, &account).await?;
        cluster::install(&data, &issued, &account)?;
        let port = place::free_port()?;
        let process = cluster::spawn(&data, port, &account)?;
        let server = Self {
            process: Mutex::new(process),
            dir,
            ca,
            port,
            password,
            account,
        };
        server.until_ready().await?;
        Ok(server)
    }

    pub fn host(&self) -> &'static str {
        HOST
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority of the server's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.file()
    }

    /// Makes a database, and a role that owns it.
    pub async fn create_database(&self, name: &str) -> Result<Database> {
        let password = secret();
        // Made out of what no quoting is needed for.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(name.chars().all(plain), "`{name}` needs quoting");
        for sql in [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
            // Not the C collation: the stores must not depend on it.
            format!("CREATE DATABASE {name} OWNER {name}"),
        ] {
            self.query("postgres", &sql).await?;
        }
        Ok(Database {
            host: HOST.to_owned(),
            port: self.port,
            name: name.to_owned(),
            user: name.to_owned(),
            password,
            ca_file: self.ca_file(),
        })
    }

    /// Runs SQL as the superuser and returns what psql prints: a line a row, columns separated by `|`.
    pub async fn query(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = Command::new(cluster::program("psql")?);
        command
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", sql])
            .env("PGHOST", HOST)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", SUPERUSER)
            .env("PGPASSWORD", &self.password)
            .env("PGDATABASE", database)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", self.ca_file())
            .env("PGCONNECT_TIMEOUT", "5");
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        if !output.status.success() {
            bail!("psql failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Everything that is stored, as files.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Ends it in order, its clients cut off.
    pub async fn stop(&self) -> Result<()> {
        self.process().signal_leader(Signal::INT);
        poll_until(DEADLINE, "PostgreSQL to end", async || {
            self.process().ended()
        })
        .await
        .map(|_| ())
    }

    /// `kill -9` of the server and all its processes.
    pub async fn kill(&self) -> Result<()> {
        let mut process = self.process();
        process.signal_family(Signal::KILL);
        process.kill();
        Ok(())
    }

    /// Starts it again on the same data and port.
    pub async fn start_again(&self) -> Result<()> {
        let data = self.dir.path().join("data");
        // A killed one leaves it behind.
        let _ = std::fs::remove_file(data.join("postmaster.pid"));
        let process = cluster::spawn(&data, self.port, &self.account)?;
        *self.process() = process;
        self.until_ready().await
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&self) -> Result<()> {
        self.process().signal_family(Signal::STOP);
        Ok(())
    }

    pub fn resume(&self) -> Result<()> {
        self.process().signal_family(Signal::CONT);
        Ok(())
    }

    fn process(&self) -> MutexGuard<'_, Supervised> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until_ready(&self) -> Result<()> {
        let log = self.dir.path().join("log");
        let ready = poll_until(DEADLINE, "PostgreSQL to answer", async || {
            if self.process().ended().is_some() {
                return Some(false);
            }
            let answer = self.query("postgres", "SELECT 1").await;
            answer.is_ok().then_some(true)
        })
        .await;
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        match ready {
            Ok(true) => Ok(()),
            Ok(false) => bail!("PostgreSQL ended at its start"),
            Err(error) => Err(error).with_context(said),
        }
    }
}

fn secret() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the kit knows no `runtime::Ids`, and no test depends on the value"
    )]
    let random = Uuid::new_v4();
    random.simple().to_string()
}

//! Real Samba AD domain controllers, each on a loopback address of its own, none of the system's files touched.

mod address;
mod config;
mod edit;
mod helper;
mod logon;
mod objects;
mod options;
mod probe;
mod replica;
pub(crate) mod template;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;
use uuid::Uuid;

use self::address::Address;
use self::helper::Helper;
pub use self::objects::{BulkUsers, Entry, GroupScope, NewGroup, NewUser};
pub use self::options::{Certificate, Options, Workers};
use self::template::Facts;
use crate::ca::{Ca, Issued, Names};
use crate::place;
use crate::poll_until;
use crate::process::Supervised;

/// An ordinary account, with no more rights than any other user: what an administrator gives the connector.
pub const SERVICE_ACCOUNT: &str = "svc-hes";

const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A running domain controller. Dropping it ends the server and removes its folder; so does the end of this process.
#[derive(Debug)]
pub struct Samba {
    options: Options,
    ca: Ca,
    facts: Facts,
    // Before the folder, so that they end before it is removed.
    server: Mutex<Option<Supervised>>,
    helper: Mutex<Option<Helper>>,
    address: Mutex<Address>,
    certificate: Mutex<Certificate>,
    dir: TempDir,
}

/// An account to log on with.
#[derive(Clone)]
pub struct Logon {
    /// `sAMAccountName`.
    pub name: String,
    /// `name@domain`.
    pub upn: String,
    pub dn: String,
    pub password: String,
}

impl std::fmt::Debug for Logon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logon")
            .field("upn", &self.upn)
            .finish_non_exhaustive()
    }
}

impl Samba {
    /// Starts the first domain controller of a new domain, and returns when LDAP answers.
    pub async fn start(options: Options) -> Result<Self> {
        let dir = place::temp_dir("dc")?;
        let facts = template::copy_into(dir.path(), &options).await?;
        Self::run(options, facts, dir, Address::claim()?).await
    }

    async fn run(options: Options, facts: Facts, dir: TempDir, address: Address) -> Result<Self> {
        let ca = match &options.ca {
            Some(ca) => ca.clone(),
            None => Ca::new(&format!("{} test authority", options.dns_domain))?,
        };
        let samba = Self {
            certificate: Mutex::new(options.certificate.clone()),
            options,
            ca,
            facts,
            server: Mutex::new(None),
            helper: Mutex::new(None),
            address: Mutex::new(address),
            dir,
        };
        samba.start_again().await?;
        Ok(samba)
    }

    // --- where it is and what it is

    pub fn ip(&self) -> Ipv4Addr {
        locked(&self.address).ip()
    }

    /// `ldaps://ADDRESS`, which the certificate names.
    pub fn ldaps_url(&self) -> String {
        format!("ldaps://{}", self.ip())
    }

    /// `ldap://ADDRESS`, for StartTLS: Samba refuses a simple bind in the clear.
    pub fn ldap_url(&self) -> String {
        format!("ldap://{}", self.ip())
    }

    pub fn ldaps_address(&self) -> SocketAddr {
        SocketAddr::new(self.ip().into(), 636)
    }

    pub fn ldap_address(&self) -> SocketAddr {
        SocketAddr::new(self.ip().into(), 389)
    }

    pub fn dns_domain(&self) -> &str {
        &self.options.dns_domain
    }

    pub fn netbios(&self) -> &str {
        &self.options.netbios
    }

    /// `dc1.corp.test`. No resolver knows it.
    pub fn host_name(&self) -> String {
        self.options.host_name()
    }

    pub fn base_dn(&self) -> &str {
        &self.facts.base_dn
    }

    pub fn domain_sid(&self) -> &str {
        &self.facts.domain_sid
    }

    pub fn domain_guid(&self) -> Uuid {
        self.facts.domain_guid
    }

    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    /// The authority's certificate, as a file.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.file()
    }

    /// The domain's administrator.
    pub fn administrator(&self) -> Logon {
        self.logon("Administrator", &self.facts.administrator_password)
    }

    /// [`SERVICE_ACCOUNT`].
    pub fn service(&self) -> Logon {
        self.logon(SERVICE_ACCOUNT, &self.facts.service_password)
    }

    fn logon(&self, name: &str, password: &str) -> Logon {
        Logon {
            name: name.to_owned(),
            upn: format!("{name}@{}", self.dns_domain()),
            dn: format!("CN={name},CN=Users,{}", self.base_dn()),
            password: password.to_owned(),
        }
    }

    // --- stop, start, fail

    /// Asks the server to end, and kills it if it doesn't.
    pub async fn stop(&self) {
        let server = locked(&self.server).take();
        if let Some(mut server) = server {
            server.terminate(STOP_DEADLINE).await;
        }
    }

    /// Kills the server at once.
    pub fn kill(&self) {
        drop(locked(&self.server).take());
    }

    /// Stops every process of the server where it is: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(server) = locked(&self.server).as_ref() {
            server.signal(signal);
        }
    }

    pub async fn restart(&self) -> Result<()> {
        self.stop().await;
        self.start_again().await
    }

    pub async fn restart_with_certificate(&self, certificate: Certificate) -> Result<()> {
        *locked(&self.certificate) = certificate;
        self.restart().await
    }

    /// The same domain controller on another address, as after a move to another machine.
    pub async fn restart_at_another_address(&self) -> Result<()> {
        self.stop().await;
        *locked(&self.address) = Address::claim()?;
        // It reads the address at its start.
        *locked(&self.helper) = None;
        self.start_again().await
    }

    /// Starts a stopped or killed server, and returns when LDAP answers.
    pub async fn start_again(&self) -> Result<()> {
        self.stop().await;
        let smb_conf = template::write_config(self.dir(), &self.options, self.ip())?;
        self.write_certificate()?;
        let mut command = Command::new("samba");
        command
            .args(["--foreground", "--no-process-group", "--model"])
            .arg(self.options.workers.model())
            .arg("--configfile")
            .arg(smb_conf)
            .stdin(Stdio::null())
            .stdout(File::create(self.dir().join("log/stdout"))?)
            .stderr(File::create(self.dir().join("log/stderr"))?);
        let server = Supervised::spawn(&mut command)?;
        *locked(&self.server) = Some(server);
        self.wait_until_it_answers().await
    }

    async fn wait_until_it_answers(&self) -> Result<()> {
        let what = format!("Samba to answer LDAP on {}", self.ip());
        let answer = poll_until(self.options.start_deadline, &what, async || {
            if locked(&self.server)
                .as_mut()
                .is_none_or(|server| server.ended().is_some())
            {
                return Some(Err(()));
            }
            probe::answers(self.ldap_address()).await.then_some(Ok(()))
        })
        .await;
        match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(())) => bail!("Samba ended while starting: {}", self.log()),
            Err(error) => Err(error.context(self.log())),
        }
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        ["stdout", "stderr", "samba.log"]
            .iter()
            .filter_map(|name| std::fs::read(self.dir().join("log").join(name)).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }

    fn write_certificate(&self) -> Result<()> {
        let issued = self.issue(&locked(&self.certificate))?;
        let dir = self.dir();
        std::fs::write(dir.join(config::AUTHORITY), self.ca.pem())?;
        std::fs::write(dir.join(config::CERTIFICATE), issued.certificate)?;
        let key = dir.join(config::KEY);
        // Samba refuses a key that others may read.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&key)
            .and_then(|mut file| file.write_all(issued.key.as_bytes()))
            .with_context(|| format!("failed to write {}", key.display()))
    }

    fn issue(&self, certificate: &Certificate) -> Result<Issued> {
        let names = Names::dns(self.host_name())
            .and_dns(self.dns_domain())
            .and_dns("localhost")
            .and_ip(IpAddr::from(self.ip()))
            .and_ip(Ipv4Addr::LOCALHOST);
        match certificate {
            Certificate::Good => self.ca.server(&names),
            Certificate::Expired => self.ca.expired(&names),
            Certificate::NotYetValid => self.ca.not_yet_valid(&names),
            Certificate::SelfSigned => Ca::self_signed(&names),
            Certificate::Foreign => Ca::new("somebody else's authority")?.server(&names),
            Certificate::Names(others) => self.ca.server(others),
            Certificate::Exactly(issued) => Ok(issued.clone()),
        }
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process that edits the directory, started at the first edit.
    fn helper(&self) -> Result<Helper> {
        let mut helper = locked(&self.helper);
        if let Some(helper) = helper.as_ref() {
            return Ok(helper.clone());
        }
        let started = Helper::start(&self.dir().join(config::FILE))?;
        Ok(helper.insert(started).clone())
    }
}

impl Workers {
    fn model(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Several => "prefork",
        }
    }
}

/// A test that panicked while it held the lock left nothing half done in it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

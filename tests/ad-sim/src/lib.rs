#![doc = include_str!("../README.md")]

mod bootstrap;
mod change;
mod clock;
pub mod company;
mod directory;
mod dn;
mod fault;
mod logon;
mod policy;
mod read;
mod replicate;
mod schema;
mod search;
mod security;
mod server;
mod sid;
mod store;
mod tls;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

pub use clock::Clock;
pub use directory::{Directory, NewUser, Pso, Refused};
pub use fault::{Fault, Operation, When};
pub use policy::Policy;
pub use schema::Class;
pub use search::select::MAX_VALUES;
pub use search::{MAX_PAGE, MAX_RESULT_SETS};
pub use security::{Ace, Inherit, extended, right};
pub use sid::Sid;
pub use wire::outcome::code;

use fault::Script;
use store::replica::{Domain, Replica};
use tls::Authority;

/// Which domain to simulate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Such as `corp.example`.
    pub dns_domain: String,
    /// Such as `CORP`.
    pub netbios_name: String,
    pub controllers: usize,
    pub clock: Clock,
    /// Whether deleted objects keep their attributes.
    pub recycle_bin: bool,
    pub policy: Policy,
    /// Beside the domain's own name.
    pub upn_suffixes: Vec<String>,
    /// Where the first domain controller serves LDAPS on loopback; 0: anywhere. The others serve anywhere.
    pub port: u16,
}

impl Settings {
    /// A domain of one domain controller, by the machine's clock.
    pub fn new(dns_domain: &str) -> Self {
        let netbios_name = dns_domain.split('.').next().unwrap_or_default();
        Self {
            dns_domain: dns_domain.to_owned(),
            netbios_name: netbios_name.to_uppercase(),
            controllers: 1,
            clock: Clock::following(),
            recycle_bin: false,
            policy: Policy::default(),
            upn_suffixes: Vec::new(),
            port: 0,
        }
    }
}

/// Why a simulation can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("failed to make certificates")]
    Certificate(#[from] rcgen::Error),
    #[error("failed to set up TLS")]
    Tls(#[from] rustls::Error),
    #[error("failed to listen on loopback")]
    Listen(#[from] std::io::Error),
    #[error("a domain needs at least one domain controller")]
    NoController,
    #[error("failed to set up the administrator: {0}")]
    Administrator(#[from] Refused),
}

/// A domain that runs until it is dropped.
pub struct Simulation {
    domain: Arc<Domain>,
    controllers: Vec<Controller>,
    authority: String,
    password: String,
    _servers: JoinSet<()>,
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("domain", &self.domain.dns_name)
            .finish_non_exhaustive()
    }
}

/// One domain controller.
#[derive(Clone, Debug)]
pub struct Controller {
    host: String,
    secure: SocketAddr,
    plain: SocketAddr,
    replica: Arc<RwLock<Replica>>,
    faults: Script,
}

impl Simulation {
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let domain = Arc::new(Domain::new(
            &settings.dns_domain,
            &settings.netbios_name,
            settings.clock.clone(),
            settings.recycle_bin,
        ));
        let authority = Authority::new(&domain.dns_name)?;
        let password = authority.secret();
        let mut servers = JoinSet::new();
        let mut controllers: Vec<Controller> = Vec::new();
        for number in 1..=settings.controllers {
            let host = format!("dc{number}.{}", domain.dns_name);
            let invocation = Uuid::from_u128(domain.next_guid());
            let mut replica = Replica::new(Arc::clone(&domain), &host, invocation);
            match controllers.first() {
                None => replica.found(&settings.policy, &settings.upn_suffixes),
                Some(first) => replica.pull(&first.read()),
            }
            replica.introduce();
            let tls = authority.server(&host)?;
            let port = if number == 1 { settings.port } else { 0 };
            let controller = listen(&mut servers, host, replica, tls, port).await?;
            controllers.push(controller);
        }
        let first = controllers.first().ok_or(StartError::NoController)?;
        first.edit(|directory| {
            let administrator = directory.dn_of_logon(bootstrap::ADMINISTRATOR)?;
            directory.set_password(&administrator, &password)
        })?;
        let simulation = Self {
            domain,
            controllers,
            authority: authority.pem(),
            password,
            _servers: servers,
        };
        simulation.replicate_all();
        Ok(simulation)
    }

    /// The certificate to trust, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub fn domain_sid(&self) -> &Sid {
        &self.domain.sid
    }

    /// The administrator's logon name.
    pub fn administrator(&self) -> String {
        format!("{}@{}", bootstrap::ADMINISTRATOR, self.domain.dns_name)
    }

    /// The administrator's password; another one at every start.
    pub fn administrator_password(&self) -> &str {
        &self.password
    }

    /// Moves the domain's time forward.
    pub fn advance(&self, by: Duration) {
        self.domain.clock.advance(by);
    }

    /// The domain controllers.
    pub fn controllers(&self) -> &[Controller] {
        &self.controllers
    }

    /// The first domain controller, which every simulation has.
    pub fn controller(&self) -> &Controller {
        #[expect(
            clippy::indexing_slicing,
            reason = "a simulation without one does not start"
        )]
        &self.controllers[0]
    }

    /// One domain controller takes over what changed at another.
    pub fn replicate(&self, from: &Controller, to: &Controller) {
        if Arc::ptr_eq(&from.replica, &to.replica) {
            return;
        }
        to.write().pull(&from.read());
    }

    /// Every domain controller takes over what changed at every other one.
    pub fn replicate_all(&self) {
        for to in &self.controllers {
            for from in &self.controllers {
                self.replicate(from, to);
            }
        }
    }
}

async fn listen(
    servers: &mut JoinSet<()>,
    host: String,
    replica: Replica,
    tls: Arc<ServerConfig>,
    port: u16,
) -> Result<Controller, StartError> {
    let secure = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let controller = Controller {
        host,
        secure: secure.local_addr()?,
        plain: plain.local_addr()?,
        replica: Arc::new(RwLock::new(replica)),
        faults: Script::default(),
    };
    let shared = server::Shared {
        replica: Arc::clone(&controller.replica),
        faults: controller.faults.clone(),
        tls,
    };
    servers.spawn(server::serve(shared, plain, secure));
    Ok(controller)
}

impl Controller {
    /// Its name in the domain, which nothing on the network resolves.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it serves LDAPS.
    pub fn address(&self) -> SocketAddr {
        self.secure
    }

    /// Where it serves LDAP, for StartTLS.
    pub fn plain_address(&self) -> SocketAddr {
        self.plain
    }

    /// Changes the directory at this domain controller, as its owner: nothing is refused for want of a right.
    pub fn edit<T>(&self, edit: impl FnOnce(&mut Directory<'_>) -> T) -> T {
        edit(&mut Directory::new(&mut self.write()))
    }

    /// Something is to go wrong.
    pub fn fail(&self, when: When, fault: Fault) {
        self.faults.add(when, fault);
    }

    /// Nothing more is to go wrong.
    pub fn mend(&self) {
        self.faults.clear();
    }

    /// As after a restore from a backup: its changes count under a new id from here.
    pub fn renew_invocation(&self) {
        let mut replica = self.write();
        replica.renew_invocation();
        replica.tell_invocation();
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Replica> {
        self.replica.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Replica> {
        self.replica.write().unwrap_or_else(PoisonError::into_inner)
    }
}

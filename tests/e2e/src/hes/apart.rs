//! Each service apart, two replicas of each, on PostgreSQL and NATS, known to one another by certificates.

mod replica;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use testkit::balancer::Balancer;
use testkit::ca::{Ca, Names};
use testkit::chaos::Proxy;
use testkit::nats::{Nats, Security};
use testkit::postgres::{Database, Postgres};
use testkit::programs;

use self::replica::Replica;
use super::DEADLINE;

const SERVICES: [&str; 3] = ["config-service", "ad-connector", "rotation-scheduler"];
const REPLICAS: usize = 2;

/// A suite as a cluster runs it.
pub struct Apart {
    /// Two of config-service, two of ad-connector, two of rotation-scheduler.
    replicas: Vec<Replica>,
    /// One address a service.
    balancers: Vec<Balancer>,
    /// What replicas said that were killed since.
    said: String,
    pub postgres: Arc<Postgres>,
    pub nats: Nats,
    /// Between the services and PostgreSQL.
    pub to_postgres: Proxy,
    /// Between the services and NATS.
    pub to_nats: Proxy,
    databases: Vec<Database>,
    /// Signs the services' certificates.
    pub ca: Ca,
}

impl Apart {
    pub(super) async fn start(folder: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let data = folder.join("data");
        std::fs::create_dir(&data)?;
        let ca = Ca::new("suite authority")?;
        std::fs::copy(ca.file(), data.join("ca.pem"))?;
        // Its own, because tests stop and cut it.
        let postgres = Arc::new(Postgres::start().await?);
        let nats = Nats::start_with(Security {
            ca: Some(ca.clone()),
            user: Some(("hes".to_owned(), "nats-password-of-a-test".to_owned())),
        })
        .await?;
        let to_postgres = Proxy::start(([127, 0, 0, 1], postgres.port()).into()).await?;
        let to_nats = Proxy::start(([127, 0, 0, 1], nats.port()).into()).await?;
        std::fs::write(data.join("nats.password"), "nats-password-of-a-test\n")?;
        secrets(&data).await?;

        let (mut databases, mut balancers) = (Vec::new(), Vec::new());
        for service in SERVICES {
            let name = service.replace('-', "_");
            let database = postgres.create_database(&name).await?;
            std::fs::write(data.join(format!("{name}.password")), &database.password)?;
            databases.push(database);
            balancers.push(Balancer::start().await?);
        }
        let mut replicas = Vec::new();
        for (service, database) in SERVICES.into_iter().zip(&databases) {
            let issued = ca.server(
                &Names::dns("localhost")
                    .and_ip([127, 0, 0, 1])
                    .and_uri(format!("spiffe://hes/{service}")),
            )?;
            std::fs::write(data.join(format!("{service}.pem")), &issued.certificate)?;
            std::fs::write(data.join(format!("{service}.key")), &issued.key)?;
            let file = folder.join(format!("{service}.toml"));
            let text = settings_of(
                service,
                &data,
                database,
                (to_postgres.port(), to_nats.port()),
                &balancers,
            );
            std::fs::write(&file, text)?;
            migrate(service, &file).await?;
            for number in 1..=REPLICAS {
                let instance = format!("{service}-{number}");
                replicas.push(Replica::new(service, &instance, &file, settings));
            }
        }
        let mut apart = Self {
            replicas,
            balancers,
            said: String::new(),
            postgres,
            nats,
            to_postgres,
            to_nats,
            databases,
            ca,
        };
        apart.start_all().await?;
        Ok(apart)
    }

    async fn start_all(&mut self) -> Result<()> {
        for replica in &mut self.replicas {
            replica.start()?;
        }
        for index in 0..self.replicas.len() {
            self.ready(index).await?;
        }
        Ok(())
    }

    /// Waits until a replica serves, and sends connections to it.
    async fn ready(&mut self, index: usize) -> Result<()> {
        self.replicas
            .get_mut(index)
            .context("no such replica")?
            .ready()
            .await?;
        let service = index / REPLICAS;
        let addresses = self
            .replicas
            .iter()
            .skip(service * REPLICAS)
            .take(REPLICAS)
            .filter_map(Replica::address)
            .collect();
        let balancer = self.balancers.get(service).context("no such service")?;
        balancer.serve(addresses);
        Ok(())
    }

    pub(super) async fn start_again(&mut self) -> Result<()> {
        for replica in &mut self.replicas {
            self.said += &replica.kill();
        }
        self.start_all().await
    }

    pub(super) fn has_fallen(&mut self) -> bool {
        self.replicas.iter_mut().any(Replica::has_fallen)
    }

    pub(super) fn resume(&self) {
        for replica in &self.replicas {
            replica.resume();
        }
    }

    /// Has replicas that are started from now on told something more by their environment.
    pub(super) fn set(&mut self, key: &str, value: Option<&str>) {
        for replica in &mut self.replicas {
            replica.set(key, value);
        }
    }

    /// `kill -9` of the replica whose turn it is, and its start.
    pub async fn kill_one(&mut self, turn: usize) -> Result<()> {
        let index = turn % self.replicas.len();
        self.stop_one(index)?;
        self.start_one(index).await
    }

    /// `kill -9`.
    pub fn stop_one(&mut self, index: usize) -> Result<()> {
        let replica = self.replicas.get_mut(index).context("no such replica")?;
        self.said += &replica.kill();
        Ok(())
    }

    pub async fn start_one(&mut self, index: usize) -> Result<()> {
        let replica = self.replicas.get_mut(index).context("no such replica")?;
        replica.start()?;
        self.ready(index).await
    }

    /// Where the first replica of a service listens.
    pub fn address(&self, service: &str) -> Result<SocketAddr> {
        let index = SERVICES.iter().position(|name| *name == service);
        index
            .and_then(|index| self.replicas.get(index * REPLICAS))
            .and_then(Replica::address)
            .context("no such service")
    }

    /// What each replica says of itself to Prometheus, where it was set to.
    pub async fn metrics(&self) -> Result<Vec<(String, String)>> {
        let mut pages = Vec::new();
        for replica in &self.replicas {
            pages.push((replica.service().to_owned(), replica.metrics().await?));
        }
        Ok(pages)
    }

    /// Whether no process has ended by itself.
    pub fn all_running(&mut self) -> bool {
        self.replicas.iter_mut().all(Replica::is_running)
    }

    pub(super) async fn terminate(&mut self) -> Result<Option<i32>> {
        for replica in &self.replicas {
            replica.terminate();
        }
        let mut worst = Some(0);
        for replica in &mut self.replicas {
            let code = replica.wait().await?;
            if code != Some(0) {
                worst = code;
            }
        }
        Ok(worst)
    }

    pub(super) fn log(&self) -> String {
        self.replicas
            .iter()
            .fold(self.said.clone(), |log, replica| log + &replica.log())
    }

    /// Of config-service, whichever replica answers.
    pub(super) fn api(&self) -> String {
        self.api_of(0)
    }

    /// Of rotation-scheduler.
    pub(super) fn rotation_api(&self) -> String {
        self.api_of(2)
    }

    fn api_of(&self, service: usize) -> String {
        self.balancers
            .get(service)
            .map_or_else(String::new, |balancer| {
                format!("https://{}", balancer.address())
            })
    }

    pub(super) fn stored(&self) -> [PathBuf; 2] {
        [self.postgres.data(), self.nats.store()]
    }

    /// Asks the database of a service, as its owner sees it.
    pub async fn query(&self, service: &str, sql: &str) -> Result<String> {
        let index = SERVICES.iter().position(|name| *name == service);
        let database = index
            .and_then(|index| self.databases.get(index))
            .context("no such service")?;
        self.postgres.query(&database.name, sql).await
    }
}

/// The administrator's token and the key that seals, made as an operator makes them.
async fn secrets(data: &Path) -> Result<()> {
    let file = |name: &str| data.join(name).display().to_string();
    let token = [
        "generate".to_owned(),
        "token".to_owned(),
        "--token-file".to_owned(),
        file("admin.token"),
        "--hash-file".to_owned(),
        file("admin.token.sha256"),
    ];
    let kek = |name: &str| {
        [
            "generate".to_owned(),
            "kek".to_owned(),
            "--file".to_owned(),
            file(name),
        ]
    };
    let (kek, kek_of_rotation) = (kek("kek"), kek("kek-of-rotation"));
    for arguments in [token.as_slice(), kek.as_slice(), kek_of_rotation.as_slice()] {
        let output = programs::run(programs::hes_command(arguments)?, DEADLINE).await?;
        ensure!(output.status.success(), "{output:?}");
    }
    Ok(())
}

async fn migrate(service: &str, file: &Path) -> Result<()> {
    let command = programs::hes_command([
        "migrate".as_ref(),
        service.as_ref(),
        "--settings".as_ref(),
        file.as_os_str(),
    ])?;
    let output = programs::run(command, DEADLINE).await?;
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// What an operator writes in a service's settings file.
fn settings_of(
    service: &str,
    data: &Path,
    database: &Database,
    (postgres, nats): (u16, u16),
    balancers: &[Balancer],
) -> String {
    let data = data.display();
    let name = &database.name;
    let url = |index: usize| {
        balancers.get(index).map_or_else(String::new, |balancer| {
            format!("https://{}", balancer.address())
        })
    };
    let own = match service {
        "config-service" => format!(
            r#"
[peers]
ad_connector = "{}"
rotation_scheduler = "{}"
[authentication]
bootstrap_token_hash_file = "{data}/admin.token.sha256"
[sealing]
kek_file = "{data}/kek"
"#,
            url(1),
            url(2)
        ),
        "rotation-scheduler" => format!(
            r#"
[peers]
config_service = "{}"
ad_connector = "{}"
[authentication]
bootstrap_token_hash_file = "{data}/admin.token.sha256"
[sealing]
kek_file = "{data}/kek-of-rotation"
"#,
            url(0),
            url(1)
        ),
        _ => format!("\n[peers]\nconfig_service = \"{}\"\n", url(0)),
    };
    format!(
        r#"
[grpc.tls]
certificate_file = "{data}/{service}.pem"
key_file = "{data}/{service}.key"
client_ca_file = "{data}/ca.pem"
[identity]
certificate_file = "{data}/{service}.pem"
key_file = "{data}/{service}.key"
ca_file = "{data}/ca.pem"
[database.postgres]
port = {postgres}
name = "{name}"
user = "{}"
password_file = "{data}/{name}.password"
ca_file = "{}"
[bus]
servers = ["tls://127.0.0.1:{nats}"]
ca_file = "{data}/ca.pem"
user = "hes"
password_file = "{data}/nats.password"
{own}"#,
        database.user,
        database.ca_file.display(),
    )
}

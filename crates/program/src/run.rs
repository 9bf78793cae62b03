//! From settings to a running service, and to its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use events::jetstream::JetStreamBus;
use runtime::grpc::{Listener, channel};
use runtime::service::Host;
use runtime::settings::{describe, load};
use runtime::{Channel, Ids, Shutdown, SystemClock, Tasks, telemetry, tls};
use storage::settings::Engine;
use storage::{Database, Error, Migrations};
use tokio::net::TcpListener;
use tracing::warn;

use crate::arguments::Arguments;
use crate::settings::{Identity, Settings};
use crate::{Base, Ground, Program};

/// How often a database that is away is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

pub(crate) async fn run<P: Program>(arguments: Arguments) -> Result<()> {
    let layers = arguments.layers(&P::defaults());
    let wrong = "the settings are wrong; --check-settings shows each and where it comes from";
    let settings: Settings<P::Settings> = load(&layers).context(wrong)?;
    if arguments.check_settings {
        return print(&describe(&layers).context(wrong)?);
    }
    let telemetry = telemetry::init(&settings.telemetry, P::NAME)?;
    let ended = serve::<P>(settings).await;
    telemetry.flush().await;
    ended
}

async fn serve<P: Program>(settings: Settings<P::Settings>) -> Result<()> {
    let tasks = Tasks::new(Shutdown::new());
    tasks.shutdown().on_signals(&tasks)?;
    let authenticator = P::authenticator(&settings.own)?;
    let ground = Ground {
        peers: Peers::new(&settings.identity)?,
        data_directory: data_directory(&settings.database),
    };
    let prepared = P::prepare(settings.own, &ground)?;
    settings.database.check()?;
    let tls = tls::server(&settings.grpc.tls).context("failed to set up TLS of the API")?;
    let listener = bind("grpc.listen", settings.grpc.listen).await?;
    let address = listener.local_addr()?;
    let metrics = serve_metrics(&settings.telemetry, &tasks).await?;

    let opening = database(&settings.database, P::migrations());
    let database = tokio::select! {
        () = tasks.shutdown().signalled() => return Ok(()),
        database = opening => database?,
    };
    let bus = JetStreamBus::connect(&settings.bus)
        .await
        .context("failed to set up the event bus")?;
    let base = Base {
        database: database.clone(),
        bus: Arc::new(bus.clone()),
        clock: SystemClock::shared(),
        ids: Ids::system(),
        tasks: tasks.clone(),
        instance: settings.process.instance(),
    };
    let service = P::build(prepared, base)?;

    let host = Host {
        grpc: settings.grpc,
        lifecycle: settings.lifecycle,
        authenticator,
        tasks: tasks.clone(),
    };
    let (scheme, listener) = match tls {
        Some(tls) => ("https", Listener::Tls(listener, tls)),
        None => ("http", Listener::Plaintext(listener)),
    };
    let ready = service.readiness.clone();
    let running = host
        .start(vec![service], vec![listener])
        .context("failed to start the service")?;
    tokio::select! {
        () = ready.until_ready() => {
            if let Some(address) = metrics {
                print(&format!("metrics on http://{address}/metrics"))?;
            }
            print(&format!("listening on {scheme}://{address}\nready"))?;
        }
        () = tasks.shutdown().signalled() => {}
    }
    let ended = running.wait().await;
    bus.close().await;
    database.close().await;
    Ok(ended?)
}

/// Waits for a database that is away. One that is not as it must be is told at once.
async fn database(settings: &storage::Settings, migrations: &Migrations) -> Result<Database> {
    // Told when it changes, not each time it is looked for.
    let mut told = String::new();
    loop {
        match Database::open(settings, migrations).await {
            Ok(database) => return Ok(database),
            Err(error @ Error::Open { .. }) => {
                let problem = format!("{:#}", anyhow::Error::from(error));
                if problem != told {
                    warn!("{problem}; waiting for it, looking every {LOOK_AGAIN:?}");
                    told = problem;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn data_directory(settings: &storage::Settings) -> Option<PathBuf> {
    match settings.engine {
        Engine::Sqlite => settings.sqlite.path.parent().map(Path::to_owned),
        Engine::Postgres => None,
    }
}

/// Ways to the other services, as this one.
#[derive(Clone, Debug)]
pub struct Peers(channel::Options);

impl Peers {
    fn new(identity: &Identity) -> Result<Self> {
        let own = match (&identity.certificate_file, &identity.key_file) {
            (Some(certificate), Some(key)) => Some(tls::Identity {
                certificate_file: certificate.clone(),
                key_file: key.clone(),
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                bail!("`identity.certificate_file` and `identity.key_file` go together: give both")
            }
        };
        Ok(Self(channel::Options {
            ca_file: identity.ca_file.clone(),
            identity: own,
            ..channel::Options::default()
        }))
    }

    /// A way to a service at an address. Whatever answers there must prove to be that service.
    pub fn channel(&self, service: &str, url: &str) -> Result<Channel> {
        let options = channel::Options {
            server: Some(service.parse()?),
            ..self.0.clone()
        };
        channel::connect(url, &options)
            .with_context(|| format!("failed to set up the way to {service}"))
    }
}

/// A listener at an address that the named setting gives.
async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on {address}, as `{setting}` says"))
}

/// Collects metrics, and serves them where the settings say: at the address returned.
async fn serve_metrics(
    settings: &telemetry::Settings,
    tasks: &Tasks,
) -> Result<Option<SocketAddr>> {
    let listener = match settings.metrics_listen {
        Some(address) => Some(bind("telemetry.metrics_listen", address).await?),
        None => None,
    };
    let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
    telemetry::metrics::install()?.serve(listener, tasks);
    Ok(address)
}

#[expect(clippy::print_stdout, reason = "what the user asked for")]
fn print(text: &str) -> Result<()> {
    println!("{text}");
    Ok(())
}

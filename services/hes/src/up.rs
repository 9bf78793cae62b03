//! `hes up`: every service in this process, on SQLite and the embedded bus, in one data directory.

mod data_dir;
mod keys;
mod settings;
mod tls;
mod token;
mod wiring;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use runtime::{
    Caller, Channel, Clock, Ids, Shutdown, SystemClock, Tasks,
    auth::Authenticator,
    grpc::{self, Listener, channel},
    service::Host,
    settings::{Layers, describe, environment, load},
    telemetry,
};
use tokio::net::TcpListener;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

pub(crate) use self::settings::{Settings, defaults};
use self::{data_dir::DataDir, wiring::Wiring};
use crate::{failure::Failure, output::print};

/// How often the services are asked whether they are ready, and that is soon.
const ASK_AGAIN: Duration = Duration::from_millis(20);

const HELP: &str = "\
Examples:
  hes up --data-dir ./data
  hes up --data-dir /var/lib/hes --kek-file /etc/hes/kek --listen 0.0.0.0:7443 --log-format json
  HES__TELEMETRY__FILTER=debug hes up --data-dir ./data

Prints the address, where the administrator's token and the certificate are, and `ready` on a line of its own. SIGTERM \
or Ctrl-C finishes what is in hand; a second one leaves at once. The data directory holds everything: SQLite files, keys, \
certificates. To have another administrator's token, stop, delete DIR/admin.token*, and start.";

/// Arguments of `hes up`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Up {
    /// Where everything is kept; made when missing. One process at a time
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Where the API is served; port 0 takes a free one, which is printed [default: 127.0.0.1:7443]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// File of the key that seals credentials; made at the first start. Keep it outside the data directory and its
    /// backup [default: DIR/kek, for trying out]
    #[arg(long, value_name = "FILE")]
    kek_file: Option<PathBuf>,
    /// Settings in TOML; --check-settings shows what there is
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Check the settings, print each with where it comes from, and exit
    #[arg(long)]
    check_settings: bool,
    /// Logs, on standard error, for people or for collectors [default: pretty]
    #[arg(long, value_name = "FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// What is logged: a level, or directives such as `info,ad_client=debug` [default: info]
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
    /// Where Prometheus scrapes /metrics, such as 127.0.0.1:9464 [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Pretty,
    Json,
}

/// Runs until a signal, or until a service can't go on.
pub(crate) async fn run(up: Up) -> Result<(), Failure> {
    let layers = up.layers();
    let wrong = |error| {
        Failure::new("the settings are wrong")
            .caused_by(&error)
            .next("hes up --data-dir DIR --check-settings shows every setting and where it comes from")
    };
    let settings: Settings = load(&layers).map_err(wrong)?;
    if up.check_settings {
        return print(&describe(&layers).map_err(wrong)?);
    }
    serve(settings, &up.data_dir, async |served| {
        print(&served.welcome())
    })
    .await
}

/// Where the services are, once they are ready, and what it takes to be let in.
pub(crate) struct Served {
    pub(crate) url: String,
    pub(crate) token_file: PathBuf,
    pub(crate) ca_file: PathBuf,
    /// Ends them.
    pub(crate) shutdown: Shutdown,
}

/// Runs all services in a data directory until a signal. `then` has its turn when they are ready; its failure ends them.
pub(crate) async fn serve(
    settings: Settings,
    data_dir: &Path,
    then: impl AsyncFnOnce(&Served) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let dir = DataDir::open(data_dir)?;
    let telemetry = telemetry::init(&settings.telemetry, "hes")
        .map_err(|error| Failure::new("could not set up logging").caused_by(&error))?;
    let result = serve_in(settings, &dir, then).await;
    telemetry.flush().await;
    result
}

impl Up {
    fn layers(&self) -> Layers {
        let format = self.log_format.map(|format| match format {
            LogFormat::Pretty => "pretty".to_owned(),
            LogFormat::Json => "json".to_owned(),
        });
        let flags = [
            (
                "grpc.listen",
                self.listen.map(|address| address.to_string()),
            ),
            (
                "up.kek_file",
                self.kek_file
                    .as_ref()
                    .map(|path| path.display().to_string()),
            ),
            ("telemetry.format", format),
            ("telemetry.filter", self.log_filter.clone()),
            (
                "telemetry.metrics_listen",
                self.metrics_listen.map(|address| address.to_string()),
            ),
        ];
        flags.into_iter().fold(
            defaults()
                .file(self.settings.clone())
                .environment(environment()),
            |layers, (key, value)| match value {
                Some(value) => layers.flag(key, value),
                None => layers,
            },
        )
    }
}

async fn serve_in(
    settings: Settings,
    dir: &DataDir,
    then: impl AsyncFnOnce(&Served) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (clock, ids) = (SystemClock::shared(), Ids::system());
    let tasks = Tasks::new(Shutdown::new());
    tasks
        .shutdown()
        .on_signals(&tasks)
        .map_err(|error| Failure::new("could not start").caused_by(&error))?;

    let listener = bind("--listen", settings.grpc.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::new("could not start").caused_by(&error))?;
    let api = Api::open(&settings, dir, address)?;
    let hash = token::open(dir, &ids)?;
    let (way, in_process) = grpc::in_process();
    let wiring = Wiring {
        dir,
        way: way.clone(),
        clock,
        ids,
        tasks: tasks.clone(),
        keys: keys::open(
            dir,
            settings.up.kek_file.as_deref(),
            wiring::is_first_start(dir),
        )?,
    };
    // Before the services, which say what theirs mean.
    serve_metrics(&settings.telemetry, &tasks).await?;
    let (services, closing) = wiring.services(&settings).await?;

    let host = Host {
        grpc: settings.grpc,
        lifecycle: settings.lifecycle,
        authenticator: Authenticator::new().accepting(hash),
        tasks: tasks.clone(),
    };
    let listeners = vec![Listener::Tls(listener, api.tls), in_process];
    let running = host
        .start(services, listeners)
        .map_err(|error| Failure::new("could not start the services").caused_by(&error))?;

    dir.say_who(&format!("serving on {}", api.url))?;
    let probe = channel::in_process(&way, Caller::Anonymous);
    let served = Served {
        url: api.url,
        token_file: dir.file(token::TOKEN),
        ca_file: dir.file(tls::CA),
        shutdown: tasks.shutdown().clone(),
    };
    let told = async {
        until_ready(probe).await;
        then(&served).await
    };
    let told = tokio::select! {
        told = told => told,
        () = tasks.shutdown().signalled() => Ok(()),
    };
    if told.is_err() {
        tasks.shutdown().trigger();
    }
    let ended = running.wait().await;
    closing.close().await;
    told?;
    ended.map_err(|error| Failure::new("the services ended in failure").caused_by(&error))
}

/// How clients reach the API.
struct Api {
    url: String,
    tls: std::sync::Arc<rustls::ServerConfig>,
}

impl Api {
    /// With the certificate that the settings name, or one of our own.
    fn open(settings: &Settings, dir: &DataDir, address: SocketAddr) -> Result<Self, Failure> {
        let configured = &settings.grpc.tls;
        let files = if configured.certificate_file.is_some() || configured.key_file.is_some() {
            configured.clone()
        } else {
            runtime::tls::Settings {
                client_ca_file: configured.client_ca_file.clone(),
                ..tls::open(dir, address, &settings.up.names, SystemClock.now())?
            }
        };
        let failed = || Failure::new("could not set up TLS");
        let tls = runtime::tls::server(&files)
            .map_err(|error| failed().caused_by(&error))?
            .ok_or_else(|| failed().because("there is no certificate"))?;
        let url = format!("https://{}", reachable(address));
        Ok(Self { url, tls })
    }
}

/// An address to call: that of this machine, where every address is listened on.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(format!("could not listen on {address}"))
            .caused_by(&error)
            .next(format!("give another {flag}; port 0 takes a free one"))
    })
}

async fn serve_metrics(settings: &telemetry::Settings, tasks: &Tasks) -> Result<(), Failure> {
    let listener = match settings.metrics_listen {
        Some(address) => Some(bind("--metrics-listen", address).await?),
        None => None,
    };
    telemetry::metrics::install()
        .map_err(|error| Failure::new("could not start").caused_by(&error))?
        .serve(listener, tasks);
    Ok(())
}

/// Returns once the server answers that it can do its work.
async fn until_ready(channel: Channel) {
    let mut client = HealthClient::new(channel);
    loop {
        let answer = client.check(HealthCheckRequest::default()).await;
        if answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving) {
            return;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

impl Served {
    fn welcome(&self) -> String {
        format!(
            "\
listening on {}
administrator's token: {}
certificate authority: {}

In another shell:
  {}
  hes status

ready",
            self.url,
            self.token_file.display(),
            self.ca_file.display(),
            self.exports()
        )
    }

    /// What tells `hes` in another shell where to go.
    pub(crate) fn exports(&self) -> String {
        format!(
            "export HES_API={} HES_API_TOKEN_FILE={} HES_API_CA_FILE={}",
            self.url,
            quoted(&self.token_file.display().to_string()),
            quoted(&self.ca_file.display().to_string())
        )
    }
}

/// As a shell needs it.
pub(crate) fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell_only_when_they_must_be() {
        assert_eq!(quoted("/var/lib/hes/ca.pem"), "/var/lib/hes/ca.pem");
        assert_eq!(quoted("/my data/it's"), r"'/my data/it'\''s'");
    }

    #[test]
    fn an_address_that_stands_for_all_is_called_on_this_machine() {
        let reach = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reach("0.0.0.0:7443"), "127.0.0.1:7443");
        assert_eq!(reach("[::]:7443"), "[::1]:7443");
        assert_eq!(reach("192.0.2.1:7443"), "192.0.2.1:7443");
    }
}

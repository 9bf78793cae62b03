//! The command line that every service's program has.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use runtime::settings::{Layers, environment};

const HELP: &str = "\
Every setting can stand in the file, or in the environment: [database.postgres] host is HES__DATABASE__POSTGRES__HOST.
Passwords and keys are files that the settings name, never values. --check-settings prints every setting, what it is for,
and where its value comes from.

The database must have this version's schema: `hes migrate SERVICE --settings FILE` brings it there, before the program
starts. The program prints its address and `ready`. SIGTERM or Ctrl-C finishes what is in hand; a second one leaves at once.";

#[derive(Debug, Parser)]
#[command(version, after_help = HELP, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Settings in TOML
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Check the settings, print each with where it comes from, and exit
    #[arg(long)]
    pub(crate) check_settings: bool,
    /// Where the API is served; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where Prometheus scrapes /metrics, such as 0.0.0.0:9464
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Logs, on standard error, for people or for collectors
    #[arg(long, value_name = "FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// What is logged: a level, or directives such as `info,ad_client=debug`
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Pretty,
    Json,
}

impl Arguments {
    /// The defaults with what the file, the environment and the flags say.
    pub(crate) fn layers(&self, own: &[&str]) -> Layers {
        let format = self.log_format.map(|format| match format {
            LogFormat::Pretty => "pretty".to_owned(),
            LogFormat::Json => "json".to_owned(),
        });
        let flags = [
            ("grpc.listen", self.listen.map(|at| at.to_string())),
            (
                "telemetry.metrics_listen",
                self.metrics_listen.map(|at| at.to_string()),
            ),
            ("telemetry.format", format),
            ("telemetry.filter", self.log_filter.clone()),
        ];
        let layers = crate::settings::layers(own)
            .file(self.settings.clone())
            .environment(environment());
        flags
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .fold(layers, |layers, (key, value)| layers.flag(key, value))
    }
}

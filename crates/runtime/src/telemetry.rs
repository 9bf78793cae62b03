//! What a process tells of itself: logs, traces, metrics.
//!
//! Traces follow a request through gRPC metadata and a change through event headers, both as W3C trace context. Ids are
//! made even when nothing is exported, so that a trace begun elsewhere is never cut here.

pub mod metrics;
mod trace;

use std::{io::IsTerminal, net::SocketAddr, path::PathBuf};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use serde::Deserialize;
use tonic::transport::{Certificate, ClientTlsConfig};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterFn, ParseError, filter_fn},
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

pub use trace::{current_traceparent, inject, received, sent, with_parent, with_parent_of};

use tracing::{Level, Metadata};

use crate::settings;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub filter: String,
    pub format: Format,
    #[serde(deserialize_with = "settings::optional")]
    pub metrics_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "settings::optional")]
    pub otlp_endpoint: Option<String>,
    #[serde(deserialize_with = "settings::optional")]
    pub otlp_ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Pretty,
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: Format::Pretty,
            metrics_listen: None,
            otlp_endpoint: None,
            otlp_ca_file: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "setting `telemetry.filter` is not a filter: expected a level, or directives such as `info,ad_client=debug`"
    )]
    Filter(#[source] ParseError),
    #[error("failed to set up the export of traces to {endpoint}")]
    Exporter {
        endpoint: String,
        #[source]
        source: ExporterBuildError,
    },
    #[error("failed to read the collector's authority from {}", path.display())]
    Authority {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("logging is already set up in this process")]
    Twice(#[source] TryInitError),
}

/// Holds what must be flushed before the process leaves.
#[must_use = "dropped, it stops the export of traces"]
#[derive(Debug)]
pub struct Guard {
    provider: SdkTracerProvider,
}

/// Sets up logging and tracing for the process, once. Call it inside the async runtime.
pub fn init(settings: &Settings, service: &str) -> Result<Guard, Error> {
    let filter = EnvFilter::builder()
        .parse(&settings.filter)
        .map_err(Error::Filter)?;
    let provider = provider(settings, service)?;
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("hes"))
        .with_filter(traced());
    tracing_subscriber::registry()
        .with(traces)
        // The filter is the logs' alone: who wants fewer lines still wants whole traces.
        .with(logs(settings.format).with_filter(filter))
        .try_init()
        .map_err(Error::Twice)?;
    Ok(Guard { provider })
}

/// Sets up tracing alone, for a process whose output is its user's.
pub fn init_traces(settings: &Settings, service: &str) -> Result<Guard, Error> {
    let provider = provider(settings, service)?;
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("hes"))
        .with_filter(traced());
    tracing_subscriber::registry()
        .with(traces)
        .try_init()
        .map_err(Error::Twice)?;
    Ok(Guard { provider })
}

/// The target of spans that give logs their context and are no part of a trace: such as a task's own, which lives as long
/// as its process, so that what happens in it begins traces of its own.
pub const UNTRACED: &str = "untraced";

/// What becomes part of a trace. The hint matters: without it every event of every library, at any level, would be asked
/// about each time.
fn traced() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let is_traced: fn(&Metadata<'_>) -> bool =
        |metadata| *metadata.level() <= Level::INFO && metadata.target() != UNTRACED;
    filter_fn(is_traced).with_max_level_hint(Level::INFO)
}

fn logs<S>(format: Format) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    // Standard output belongs to what the user asked for.
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        Format::Pretty => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn provider(settings: &Settings, service: &str) -> Result<SdkTracerProvider, Error> {
    let resource = Resource::builder()
        .with_service_name(service.to_owned())
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &settings.otlp_endpoint else {
        return Ok(builder.build());
    };
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    if endpoint.starts_with("https:") {
        exporter = exporter.with_tls_config(tls(settings)?);
    }
    let exporter = exporter.build().map_err(|source| Error::Exporter {
        endpoint: endpoint.clone(),
        source,
    })?;
    Ok(builder.with_batch_exporter(exporter).build())
}

fn tls(settings: &Settings) -> Result<ClientTlsConfig, Error> {
    // Whatever speaks TLS in this process finds the one provider.
    drop(crate::tls::provider());
    let config = ClientTlsConfig::new();
    let Some(path) = &settings.otlp_ca_file else {
        return Ok(config.trust_anchors(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()));
    };
    let pem = std::fs::read(path).map_err(|source| Error::Authority {
        path: path.clone(),
        source,
    })?;
    Ok(config.ca_certificate(Certificate::from_pem(pem)))
}

impl Guard {
    /// Sends what is still buffered. The exporter needs the runtime, so it isn't blocked while it does.
    pub async fn flush(self) {
        let provider = self.provider.clone();
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(%error, "failed to export the last traces: {error}");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // After `flush` there is nothing left, and shutting down twice is refused: nothing to tell.
        drop(self.provider.shutdown());
    }
}

/// Makes trace ids and tells nobody: for tests of what crosses a boundary. For the whole process, because what one
/// thread alone subscribes to is switched on and off by what the others do.
#[doc(hidden)]
pub fn testing() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    // Fails when another test was first, which is as well.
    drop(tracing::subscriber::set_global_default(
        Registry::default().with(layer),
    ));
}

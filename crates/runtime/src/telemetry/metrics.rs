//! Metrics, scraped by Prometheus. Anything records through the `metrics` macros.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, routing::get};
use metrics::{Unit, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tracing::info;

use crate::{OnEnd, Tasks};

/// The buckets that OpenTelemetry names for durations of calls, in seconds.
const SECONDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Histograms hold every sample until they are read or swept.
const SWEEP: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("failed to set up metrics")]
pub struct Error(#[source] BuildError);

/// What has been recorded in this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Starts recording. Called again, it gives what is already recording.
pub fn install() -> Result<Metrics, Error> {
    static INSTALLED: Mutex<Option<Metrics>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(metrics) = &*installed {
        return Ok(metrics.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(Error)?;
    describe();
    Ok(installed.insert(Metrics(handle)).clone())
}

/// What each of this crate's metrics is, for whoever scrapes them.
fn describe() {
    describe_histogram!(
        "rpc_server_call_duration_seconds",
        Unit::Seconds,
        "How long calls took that were answered here, by method and status; cancelled ones too"
    );
    describe_histogram!(
        "rpc_client_call_duration_seconds",
        Unit::Seconds,
        "How long calls took that were made from here, by method and status"
    );
    describe_gauge!(
        "hes_build_info",
        Unit::Count,
        "Always 1; the version is a label"
    );
    gauge!("hes_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

async fn sweep(metrics: Metrics) {
    loop {
        tokio::time::sleep(SWEEP).await;
        metrics.0.run_upkeep();
    }
}

impl Metrics {
    /// Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Serves `/metrics` and `/healthz` until the process leaves, and keeps memory bounded when nobody scrapes.
    pub fn serve(&self, listener: Option<TcpListener>, tasks: &Tasks) {
        let metrics = self.clone();
        tasks.spawn_background("metrics sweep", OnEnd::Ignore, sweep(metrics));
        let Some(listener) = listener else {
            return;
        };
        let address: Option<SocketAddr> = listener.local_addr().ok();
        info!(?address, "metrics are served");
        let metrics = self.clone();
        let router = Router::new()
            .route("/metrics", get(async move || metrics.render()))
            .route("/healthz", get(async || "ok\n"));
        tasks.spawn_background("metrics", OnEnd::ShutDown, async move {
            axum::serve(listener, router).await
        });
    }
}

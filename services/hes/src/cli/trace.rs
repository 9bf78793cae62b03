//! The trace of a command: its root, and all that the services do for it below. Exported where OpenTelemetry's own
//! variable says, and nowhere without it.

use runtime::telemetry::{self, Settings};
use tracing::{Instrument as _, info_span};

use crate::failure::Failure;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const AUTHORITY: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";

/// Runs a command below a span of its own. `hes up` sets up its own telemetry.
pub(super) async fn of_command(
    command: impl Future<Output = Result<(), Failure>>,
    name: &str,
) -> Result<(), Failure> {
    let given = |name: &str| {
        let value = std::env::var(name).ok();
        value.filter(|value| !value.is_empty())
    };
    let Some(endpoint) = given(ENDPOINT) else {
        return command.await;
    };
    let settings = Settings {
        otlp_endpoint: Some(endpoint),
        otlp_ca_file: given(AUTHORITY).map(Into::into),
        ..Settings::default()
    };
    let guard = telemetry::init_traces(&settings, "hes").map_err(|error| {
        Failure::new("could not set up the export of traces")
            .caused_by(&error)
            .next(format!("set {ENDPOINT} right, or unset it"))
    })?;
    let span = info_span!("command", otel.name = %name, otel.kind = "internal");
    let ended = command.instrument(span).await;
    guard.flush().await;
    ended
}

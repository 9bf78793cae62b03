use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{OnEnd, Tasks};

/// Tells every part of the process to finish. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    now: CancellationToken,
    failure: Arc<OnceLock<String>>,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to listen for SIGTERM and SIGINT")]
pub struct SignalsError(#[source] std::io::Error);

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns when it is time to finish the unit in hand and leave.
    pub async fn signalled(&self) {
        self.drain.cancelled().await;
    }

    pub fn is_signalled(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Returns when there is no time left even for the unit in hand.
    pub async fn abort_signalled(&self) {
        self.now.cancelled().await;
    }

    /// For code that takes a token.
    pub fn token(&self) -> CancellationToken {
        self.drain.clone()
    }

    /// Asks the process to finish.
    pub fn trigger(&self) {
        self.drain.cancel();
    }

    /// Asks the process to leave without finishing.
    pub fn abort(&self) {
        self.drain.cancel();
        self.now.cancel();
    }

    /// Asks the process to finish, and to say it failed. The first reason is kept.
    pub fn fail(&self, reason: impl Into<String>) {
        let reason = reason.into();
        error!(%reason, "shutting down: {reason}");
        // Only the first reason is the cause; later ones are its consequences.
        drop(self.failure.set(reason));
        self.drain.cancel();
    }

    /// Why the process ends in failure, if it does.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// SIGTERM or SIGINT drains; a second one aborts.
    pub fn on_signals(&self, tasks: &Tasks) -> Result<(), SignalsError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(SignalsError)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(SignalsError)?;
        let shutdown = self.clone();
        // The listener outlives the drain: it is what the second signal reaches. It is aborted with the last task.
        tasks.spawn_background("signals", OnEnd::Ignore, async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if shutdown.is_signalled() {
                    warn!("second signal: leaving now");
                    shutdown.abort();
                    return;
                }
                info!("signal received: finishing what is in hand; a second signal leaves at once");
                shutdown.trigger();
            }
        });
        Ok(())
    }
}

use std::sync::Arc;

use tokio::sync::watch;

/// Whether a service can do its work now. Ready until it says otherwise. Cheap to clone; all clones are one.
///
/// Not ready means "send me nothing": for a database that can't be reached, not for a directory that can't; the rest
/// of the service serves on.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<Option<String>>>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Readiness {
    /// Not ready until it says so.
    pub fn starting() -> Self {
        Self(Arc::new(watch::Sender::new(Some("starting".to_owned()))))
    }

    pub fn ready(&self) {
        self.0.send_if_modified(|state| state.take().is_some());
    }

    pub fn not_ready(&self, reason: impl Into<String>) {
        let reason = Some(reason.into());
        self.0.send_if_modified(|state| {
            let changed = *state != reason;
            *state = reason;
            changed
        });
    }

    pub fn is_ready(&self) -> bool {
        self.0.borrow().is_none()
    }

    /// Returns once it is ready.
    pub async fn until_ready(&self) {
        // The sender lives in `self`.
        drop(self.watch().wait_for(Option::is_none).await);
    }

    /// Why it isn't ready.
    pub fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }
}

use std::{
    any::Any,
    collections::BTreeMap,
    fmt::{self, Display},
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, error, info_span};

use super::Shutdown;
use crate::telemetry::UNTRACED;

/// What it means when a task ends before it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEnd {
    /// The task does one thing and is done.
    Ignore,
    /// The process is useless without it: it shuts down, in failure.
    ShutDown,
}

/// What a task's future may end with.
pub trait Outcome: Send + 'static {
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Into<anyhow::Error> + Send + 'static> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        // `{:#}` prints the chain of causes.
        self.err().map(|error| format!("{:#}", error.into()))
    }
}

/// Every task of the process: named, in a span of its own, and waited for. Cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    shutdown: Shutdown,
    tracker: TaskTracker,
    running: Arc<Running>,
}

#[derive(Default)]
struct Running {
    next: AtomicU64,
    tasks: Mutex<BTreeMap<u64, Entry>>,
}

struct Entry {
    name: String,
    awaited: bool,
    abort: Option<AbortHandle>,
}

/// The tasks that did not end in time; they were aborted.
#[derive(Debug, thiserror::Error)]
#[error("aborted after {grace:?} of grace, still running: {}", names.join(", "))]
pub struct Stuck {
    pub grace: Duration,
    pub names: Vec<String>,
}

impl Tasks {
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            tracker: TaskTracker::new(),
            running: Arc::default(),
        }
    }

    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Starts a task that is waited for when the process leaves: it must watch [`Shutdown::signalled`] or end by itself.
    pub fn spawn<F>(&self, name: impl Into<String>, on_end: OnEnd, future: F) -> AbortHandle
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let guard = Running::enter(&self.running, name.into(), true);
        let task = self.run(guard, on_end, future);
        #[expect(
            clippy::disallowed_methods,
            reason = "this is what the ban tells everyone else to use"
        )]
        let handle = tokio::spawn(self.tracker.track_future(task.0)).abort_handle();
        self.running.abortable(task.1, handle.clone());
        handle
    }

    /// Starts a task that has nothing to finish: it runs until the others have ended, and is then aborted.
    pub fn spawn_background<F>(
        &self,
        name: impl Into<String>,
        on_end: OnEnd,
        future: F,
    ) -> AbortHandle
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let guard = Running::enter(&self.running, name.into(), false);
        let task = self.run(guard, on_end, future);
        #[expect(
            clippy::disallowed_methods,
            reason = "this is what the ban tells everyone else to use"
        )]
        let handle = tokio::spawn(task.0).abort_handle();
        self.running.abortable(task.1, handle.clone());
        handle
    }

    fn run<F>(
        &self,
        guard: Guard,
        on_end: OnEnd,
        future: F,
    ) -> (impl Future<Output = ()> + Send + use<F>, u64)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        let (id, name) = (guard.id, guard.name.clone());
        let span = info_span!(target: UNTRACED, parent: None, "task", task.name = %name);
        let future = async move {
            let ended = AssertUnwindSafe(future).catch_unwind().await;
            drop(guard);
            let failure = match ended {
                Ok(outcome) => outcome.failure(),
                Err(panic) => Some(format!("panicked: {}", panic_message(&*panic))),
            };
            settle(&name, on_end, failure, &shutdown);
        };
        (future.instrument(span), id)
    }

    /// Waits for every task to end; after `grace`, or at the second signal, aborts those that haven't.
    pub async fn join(&self, grace: Duration) -> Result<(), Stuck> {
        self.tracker.close();
        tokio::select! {
            () = self.tracker.wait() => {}
            () = tokio::time::sleep(grace) => {}
            () = self.shutdown.abort_signalled() => {}
        }
        let names = self.running.abort_all();
        if names.is_empty() {
            return Ok(());
        }
        Err(Stuck { grace, names })
    }
}

fn settle(name: &str, on_end: OnEnd, failure: Option<String>, shutdown: &Shutdown) {
    match (on_end, failure) {
        (OnEnd::ShutDown, Some(failure)) => {
            shutdown.fail(format!("task `{name}` failed: {failure}"));
        }
        (OnEnd::ShutDown, None) if !shutdown.is_signalled() => {
            shutdown.fail(format!("task `{name}` ended, and must not"));
        }
        (OnEnd::Ignore, Some(failure)) => {
            error!(task.name = name, %failure, "task `{name}` failed: {failure}");
        }
        (OnEnd::ShutDown | OnEnd::Ignore, None) => debug!(task.name = name, "task `{name}` ended"),
    }
}

/// What a panic said, when it said it in words.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Takes the task off the list when it ends, is aborted, or panics.
struct Guard {
    running: Arc<Running>,
    id: u64,
    name: String,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(running: &Arc<Self>, name: String, awaited: bool) -> Guard {
        let id = running.next.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            name: name.clone(),
            awaited,
            abort: None,
        };
        running.lock().insert(id, entry);
        Guard {
            running: Arc::clone(running),
            id,
            name,
        }
    }

    /// A task may have ended before it got here; then there is nothing to abort.
    fn abortable(&self, id: u64, handle: AbortHandle) {
        if let Some(entry) = self.lock().get_mut(&id) {
            entry.abort = Some(handle);
        }
    }

    /// Aborts what runs, and names what should have ended by itself.
    fn abort_all(&self) -> Vec<String> {
        let entries = self.lock();
        for abort in entries.values().filter_map(|entry| entry.abort.as_ref()) {
            abort.abort();
        }
        entries
            .values()
            .filter(|entry| entry.awaited)
            .map(|entry| entry.name.clone())
            .collect()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.running.lock().values().map(|entry| &entry.name))
            .finish()
    }
}

impl Display for OnEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignore => "ignore",
            Self::ShutDown => "shut down",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn panics(message: &'static str) {
        panic!("{message}");
    }

    #[tokio::test]
    async fn a_vital_task_that_ends_panics_or_fails_shuts_the_process_down_in_failure() {
        let ended = Tasks::new(Shutdown::new());
        ended.spawn("relay", OnEnd::ShutDown, async {});
        ended.shutdown().signalled().await;
        assert_eq!(
            ended.shutdown().failure(),
            Some("task `relay` ended, and must not")
        );

        let panicked = Tasks::new(Shutdown::new());
        panicked.spawn("relay", OnEnd::ShutDown, panics("out of rows"));
        panicked.shutdown().signalled().await;
        assert_eq!(
            panicked.shutdown().failure(),
            Some("task `relay` failed: panicked: out of rows")
        );

        let failed = Tasks::new(Shutdown::new());
        failed.spawn("relay", OnEnd::ShutDown, async {
            Err::<(), _>(anyhow::anyhow!("no bus").context("failed to publish"))
        });
        failed.shutdown().signalled().await;
        assert_eq!(
            failed.shutdown().failure(),
            Some("task `relay` failed: failed to publish: no bus")
        );
    }

    #[tokio::test]
    async fn a_panic_in_a_task_that_may_end_harms_nobody_else() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("one sync", OnEnd::Ignore, panics("bad row"));
        tasks.join(Duration::from_secs(10)).await.unwrap();
        assert!(!tasks.shutdown().is_signalled());
    }

    #[tokio::test]
    async fn a_vital_task_may_end_once_shutdown_is_signalled() {
        let tasks = Tasks::new(Shutdown::new());
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("relay", OnEnd::ShutDown, {
            let shutdown = shutdown.clone();
            async move { shutdown.signalled().await }
        });

        shutdown.trigger();
        tasks.join(Duration::from_secs(10)).await.unwrap();

        assert_eq!(shutdown.failure(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_within_the_grace_is_named_and_aborted() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("stubborn", OnEnd::Ignore, std::future::pending::<()>());
        tasks.spawn_background("signals", OnEnd::Ignore, std::future::pending::<()>());
        tasks.shutdown().trigger();

        let stuck = tasks.join(Duration::from_secs(5)).await.unwrap_err();

        assert_eq!(stuck.names, ["stubborn"]);
        tasks.tracker.wait().await;
    }

    #[tokio::test]
    async fn an_abort_ends_the_grace() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("stubborn", OnEnd::Ignore, std::future::pending::<()>());
        tasks.shutdown().abort();

        let stuck = tasks.join(Duration::from_secs(3600)).await.unwrap_err();

        assert_eq!(stuck.names, ["stubborn"]);
    }
}

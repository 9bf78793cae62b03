//! Where a call leaves work that must end even if its caller goes away.

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use runtime::Shutdown;
use runtime::grpc::{Failure, Reason};
use tokio::sync::{mpsc, oneshot};
use tonic::Status;
use tracing::Instrument as _;

type Job = BoxFuture<'static, ()>;

#[derive(Clone, Debug)]
pub(crate) struct Desk(mpsc::Sender<Job>);

/// The desk, and the task that does what is left on it.
pub(crate) fn desk() -> (Desk, impl FnOnce(Shutdown) -> BoxFuture<'static, ()> + Send) {
    let (sender, jobs) = mpsc::channel(64);
    (Desk(sender), |shutdown| Box::pin(work(jobs, shutdown)))
}

impl Desk {
    /// Hands work in and waits for its result; the work goes on if the wait ends early.
    pub(crate) async fn hand_in<T, F>(&self, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Status>> + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        let job = async move {
            // Nobody waiting any more is no failure.
            drop(done.send(work.await));
        };
        let leaving = || {
            Failure::new(Reason::ShuttingDown, "the service is leaving; try again").into_status()
        };
        self.0
            .send(Box::pin(job.in_current_span()))
            .await
            .map_err(|_| leaving())?;
        result.await.map_err(|_| leaving())?
    }
}

async fn work(mut jobs: mpsc::Receiver<Job>, shutdown: Shutdown) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => running.push(job),
                None => break,
            },
            Some(()) = running.next() => {}
            () = shutdown.signalled() => break,
        }
    }
    // What was accepted is finished.
    jobs.close();
    while let Some(job) = jobs.recv().await {
        running.push(job);
    }
    while running.next().await.is_some() {}
}

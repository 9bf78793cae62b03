//! One domain's worker: runs what is to be run, one at a time, and knows when the next is due.
//!
//! It is a function of stored state: whatever wakes it only says "look again". It stops at any await when its settings
//! change or the process leaves; the steps of a run make that safe.

use std::sync::Arc;

use api::connector::v1::SyncMode;
use api::convert::time;
use jiff::Timestamp;
use runtime::{Shutdown, telemetry};
use storage::lease::Lease;
use sync::{RunState, SourceError};
use tracing::{Instrument, error, info, info_span, warn};

use crate::configured::Configured;
use crate::failure::{Failure, FailureReason, chain};
use crate::listened::Listened;
use crate::metrics;
use crate::source::{Directory, Observed, Unneeded};
use crate::store::{self, Asked, NewRun, Run};
use crate::supervisor::{Seat, Supervisor};
use crate::timing::{Last, next_run};

/// Who asked for a run that is due.
pub(crate) const SCHEDULE: &str = "schedule";

/// What a look at the stored state came to.
enum Look {
    /// Look again at once.
    Again,
    /// Nothing is to be done before then.
    Wait(Option<Timestamp>),
}

/// How a run ended, as far as the schedule cares.
enum Ended {
    Well,
    Failed {
        failure: Failure,
    },
    /// Held or left for later: the schedule goes on as it was.
    Otherwise,
}

impl<D: Directory> Supervisor<D> {
    /// Works until shutdown.
    pub(crate) async fn work(self: Arc<Self>, seat: Arc<Seat>, shutdown: Shutdown) {
        let mut settings = seat.configured.subscribe();
        let mut last: Option<Configured> = None;
        loop {
            let domain = settings.borrow_and_update().clone();
            // Whatever was wrong may be mended: the wait after failures is over.
            let mended = last
                .replace(domain.clone())
                .is_some_and(|last| last != domain);
            let span = info_span!(target: telemetry::UNTRACED, "sync", domain.id = %domain.id);
            let looking = self.look(&domain, mended).instrument(span);
            let look = tokio::select! {
                biased;
                () = shutdown.signalled() => return self.leave(&domain).await,
                changed = settings.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                look = looking => look,
            };
            let wait = match look {
                Ok(Look::Again) => continue,
                Ok(Look::Wait(until)) => until,
                Err(error) => {
                    error!(domain.id = %domain.id, "the connector's database failed: {}", chain(&error));
                    let wait = self.ids.jitter(self.settings.retry, 0.2);
                    self.clock.now().checked_add(wait).ok()
                }
            };
            let until = self.clock.sleep_until(wait.unwrap_or(Timestamp::MAX));
            tokio::select! {
                () = shutdown.signalled() => return,
                changed = settings.changed() => if changed.is_err() { return },
                () = seat.wake.notified() => {}
                () = until => {}
            }
        }
    }

    /// Lets another replica have the domain at once. Without it, it would wait for the lease to end.
    async fn leave(&self, domain: &Configured) {
        let left = self.store.leave(&domain.id, &self.instance);
        if let Err(error) = left.await {
            warn!(domain.id = %domain.id, "left the domain's lease to end: {}", chain(&error));
        }
    }

    async fn look(&self, domain: &Configured, mended: bool) -> Result<Look, store::Error> {
        let expiry = self.store.expire(&domain.id).await?;
        metrics::people(&self.store, &domain.id).await?;
        if let Some(failure) = domain.off_because() {
            let stopped = self.store.stop(&domain.id, &failure).await?;
            if stopped > 0 {
                info!(domain.id = %domain.id, runs = stopped, "stopped {stopped} runs: {failure}");
            }
            return Ok(Look::Wait(expiry));
        }
        let due = self.due(domain, mended).await?;
        let (run, retry) = self.store.next(&domain.id).await?;
        let now = self.clock.now();
        if run.is_none() && due > now {
            let until = [Some(due), expiry, retry].into_iter().flatten().min();
            return Ok(Look::Wait(until));
        }
        // Another process may be at it; it gives the domain up when it is done, or when its lease ends.
        let Some(lease) = self
            .store
            .claim(&domain.id, &self.instance, self.settings.lease)
            .await?
        else {
            return Ok(Look::Wait(now.checked_add(self.settings.lease / 2).ok()));
        };
        let work = self.take_what_is_left(domain, &lease);
        self.store.under(&lease, self.settings.lease, work).await?;
        Ok(Look::Again)
    }

    /// When the next scheduled run is due. One that was never planned waits for a whole interval, and a longer wait than
    /// the present interval is shortened.
    async fn due(&self, domain: &Configured, mended: bool) -> Result<Timestamp, store::Error> {
        let schedule = self.store.schedule(&domain.id).await?;
        let schedule = schedule.ok_or(store::Error::NoSuchDomain)?;
        let after_whole_interval = |fraction| {
            next_run(
                self.clock.now(),
                Last::Well,
                domain.interval,
                self.settings.retry,
                fraction,
            )
        };
        match schedule.next_run_at {
            Some(at)
                if mended
                    && schedule.consecutive_failures > 0
                    && self.failed_before(domain).await? =>
            {
                let now = self.clock.now().min(at);
                self.store.plan_next(&domain.id, now).await?;
                Ok(now)
            }
            // Refused logons wait longer than the interval; nothing else does. Chance alone brings nothing nearer.
            Some(at) if at <= after_whole_interval(1.0) || schedule.consecutive_failures > 0 => {
                Ok(at)
            }
            Some(_) | None => {
                let fresh = after_whole_interval(self.ids.fraction());
                self.store.plan_next(&domain.id, fresh).await?;
                Ok(fresh)
            }
        }
    }

    /// Whether the newest run began before the settings were last changed. Otherwise another replica has tried the new ones
    /// already, and another try would be one refused logon more.
    async fn failed_before(&self, domain: &Configured) -> Result<bool, store::Error> {
        let newest = self.store.last_run(&domain.id).await?;
        let began = newest.and_then(|run| run.message.start_time);
        let began = began.and_then(|at| time::from_proto("start_time", &at).ok());
        Ok(began.is_none_or(|began| began < domain.changed))
    }

    /// Looks once more, now that nobody else works on the domain: whoever did may have done it.
    async fn take_what_is_left(
        &self,
        domain: &Configured,
        lease: &Lease,
    ) -> Result<(), store::Error> {
        let (run, _) = self.store.next(&domain.id).await?;
        if run.is_none() && self.due(domain, false).await? > self.clock.now() {
            return Ok(());
        }
        self.take(domain, run, lease).await
    }

    /// Does the given run, or the one that is due.
    async fn take(
        &self,
        domain: &Configured,
        run: Option<Run>,
        lease: &Lease,
    ) -> Result<(), store::Error> {
        let Some(run) = run else {
            let new = NewRun {
                domain: domain.id.clone(),
                mode: SyncMode::Auto,
                dry_run: false,
                requested_by: SCHEDULE.to_owned(),
                request_id: None,
            };
            return match self.store.ask(&new).await? {
                Asked::Queued(_) | Asked::Already(_) | Asked::Reused => {
                    self.plan_next(domain, Last::Well).await
                }
            };
        };
        let started = self.clock.now();
        let span = info_span!("sync run", run.id = %run.id, domain.id = %domain.id);
        let span = telemetry::with_parent(span, run.traceparent.as_deref());
        let ended = self.execute(domain, &run, lease).instrument(span).await?;
        let run = self.store.run(run.id).await?.unwrap_or(run);
        if run.state.is_final() || run.state == RunState::Held {
            self.store.forget_read(run.id).await?;
        }
        metrics::run(&run, started, self.clock.now());
        self.report(&run);
        // A dry run is a question, not a sync: the schedule goes on as if it had not been asked.
        if run.message.dry_run {
            return Ok(());
        }
        match ended {
            Ended::Well => self.plan_next(domain, Last::Well).await,
            Ended::Otherwise => Ok(()),
            Ended::Failed { failure } => {
                let schedule = self.store.schedule(&domain.id).await?;
                let last = Last::Failed {
                    reason: failure.reason,
                    passing: failure.transient,
                    in_a_row: schedule.map_or(1, |schedule| schedule.consecutive_failures),
                };
                self.plan_next(domain, last).await
            }
        }
    }

    async fn plan_next(&self, domain: &Configured, last: Last) -> Result<(), store::Error> {
        let next = next_run(
            self.clock.now(),
            last,
            domain.interval,
            self.settings.retry,
            self.ids.fraction(),
        );
        self.store.plan_next(&domain.id, next).await
    }

    async fn execute(
        &self,
        domain: &Configured,
        run: &Run,
        lease: &Lease,
    ) -> Result<Ended, store::Error> {
        self.store.begin(run.id).await?;
        let observed = Observed::default();
        let mut known = self.store.domain(
            domain.id.clone(),
            domain.group_revision,
            lease.clone(),
            observed.clone(),
        );
        let (now, progress) = (self.clock.now(), ());
        let result = if run.state == RunState::Applying {
            let source = &mut Unneeded;
            sync::execute(source, &mut known, &progress, &domain.sync, run.id, now).await
        } else {
            let opened = match self.open(domain).await {
                Ok(opened) => opened,
                Err(failure) => return self.failed(domain, run, failure).await,
            };
            self.store.reads(run.id, &opened.server, "").await?;
            let source = &mut Listened::new(opened, observed, known.clone(), run.id);
            sync::execute(source, &mut known, &progress, &domain.sync, run.id, now).await
        };
        match result {
            // Superseded: what it would hold is held already.
            Ok(RunState::Held | RunState::Superseded) => Ok(Ended::Otherwise),
            Ok(_) => Ok(Ended::Well),
            Err(sync::Error::Store { phase, source }) => {
                warn!("failed to {phase}: {}", chain(&source));
                if !source.may_pass() {
                    // Reading the directory again and again would not mend it.
                    let failure = Failure::lasting(
                        FailureReason::Internal,
                        chain(&source),
                        "Restore the connector's database, or run the version that wrote it.",
                    );
                    return self.failed(domain, run, failure).await;
                }
                Err(source)
            }
            Err(sync::Error::Source { source, .. }) => self.failed(domain, run, source).await,
            Err(sync::Error::Refused(refusal)) => {
                // Recorded by the run's own steps. None of these passes by itself.
                let failure = Failure::lasting(FailureReason::Internal, refusal.to_string(), "");
                Ok(Ended::Failed { failure })
            }
        }
    }

    async fn open(&self, domain: &Configured) -> Result<crate::source::Opened<D::Source>, Failure> {
        let credentials = self.peer.credentials(domain).await?;
        let opening = self.directory.open(&domain.message, &credentials);
        let span = info_span!("open directory", otel.kind = "client", domain.id = %domain.id);
        opening.instrument(span).await
    }

    /// Ends the run, unless it was approved and may succeed later: a person's decision is not lost to a bad moment.
    async fn failed(
        &self,
        domain: &Configured,
        run: &Run,
        failure: Failure,
    ) -> Result<Ended, store::Error> {
        if run.state == RunState::Approved && failure.is_transient() {
            let wait = self.ids.jitter(self.settings.retry, 0.2);
            let at = self.clock.now().checked_add(wait);
            self.store
                .retry(run.id, at.unwrap_or(Timestamp::MAX))
                .await?;
            return Ok(Ended::Otherwise);
        }
        self.store.fail(&domain.id, run.id, &failure).await?;
        Ok(Ended::Failed { failure })
    }

    fn report(&self, run: &Run) {
        let plan = run.message.plan.unwrap_or_default();
        let read = run.message.read.unwrap_or_default();
        let failure = run.message.failure.clone().unwrap_or_default();
        info!(
            domain.id = %run.domain,
            run.id = %run.id,
            run.state = run.state.name(),
            read.accounts = read.accounts,
            read.members = read.members,
            plan.items = plan.items,
            applied = run.message.applied_items,
            issues = run.message.issue_count,
            failure.reason = failure.reason,
            "sync run of `{}` is {}: {} planned, {} applied",
            run.domain,
            run.state,
            plan.items,
            run.message.applied_items,
        );
    }
}

//! Which domains there are, and one worker for each.
//!
//! "Look again" is all that anybody tells it: config-service's events, a timer, a request. It then asks for every domain
//! and gives each worker its settings; a worker that hears of new ones stops what it does, which is always safe.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::name::DomainName;
use directory::DomainId;
use runtime::{Ids, OnEnd, SharedClock, Shutdown, Tasks};
use tokio::sync::{Notify, watch};
use tonic::{Code, Status};
use tracing::{info, warn};

use crate::configured::Configured;
use crate::peer::{Listed, Peer};
use crate::settings::Settings;
use crate::source::Directory;
use crate::store::{self, Store};

/// Syncs of all domains of one kind.
pub(crate) struct Supervisor<D> {
    pub(crate) directory: D,
    pub(crate) store: Store,
    pub(crate) peer: Peer,
    pub(crate) settings: Settings,
    pub(crate) clock: SharedClock,
    pub(crate) ids: Ids,
    /// Names this process among those that share the database.
    pub(crate) instance: String,
    pub(crate) tasks: Tasks,
    seats: Mutex<BTreeMap<DomainId, Arc<Seat>>>,
    questions: AtomicU64,
    again: Notify,
}

/// A question to config-service. An answer to an older one may tell what was true before a newer one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question(u64);

/// A domain with a worker.
pub(crate) struct Seat {
    pub(crate) configured: watch::Sender<Configured>,
    /// What the settings answer. Written while the seats are locked.
    as_of: Mutex<Question>,
    /// There may be something to do.
    pub(crate) wake: Notify,
}

/// What a supervisor is made of.
pub(crate) struct Parts<D> {
    pub(crate) directory: D,
    pub(crate) store: Store,
    pub(crate) peer: Peer,
    pub(crate) settings: Settings,
    pub(crate) clock: SharedClock,
    pub(crate) ids: Ids,
    pub(crate) instance: String,
    pub(crate) tasks: Tasks,
}

impl<D: Directory> Supervisor<D> {
    pub(crate) fn new(parts: Parts<D>) -> Arc<Self> {
        let Parts {
            directory,
            store,
            peer,
            settings,
            clock,
            ids,
            instance,
            tasks,
        } = parts;
        Arc::new(Self {
            directory,
            store,
            peer,
            settings,
            clock,
            ids,
            instance,
            tasks,
            seats: Mutex::default(),
            questions: AtomicU64::new(0),
            again: Notify::new(),
        })
    }

    /// To be called before config-service is asked.
    fn question(&self) -> Question {
        Question(self.questions.fetch_add(1, Ordering::Relaxed))
    }

    fn seats(&self) -> MutexGuard<'_, BTreeMap<DomainId, Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings of a domain that has a worker.
    pub(crate) fn seat(&self, domain: &DomainId) -> Option<Arc<Seat>> {
        self.seats().get(domain).cloned()
    }

    /// There may be other domains, or other settings.
    pub(crate) fn look_again(&self) {
        self.again.notify_one();
    }

    /// Keeps the workers in step with config-service until shutdown.
    pub(crate) async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let mut failures: u32 = 0;
        loop {
            failures = match self.reconcile().await {
                Ok(()) => 0,
                Err(error) => {
                    warn!(%error, "the domains could not be learnt: {error}");
                    failures.saturating_add(1)
                }
            };
            self.tidy().await;
            let wait = match failures {
                0 => self.settings.refresh,
                n => {
                    let wait = self.settings.retry / 10 * (1 << n.min(8));
                    self.ids.jitter(wait.min(self.settings.refresh), 0.2)
                }
            };
            tokio::select! {
                () = shutdown.signalled() => return,
                () = self.again.notified() => {}
                () = self.clock.sleep(wait) => {}
            }
        }
    }

    async fn reconcile(self: &Arc<Self>) -> Result<(), ReconcileError> {
        let question = self.question();
        let listed = self.peer.domains().await.map_err(ReconcileError::Peer)?;
        let Listed {
            domains,
            unreadable,
        } = listed;
        for id in self.store.domains().await? {
            let is_there = domains.iter().any(|domain| domain.id == id)
                || unreadable.contains(&DomainName(id.clone()).to_string());
            if !is_there && self.leave_out(&id, question) {
                self.store.forget(&id).await?;
            }
        }
        for domain in domains {
            self.admit(domain, question).await?;
        }
        Ok(())
    }

    /// Whether a domain that config-service no longer has is to be forgotten: it was not met since the question.
    ///
    /// Purged, it claims nothing any more. What is known stays for a while, in case config-service is the one that
    /// forgot.
    fn leave_out(&self, domain: &DomainId, question: Question) -> bool {
        let seats = self.seats();
        let Some(seat) = seats.get(domain) else {
            return true;
        };
        if !seat.answers(question) {
            return false;
        }
        seat.configured
            .send_if_modified(|configured| !std::mem::replace(&mut configured.deleted, true));
        true
    }

    /// Gives a domain its worker, or the worker its settings, unless those of a later question came before.
    async fn admit(
        self: &Arc<Self>,
        domain: Configured,
        question: Question,
    ) -> Result<(), store::Error> {
        let is_old = |seat: Arc<Seat>| seat.knows_better_than(question);
        if self.seat(&domain.id).is_some_and(is_old) {
            return Ok(());
        }
        self.store.meet(&domain.record()).await?;
        let mut seats = self.seats();
        if let Some(seat) = seats.get(&domain.id) {
            if !seat.answers(question) {
                return Ok(());
            }
            self.peer.keep_only(&domain);
            seat.configured.send_if_modified(|configured| {
                let changed = *configured != domain;
                *configured = domain;
                changed
            });
            return Ok(());
        }
        self.peer.keep_only(&domain);
        let id = domain.id.clone();
        let seat = Arc::new(Seat {
            configured: watch::Sender::new(domain),
            as_of: Mutex::new(question),
            wake: Notify::new(),
        });
        seats.insert(id.clone(), Arc::clone(&seat));
        drop(seats);
        info!(domain = %id, "syncing domain `{id}`");
        let shutdown = self.tasks.shutdown().clone();
        let worker = Arc::clone(self).work(seat, shutdown);
        self.tasks
            .spawn(format!("sync of {id}"), OnEnd::Ignore, worker);
        Ok(())
    }

    /// The domain as config-service has it this moment: a request may come before the event does.
    pub(crate) async fn look_up(
        self: &Arc<Self>,
        domain: &DomainId,
    ) -> Result<Option<Arc<Seat>>, LookUpError> {
        let question = self.question();
        match self.peer.domain(domain).await {
            Ok(Some(configured)) => self.admit(configured, question).await?,
            Ok(None) => return Ok(None),
            // What is known of it will do.
            Err(status) if self.seat(domain).is_some() && status.code() == Code::Unavailable => {}
            Err(status) => return Err(LookUpError::Peer(status)),
        }
        Ok(self.seat(domain))
    }

    async fn tidy(&self) {
        let old = self
            .clock
            .now()
            .checked_sub(self.settings.keep_runs)
            .unwrap_or_default();
        if let Err(error) = self.store.clean(old).await {
            warn!(%error, "old runs could not be cleared: {error}");
        }
    }
}

impl Seat {
    fn as_of(&self) -> MutexGuard<'_, Question> {
        self.as_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows_better_than(&self, question: Question) -> bool {
        *self.as_of() > question
    }

    /// Whether the answer to `question` is to be taken; from now on, it is what is known.
    fn answers(&self, question: Question) -> bool {
        let mut as_of = self.as_of();
        let taken = *as_of <= question;
        if taken {
            *as_of = question;
        }
        taken
    }
}

#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error("config-service did not list its domains")]
    Peer(#[source] Status),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Why a domain could not be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookUpError {
    #[error("config-service did not answer")]
    Peer(#[source] Status),
    #[error(transparent)]
    Store(#[from] store::Error),
}

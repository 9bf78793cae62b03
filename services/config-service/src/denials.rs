//! Calls that the access rules refused to a known caller, audited (K5). They never reach a handler: the server tells of
//! them, and a task writes them down.
//!
//! The log can't be cleaned up later, so that a caller who is refused all the time must not fill it: refusals are counted
//! by caller and method, and one event is written for each pair and pause.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use runtime::auth::{Denial, OnDenial};
use runtime::{SharedClock, Shutdown};
use storage::Database;
use tokio::sync::Notify;
use tracing::warn;

use crate::audit::{Outcome, Record};
use crate::store;

/// Between two looks at what was refused.
const PAUSE: Duration = Duration::from_secs(1);
/// How many different callers and methods are told apart between two looks.
const MANY: usize = 1024;
/// The rest of them.
const OTHERS: &str = "others";

/// How often whom was refused what.
type Counts = BTreeMap<(String, String), u64>;

#[derive(Default)]
struct Noted {
    counts: Mutex<Counts>,
    bell: Notify,
}

/// What the server tells, and the task that writes it down.
pub(crate) fn denials(
    db: Database,
    clock: SharedClock,
) -> (
    OnDenial,
    impl FnOnce(Shutdown) -> BoxFuture<'static, ()> + Send,
) {
    let noted = Arc::new(Noted::default());
    let told = Arc::clone(&noted);
    let on_denial: OnDenial = Arc::new(move |denial| told.note(denial));
    (on_denial, |shutdown| {
        Box::pin(async move {
            let token = shutdown.token();
            while token
                .run_until_cancelled(noted.bell.notified())
                .await
                .is_some()
            {
                noted.write_down(&db, &clock).await;
                token.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
            }
            noted.write_down(&db, &clock).await;
        })
    })
}

impl Noted {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counting can't panic half-way.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, denial: Denial) {
        self.add((denial.caller.to_string(), denial.method), 1);
        self.bell.notify_one();
    }

    fn add(&self, (caller, method): (String, String), times: u64) {
        let mut counts = self.counts();
        let key = if counts.len() < MANY || counts.contains_key(&(caller.clone(), method.clone())) {
            (caller, method)
        } else {
            (OTHERS.to_owned(), OTHERS.to_owned())
        };
        *counts.entry(key).or_default() += times;
    }

    async fn write_down(&self, db: &Database, clock: &SharedClock) {
        let counts = std::mem::take(&mut *self.counts());
        if counts.is_empty() {
            return;
        }
        if let Err(error) = append(db, clock, &counts).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "failed to audit refused calls; trying again"
            );
            for (key, times) in counts {
                self.add(key, times);
            }
            self.bell.notify_one();
        }
    }
}

async fn append(db: &Database, clock: &SharedClock, counts: &Counts) -> store::Result<()> {
    let now = crate::grpc::now(clock);
    let mut tx = db.begin().await?;
    for ((caller, method), times) in counts {
        let record = Record::done(now, caller.as_str(), "call", method.as_str())
            .outcome(Outcome::Denied)
            .detail("times", times);
        store::append(&mut tx, record).await?;
    }
    Ok(tx.commit().await?)
}

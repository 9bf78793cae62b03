//! The steps of a sync run over the two ports.
//!
//! ```text
//! identify -> find groups -> read and stage -> expand -> plan -> guard -+-> hold ... approve -> (from the top)
//!                                                                      +-> show (dry run)
//!                                                                      +-> apply in batches -> finish
//! ```
//!
//! Nothing known changes before the guard has agreed, or a person has. Dropping the future between two steps, or losing
//! the process, is harmless: [`execute`] starts over what was being read or planned, and goes on with what was being
//! applied.

use jiff::{SignedDuration, Timestamp};

use crate::{Advance, Limits, Phase, Progress, RunId, RunState, Source, Store, Tally};

mod apply;
mod error;
mod groups;
mod plan;
mod read;

pub use error::{Error, Refusal};

/// How one domain is synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub sync_group: String,
    pub rotation_group: String,
    /// Whether members of groups in the groups count.
    pub nested_groups: bool,
    pub limits: Limits,
    /// How many objects are compared at once, and how many changes are applied in one transaction: what a run needs
    /// of memory follows this, not the directory.
    pub batch: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_group: "Security Key Owners".to_owned(),
            rotation_group: "Security Key Auto Password Change".to_owned(),
            nested_groups: true,
            limits: Limits::default(),
            batch: 500,
        }
    }
}

/// Over what the guard adds a plan to what was already done.
const GUARDED: SignedDuration = SignedDuration::from_hours(24);

/// Takes a run as far as it goes without a person, from whatever state it is in, and returns the state it reached.
///
/// On an error the run is FAILED, except when trying again may help: after an error of the store, or a transient one of
/// the source during an approved run, the run is left as it is, to be executed again.
pub async fn execute<S: Source, T: Store, P: Progress>(
    source: &mut S,
    store: &mut T,
    progress: &P,
    settings: &Settings,
    run: RunId,
    now: Timestamp,
) -> Result<RunState, Error<S::Error, T::Error>> {
    let record = store
        .record(run)
        .await
        .map_err(Error::store(Phase::Identify))?;
    let mut work = Work {
        source,
        store,
        progress,
        settings,
        run,
        now,
        tally: Tally::default(),
    };
    let result = match record.state {
        RunState::Queued | RunState::Reading | RunState::Planning => {
            work.plan(record.dry_run).await
        }
        RunState::Approved => work.redo_approved(record.held_groups).await,
        RunState::Applying => work.apply().await,
        RunState::Held
        | RunState::Applied
        | RunState::NothingToDo
        | RunState::DryRun
        | RunState::Failed
        | RunState::Rejected
        | RunState::Expired
        | RunState::Superseded => return Err(Refusal::NotRunnable(record.state).into()),
    };
    if let Err(error) = &result
        && let Some(code) = error.failure()
        && !(record.state == RunState::Approved && error.is_transient())
    {
        let reason = error.chain();
        // If even this cannot be stored, the run is found unfinished and done over; the first error tells more.
        let _ = work
            .store
            .advance(run, &Advance::Failed { code, reason })
            .await;
    }
    result
}

struct Work<'a, S, T, P> {
    source: &'a mut S,
    store: &'a mut T,
    progress: &'a P,
    settings: &'a Settings,
    run: RunId,
    now: Timestamp,
    tally: Tally,
}

type Outcome<S, T, V> = Result<V, Error<<S as Source>::Error, <T as Store>::Error>>;

#[cfg(test)]
mod tests;

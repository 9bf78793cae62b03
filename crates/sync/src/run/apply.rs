//! Applying a plan in batches, from wherever it was left.

use super::{Error, Outcome, Work};
use crate::{Batch, Phase, Progress, RunState, Source, Store};

impl<S: Source, T: Store, P: Progress> Work<'_, S, T, P> {
    /// Applies what is ready and not applied yet. The plan is stored, so neither the directory nor the guard is asked
    /// again: after a crash this is simply called once more.
    pub(super) async fn apply(&mut self) -> Outcome<S, T, RunState> {
        let limit = self.settings.batch.max(1);
        loop {
            self.progress.report(Phase::Apply, &self.tally);
            let items = self.store.ready(self.run, limit).await;
            let items = items.map_err(Error::store(Phase::Apply))?;
            let batch = if items.len() < limit {
                Batch::Last
            } else {
                Batch::More
            };
            let applied = self.store.apply(self.run, &items, batch).await;
            applied.map_err(Error::store(Phase::Apply))?;
            self.tally.applied += items.len() as u64;
            if batch == Batch::Last {
                self.progress.report(Phase::Apply, &self.tally);
                return Ok(RunState::Applied);
            }
        }
    }
}

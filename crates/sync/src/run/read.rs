//! Reading a directory into the stage, to its proven end.

use super::groups::Footing;
use super::{Error, Outcome, Refusal, Work};
use crate::{Advance, Completion, Expansion, Keep, Phase, Progress, Read, Reading, Source, Store};

impl<S: Source, T: Store, P: Progress> Work<'_, S, T, P> {
    /// Reads and stages everything, and computes who is in the groups.
    pub(super) async fn read(
        &mut self,
        footing: &Footing,
    ) -> Outcome<S, T, (Completion, Expansion)> {
        let read = Read {
            sync_group: footing.sync_group.id,
            rotation_group: footing.rotation_group.id,
            nested: self.settings.nested_groups,
        };
        let begun = self.source.begin(&read).await;
        begun.map_err(Error::source(Phase::Read))?;
        let completion = loop {
            self.progress.report(Phase::Read, &self.tally);
            let reading = self.source.next().await;
            match reading.map_err(Error::source(Phase::Read))? {
                Reading::Complete(completion) => break completion,
                Reading::Page(page) => {
                    let staged = self.store.stage(self.run, &page).await;
                    staged.map_err(Error::store(Phase::Read))?;
                    self.tally.pages += 1;
                    self.tally.accounts += page.accounts.len() as u64;
                    self.tally.groups += page.groups.len() as u64;
                    self.tally.edges += page.edges.len() as u64;
                    self.tally.issues += page.issues.len() as u64;
                }
            }
        };
        for (what, sent, staged) in [
            ("accounts", completion.accounts, self.tally.accounts),
            ("groups", completion.groups, self.tally.groups),
            ("memberships", completion.edges, self.tally.edges),
        ] {
            if sent != staged {
                return Err(Refusal::Incomplete { what, sent, staged }.into());
            }
        }

        self.progress.report(Phase::Expand, &self.tally);
        let roots = footing.roots(self.settings.nested_groups);
        let expanded = self.store.expand(self.run, roots).await;
        let expansion = expanded.map_err(Error::store(Phase::Expand))?;
        Ok((completion, expansion))
    }

    pub(super) async fn start_over(&mut self, keep: Keep) -> Outcome<S, T, ()> {
        let reset = self.store.reset(self.run, keep).await;
        reset.map_err(Error::store(Phase::Read))
    }

    pub(super) async fn advance(&mut self, phase: Phase, to: &Advance) -> Outcome<S, T, ()> {
        let advanced = self.store.advance(self.run, to).await;
        advanced.map_err(Error::store(phase))
    }
}

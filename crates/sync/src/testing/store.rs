//! The last known state of one domain, in memory.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Account, Cursor, DomainId, Edge, ObjectId, Presence};
use jiff::Timestamp;

use super::{FakeError, Faults};
use crate::guard::Reason;
use crate::{
    Advance, Base, Batch, ChangeKind, Counts, Expansion, FailureCode, HeldGroups, Identity, Issue,
    Item, ItemKey, Keep, Known, Membership, Page, Pins, Record, Roots, Row, RunEvent, RunId,
    RunState, Store,
};

/// An event as the outbox has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub kind: ChangeKind,
    pub state: Known,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Approved, but not planned again yet.
    Waiting,
    Ready,
    Applied,
}

/// A run and what it holds.
#[derive(Clone, Debug, Default)]
pub struct FakeRun {
    state: Option<RunState>,
    dry_run: bool,
    accounts: BTreeMap<ObjectId, Account>,
    groups: BTreeSet<ObjectId>,
    edges: BTreeSet<Edge>,
    membership: BTreeMap<ObjectId, Membership>,
    items: BTreeMap<ObjectId, (Item, Mark)>,
    cursor: Option<Cursor>,
    counted: bool,
    applied: Vec<(Timestamp, Counts)>,
    pub issues: Vec<Issue>,
    pub counts: Counts,
    pub reasons: Vec<Reason>,
    held: HeldGroups,
    pub failure: Option<(FailureCode, String)>,
}

impl FakeRun {
    /// The plan, as text, in the order of object ids.
    pub fn plan(&self) -> String {
        let items = self.items.values();
        items.map(|(item, _)| format!("{item}\n")).collect()
    }
}

/// The last known state of one domain, in memory.
#[derive(Clone, Debug, Default)]
pub struct FakeStore {
    pub known: BTreeMap<ObjectId, Known>,
    pub pinned: Option<Pins>,
    pub cursor: Option<Cursor>,
    pub outbox: Vec<Told>,
    /// Other domains and the directories they are pinned to.
    pub others: Vec<(DomainId, Identity)>,
    pub runs: BTreeMap<RunId, FakeRun>,
    /// When changes are applied.
    pub now: Timestamp,
    pub faults: Faults,
}

impl FakeStore {
    pub fn queue(&mut self, run: RunId, dry_run: bool) {
        let fresh = FakeRun {
            state: Some(RunState::Queued),
            dry_run,
            ..FakeRun::default()
        };
        self.runs.insert(run, fresh);
    }

    pub fn state(&self, run: RunId) -> Option<RunState> {
        self.runs.get(&run)?.state
    }

    /// What a person does to a held run.
    pub fn decide(&mut self, run: RunId, event: RunEvent) -> Result<(), FakeError> {
        let run = run_of(&mut self.runs, run)?;
        let next = run.state.and_then(|state| state.after(event));
        run.state = Some(next.ok_or(FakeError::WrongState)?);
        Ok(())
    }

    fn row(&self, run: &FakeRun, object: ObjectId) -> Row {
        let account = run.accounts.get(&object).cloned();
        let reported = run.issues.iter().any(|issue| issue.object == Some(object));
        Row {
            object,
            known: self.known.get(&object).cloned(),
            flawed: account.is_none() && reported,
            account,
            membership: run.membership.get(&object).copied().unwrap_or_default(),
        }
    }

    fn apply_one(&mut self, item: &Item) -> bool {
        let stored = self.known.get(&item.object()).map(|known| known.generation);
        let planned_from = item.change.before.map(|before| before.generation);
        if stored != planned_from {
            return false;
        }
        self.known.insert(item.object(), item.change.after.clone());
        self.outbox.push(Told {
            kind: item.change.kind,
            state: item.change.after.clone(),
        });
        true
    }
}

fn run_of(runs: &mut BTreeMap<RunId, FakeRun>, run: RunId) -> Result<&mut FakeRun, FakeError> {
    runs.get_mut(&run).ok_or(FakeError::NoSuchRun)
}

/// Everything reachable from `root` that is not a group.
fn members(run: &FakeRun, root: Option<ObjectId>, nested: bool) -> BTreeSet<ObjectId> {
    let mut reached = BTreeSet::new();
    let mut groups: Vec<ObjectId> = root.into_iter().collect();
    let mut entered: BTreeSet<ObjectId> = groups.iter().copied().collect();
    while let Some(group) = groups.pop() {
        for edge in run.edges.iter().filter(|edge| edge.group == group) {
            if !run.groups.contains(&edge.member) {
                reached.insert(edge.member);
            } else if nested && entered.insert(edge.member) {
                groups.push(edge.member);
            }
        }
    }
    reached
}

impl Store for FakeStore {
    type Error = FakeError;

    async fn record(&mut self, run: RunId) -> Result<Record, FakeError> {
        self.faults.clone().step(|| {
            let run = run_of(&mut self.runs, run)?;
            Ok(Record {
                state: run.state.ok_or(FakeError::NoSuchRun)?,
                dry_run: run.dry_run,
                held_groups: run.held,
            })
        })
    }

    async fn pins(&mut self) -> Result<Option<Pins>, FakeError> {
        self.faults.step(|| Ok(self.pinned.clone()))
    }

    async fn owner_of(&mut self, identity: &Identity) -> Result<Option<DomainId>, FakeError> {
        self.faults.step(|| {
            let owner = self
                .others
                .iter()
                .find(|(_, other)| other.is_same(identity));
            Ok(owner.map(|(domain, _)| domain.clone()))
        })
    }

    async fn reset(&mut self, run: RunId, keep: Keep) -> Result<(), FakeError> {
        self.faults.clone().step(|| {
            let run = run_of(&mut self.runs, run)?;
            let items = std::mem::take(&mut run.items);
            *run = FakeRun {
                state: run.state,
                dry_run: run.dry_run,
                held: run.held,
                ..FakeRun::default()
            };
            if keep == Keep::Approved {
                let waiting = |(id, (item, _))| (id, (item, Mark::Waiting));
                run.items = items.into_iter().map(waiting).collect();
            }
            Ok(())
        })
    }

    async fn stage(&mut self, run: RunId, page: &Page) -> Result<(), FakeError> {
        self.faults.clone().step(|| {
            let run = run_of(&mut self.runs, run)?;
            let accounts = page.accounts.iter();
            run.accounts
                .extend(accounts.map(|account| (account.id, account.clone())));
            run.groups.extend(page.groups.iter().map(|group| group.id));
            run.edges.extend(page.edges.iter().copied());
            run.issues.extend(page.issues.iter().cloned());
            Ok(())
        })
    }

    async fn expand(&mut self, run: RunId, roots: Roots) -> Result<Expansion, FakeError> {
        self.faults.clone().step(|| {
            let run = run_of(&mut self.runs, run)?;
            let sync = members(run, roots.sync_group, roots.nested);
            let rotation = members(run, roots.rotation_group, roots.nested);
            let expansion = Expansion {
                sync_members: sync.len() as u64,
                rotation_members: rotation.len() as u64,
            };
            run.membership.clear();
            for member in sync {
                run.membership.entry(member).or_default().in_sync_group = true;
            }
            for member in rotation {
                run.membership.entry(member).or_default().in_rotation_group = true;
            }
            Ok(expansion)
        })
    }

    async fn rows(
        &mut self,
        run: RunId,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<Row>, FakeError> {
        self.faults.step(|| {
            let run = self.runs.get(&run).ok_or(FakeError::NoSuchRun)?;
            let present = self.known.iter().filter(|(_, known)| known.is_present());
            let present = present.map(|(id, _)| *id);
            let objects: BTreeSet<ObjectId> =
                present.chain(run.membership.keys().copied()).collect();
            let rest = objects.into_iter().filter(|id| Some(*id) > after);
            Ok(rest.take(limit).map(|id| self.row(run, id)).collect())
        })
    }

    async fn base(&mut self) -> Result<Base, FakeError> {
        self.faults.step(|| {
            let count = |of: &dyn Fn(&Known) -> bool| {
                self.known.values().filter(|known| of(known)).count() as u64
            };
            let is_member = |known: &Known| known.presence == Presence::Member;
            Ok(Base {
                known: count(&|_| true),
                active: count(&|known| is_member(known) && !known.account.state.disabled),
                sync_members: count(&is_member),
                rotation_members: count(&|known| known.in_rotation_group),
            })
        })
    }

    async fn recent(&mut self, since: Timestamp) -> Result<Counts, FakeError> {
        self.faults.step(|| {
            let runs = self.runs.values().filter(|run| run.counted);
            let applied = runs.flat_map(|run| &run.applied);
            let recent = applied.filter(|(at, _)| *at >= since);
            let recent: Vec<&Counts> = recent.map(|(_, counts)| counts).collect();
            let items = recent.iter().map(|counts| counts.items()).sum();
            Ok(Counts::from_parts(
                items,
                recent.iter().flat_map(|counts| counts.iter()),
            ))
        })
    }

    async fn save(
        &mut self,
        run: RunId,
        items: &[Item],
        issues: &[Issue],
    ) -> Result<(), FakeError> {
        self.faults.clone().step(|| {
            let run = run_of(&mut self.runs, run)?;
            let ready = items
                .iter()
                .map(|item| (item.object(), (item.clone(), Mark::Ready)));
            run.items.extend(ready);
            run.issues.extend(issues.iter().cloned());
            Ok(())
        })
    }

    async fn approved(
        &mut self,
        run: RunId,
        objects: &[ObjectId],
    ) -> Result<Vec<ItemKey>, FakeError> {
        self.faults.step(|| {
            let run = self.runs.get(&run).ok_or(FakeError::NoSuchRun)?;
            let items = objects.iter().filter_map(|object| run.items.get(object));
            Ok(items.map(|(item, _)| item.key()).collect())
        })
    }

    async fn advance(&mut self, id: RunId, to: &Advance) -> Result<(), FakeError> {
        self.faults.clone().step(|| {
            let event = match to {
                Advance::Reading => RunEvent::Read,
                Advance::Planning => RunEvent::Plan,
                Advance::Held { .. } => RunEvent::Hold,
                Advance::DryRun { .. } => RunEvent::Show,
                Advance::Applying { .. } => RunEvent::Apply,
                Advance::NothingToDo { .. } => RunEvent::FindNothing,
                Advance::Failed { .. } => RunEvent::Fail,
            };
            let run = run_of(&mut self.runs, id)?;
            let next = run.state.and_then(|state| state.after(event));
            run.state = Some(next.ok_or(FakeError::WrongState)?);
            match to.clone() {
                Advance::Reading | Advance::Planning => {}
                Advance::Held {
                    counts,
                    reasons,
                    groups,
                } => {
                    run.counts = counts;
                    run.reasons = reasons;
                    run.held = groups;
                }
                Advance::DryRun { counts, reasons } => {
                    run.counts = counts;
                    run.reasons = reasons;
                }
                Advance::Applying {
                    counts,
                    pins,
                    cursor,
                    counted,
                } => {
                    run.counts = counts;
                    run.cursor = cursor;
                    run.counted = counted;
                    self.pinned = Some(pins);
                }
                Advance::NothingToDo { pins, cursor } => {
                    self.pinned = Some(pins);
                    self.cursor = cursor.or(self.cursor.take());
                }
                Advance::Failed { code, reason } => run.failure = Some((code, reason)),
            }
            if matches!(
                event,
                RunEvent::Hold | RunEvent::Apply | RunEvent::FindNothing
            ) {
                for (_, older) in self.runs.range_mut(..id) {
                    if older.state == Some(RunState::Held) {
                        older.state = Some(RunState::Superseded);
                    }
                }
            }
            Ok(())
        })
    }

    async fn ready(&mut self, run: RunId, limit: usize) -> Result<Vec<Item>, FakeError> {
        self.faults.step(|| {
            let run = self.runs.get(&run).ok_or(FakeError::NoSuchRun)?;
            let ready = run.items.values().filter(|(_, mark)| *mark == Mark::Ready);
            Ok(ready.map(|(item, _)| item.clone()).take(limit).collect())
        })
    }

    async fn apply(&mut self, id: RunId, items: &[Item], batch: Batch) -> Result<(), FakeError> {
        self.faults.clone().step(|| {
            if self.state(id) != Some(RunState::Applying) {
                return Err(FakeError::WrongState);
            }
            let mut counts = Counts::default();
            for item in items {
                if self.apply_one(item) {
                    counts.add(&item.change);
                }
            }
            let now = self.now;
            let run = run_of(&mut self.runs, id)?;
            for item in items {
                if let Some((_, mark)) = run.items.get_mut(&item.object()) {
                    *mark = Mark::Applied;
                }
            }
            run.applied.push((now, counts));
            if batch == Batch::Last {
                run.state = run.state.and_then(|state| state.after(RunEvent::Finish));
                self.cursor = run.cursor.take().or(self.cursor.take());
            }
            Ok(())
        })
    }
}

//! Comparing what was read with what is known, page by page, and deciding what to do about it.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Attribute, ObjectId, Presence};

use super::groups::Footing;
use super::{Error, GUARDED, Outcome, Refusal, Work};
use crate::guard::Evidence;
use crate::{
    Advance, Change, Completion, Counts, Expansion, FieldChange, HeldGroups, Issue, IssueCode,
    Item, Keep, Phase, Progress, Row, RunState, Seen, Sighting, Source, Store, Verdict,
    Whereabouts, diff, guard,
};

/// A row whose place in the directory is established.
struct Compared {
    row: Row,
    sighting: Sighting,
    change: Option<Change>,
}

impl<S: Source, T: Store, P: Progress> Work<'_, S, T, P> {
    /// Reads, plans, and does what the guard says.
    pub(super) async fn plan(&mut self, dry_run: bool) -> Outcome<S, T, RunState> {
        self.advance(Phase::Read, &Advance::Reading).await?;
        self.start_over(Keep::Nothing).await?;
        let footing = self.find_footing().await?;
        let (completion, expansion) = self.read(&footing).await?;
        self.advance(Phase::Plan, &Advance::Planning).await?;
        let counts = self.compare(&footing, false).await?;

        let (verdict, first) = self.judge(&footing, expansion, &counts).await?;
        let Completion { cursor, .. } = completion;
        let pins = footing.pins;
        let next = match verdict {
            _ if dry_run => {
                let reasons = match verdict {
                    Verdict::Apply => Vec::new(),
                    Verdict::Hold { reasons } => reasons,
                };
                Advance::DryRun { counts, reasons }
            }
            Verdict::Hold { reasons } => Advance::Held {
                counts,
                reasons,
                groups: HeldGroups::from(&pins),
            },
            Verdict::Apply if counts.is_empty() => Advance::NothingToDo { pins, cursor },
            Verdict::Apply => Advance::Applying {
                counts,
                pins,
                cursor,
                counted: !first,
            },
        };
        self.go_on(next).await
    }

    /// Reads again what a person approved, and applies what still holds of it. A person's word replaces the guard's.
    pub(super) async fn redo_approved(&mut self, held: HeldGroups) -> Outcome<S, T, RunState> {
        self.start_over(Keep::Approved).await?;
        let footing = self.find_footing().await?;
        if held.differ_from(&footing.pins) {
            return Err(Refusal::GroupChanged.into());
        }
        self.read(&footing).await?;
        let counts = self.compare(&footing, true).await?;
        let pins = footing.pins;
        // What else this read saw is not applied, so it must be read again: the cursor stays where it was.
        let cursor = None;
        let next = if counts.is_empty() {
            Advance::NothingToDo { pins, cursor }
        } else {
            Advance::Applying {
                counts,
                pins,
                cursor,
                counted: false,
            }
        };
        self.go_on(next).await
    }

    async fn go_on(&mut self, next: Advance) -> Outcome<S, T, RunState> {
        self.advance(Phase::Plan, &next).await?;
        let state = next.state();
        if state == RunState::Applying {
            return self.apply().await;
        }
        if state == RunState::Held {
            // The store may have kept an older plan of the same changes instead.
            let record = self.store.record(self.run).await;
            return Ok(record.map_err(Error::store(Phase::Plan))?.state);
        }
        Ok(state)
    }

    /// The guard's verdict, and whether this is a first import.
    async fn judge(
        &mut self,
        footing: &Footing,
        expansion: Expansion,
        counts: &Counts,
    ) -> Outcome<S, T, (Verdict, bool)> {
        let stored = Error::store(Phase::Plan);
        let base = self.store.base().await.map_err(stored)?;
        let since = self.now.saturating_sub(GUARDED).unwrap_or(self.now);
        let recent = self.store.recent(since).await;
        let recent = recent.map_err(Error::store(Phase::Plan))?;
        let evidence = Evidence {
            plan: counts,
            recent: &recent,
            base,
            sync_members: expansion.sync_members,
            sync_group: footing.sync_group.condition.clone(),
            rotation_group: footing.rotation_group.condition.clone(),
        };
        Ok((guard(&evidence, &self.settings.limits), base.known == 0))
    }

    /// Compares everything and saves the items, only those that were approved if `approved`.
    async fn compare(&mut self, footing: &Footing, approved: bool) -> Outcome<S, T, Counts> {
        let groups = footing.issues();
        self.save(&[], &groups).await?;
        let mut counts = Counts::default();
        let mut after = None;
        loop {
            self.progress.report(Phase::Plan, &self.tally);
            let limit = self.settings.batch.max(1);
            let rows = self.store.rows(self.run, after, limit).await;
            let rows = rows.map_err(Error::store(Phase::Plan))?;
            let Some(last) = rows.last() else {
                return Ok(counts);
            };
            after = Some(last.object);
            self.tally.compared += rows.len() as u64;

            let mut issues = Vec::new();
            let mut compared = self.establish(rows, &mut issues).await?;
            self.keep_unreadable(&mut compared).await?;
            let changes = compared.into_iter().filter_map(|compared| compared.change);
            let mut items: Vec<Item> = changes.map(Item::from).collect();
            if approved {
                items = self.only_approved(items).await?;
            }
            for item in &items {
                counts.add(&item.change);
            }
            self.tally.planned += items.len() as u64;
            self.save(&items, &issues).await?;
        }
    }

    async fn save(&mut self, items: &[Item], issues: &[Issue]) -> Outcome<S, T, ()> {
        self.tally.issues += issues.len() as u64;
        if items.is_empty() && issues.is_empty() {
            return Ok(());
        }
        let saved = self.store.save(self.run, items, issues).await;
        saved.map_err(Error::store(Phase::Plan))
    }

    /// Finds out where each object is, asking the directory for those the read did not show (S2), and compares.
    async fn establish(
        &mut self,
        rows: Vec<Row>,
        issues: &mut Vec<Issue>,
    ) -> Outcome<S, T, Vec<Compared>> {
        let missing: Vec<ObjectId> = rows
            .iter()
            .filter(|row| is_missing(row))
            .map(|row| row.object)
            .collect();
        let mut whereabouts = BTreeMap::new();
        if !missing.is_empty() {
            let answer = self.source.whereabouts(&missing).await;
            whereabouts.extend(answer.map_err(Error::source(Phase::Plan))?);
        }
        let mut compared = Vec::with_capacity(rows.len());
        for row in rows {
            let found = whereabouts.remove(&row.object);
            match place(&row, found) {
                Ok(Some(sighting)) => {
                    let change = diff(row.known.as_ref(), &sighting);
                    issues.extend(only_in_rotation_group(&row, &sighting));
                    compared.push(Compared {
                        row,
                        sighting,
                        change,
                    });
                }
                Ok(None) => {}
                Err(issue) => issues.push(issue),
            }
        }
        Ok(compared)
    }

    /// Keeps what is known of attributes that are absent only because they may not be read (S2).
    async fn keep_unreadable(&mut self, compared: &mut [Compared]) -> Outcome<S, T, ()> {
        let mut objects = Vec::new();
        let mut attributes = BTreeSet::new();
        for item in compared.iter() {
            let cleared = cleared(item.change.as_ref());
            if !cleared.is_empty() {
                objects.push(item.row.object);
                attributes.extend(cleared);
            }
        }
        if objects.is_empty() {
            return Ok(());
        }
        let attributes: Vec<Attribute> = attributes.into_iter().collect();
        let readable = self.source.readable(&objects, &attributes).await;
        let readable = readable.map_err(Error::source(Phase::Plan))?;
        let readable: BTreeMap<ObjectId, Vec<Attribute>> = readable.into_iter().collect();
        for item in compared {
            let may_read = readable.get(&item.row.object);
            let hidden = cleared(item.change.as_ref())
                .into_iter()
                .filter(|attribute| !may_read.is_some_and(|may| may.contains(attribute)));
            let hidden: Vec<Attribute> = hidden.collect();
            if let Sighting::Seen(seen) = &mut item.sighting
                && !hidden.is_empty()
            {
                seen.account.unreadable.extend(hidden);
                item.change = diff(item.row.known.as_ref(), &item.sighting);
            }
        }
        Ok(())
    }

    /// Leaves the items that a person approved: the same object, the same change, no weightier than they saw.
    async fn only_approved(&mut self, items: Vec<Item>) -> Outcome<S, T, Vec<Item>> {
        let objects: Vec<ObjectId> = items.iter().map(Item::object).collect();
        if objects.is_empty() {
            return Ok(items);
        }
        let approved = self.store.approved(self.run, &objects).await;
        let approved = approved.map_err(Error::store(Phase::Plan))?;
        let is_approved = |item: &Item| {
            let key = item.key();
            approved.iter().any(|approval| approval.covers(&key))
        };
        Ok(items.into_iter().filter(is_approved).collect())
    }
}

/// Whether the object is known to be there and the read did not show it.
fn is_missing(row: &Row) -> bool {
    let was_present = row.known.as_ref().is_some_and(|known| known.is_present());
    was_present && row.account.is_none() && !row.flawed
}

/// Whether what was read of groups takes the account out of one it was in.
fn seems_to_leave(row: &Row) -> bool {
    row.known.as_ref().is_some_and(|known| {
        (known.presence == Presence::Member && !row.membership.in_sync_group)
            || (known.in_rotation_group && !row.membership.in_rotation_group)
    })
}

/// Where an object is; nothing where there is nothing to compare, an issue where it cannot be told.
fn place(row: &Row, whereabouts: Option<Whereabouts>) -> Result<Option<Sighting>, Issue> {
    let seen = |account| {
        Sighting::Seen(Box::new(Seen {
            account,
            membership: row.membership,
        }))
    };
    if let Some(account) = &row.account {
        return Ok(Some(seen(account.clone())));
    }
    // The read said itself what is wrong with it.
    if row.flawed {
        return Ok(None);
    }
    if !is_missing(row) {
        let reason = "a member of the group is not an account of this domain and scope, or may not be read; it is left out";
        let outside = Issue::of(row.object, IssueCode::OutsideScope, reason);
        return if row.membership.is_any() {
            Err(outside)
        } else {
            Ok(None)
        };
    }
    let unconfirmed = |why: &str| {
        let reason =
            format!("the account was not in the read, and {why}; what is known of it is kept");
        Issue::of(row.object, IssueCode::Unconfirmed, reason)
    };
    match whereabouts {
        // It came, or moved while the directory was read. Memberships that only the account itself tells of (its primary
        // group) were not read either, so it cannot be said to have left.
        Some(Whereabouts::Present(_)) if seems_to_leave(row) => Err(unconfirmed(
            "is there all the same: it moved meanwhile, and the next run reads its memberships",
        )),
        Some(Whereabouts::Present(account)) => Ok(Some(seen(*account))),
        Some(Whereabouts::OutOfScope) => Ok(Some(Sighting::OutOfScope)),
        Some(Whereabouts::Deleted) => Ok(Some(Sighting::Deleted)),
        // The directory takes a deleted object out of its groups: what is still a member is hidden, not gone.
        Some(Whereabouts::Gone) if row.membership.is_any() => Err(unconfirmed(
            "cannot be found by its id although it is a member of the group: the connector's account may not see it",
        )),
        Some(Whereabouts::Gone) => Ok(Some(Sighting::Gone)),
        Some(Whereabouts::Unknown(why)) => Err(unconfirmed(&why)),
        None => Err(unconfirmed("the directory did not say where it is")),
    }
}

/// Members of the rotation group who are not in the sync group are not rotated, and it is shown why (S9).
fn only_in_rotation_group(row: &Row, sighting: &Sighting) -> Option<Issue> {
    let Sighting::Seen(seen) = sighting else {
        return None;
    };
    let alone = seen.membership.in_rotation_group && !seen.membership.in_sync_group;
    alone.then(|| {
        let reason = "a member of the rotation group but not of the sync group: its password is not changed until it is \
                      in both";
        Issue::of(row.object, IssueCode::RotationOnly, reason)
    })
}

/// The attributes a change would clear.
fn cleared(change: Option<&Change>) -> Vec<Attribute> {
    let fields = change.map_or(&[][..], |change| &change.fields);
    fields.iter().filter_map(FieldChange::cleared).collect()
}

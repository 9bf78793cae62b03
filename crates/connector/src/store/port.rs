//! One domain's part of the database, as the steps of a run see it.

use std::fmt;

use directory::{DomainId, ObjectId};
use jiff::Timestamp;
use storage::lease::{self, Lease};
use storage::{Sql, Transaction, params};
use sync::{
    Advance, Base, Batch, Counts, Expansion, FailureCode, HeldGroups, Identity, Issue, Item,
    ItemKey, Keep, Page, Pins, Record, Roots, Row, RunEvent, RunId, RunState,
};
use uuid::Uuid;

use super::doubt::GroupsInDoubt;
use super::outbox::Teller;
use super::{Error, Store, codec, domains, held, plan, runs, stage, view};
use crate::failure::{Failure, FailureReason};
use crate::source::Observed;

/// One domain's part of the store, for one run.
#[derive(Clone)]
pub struct DomainStore {
    store: Store,
    domain: DomainId,
    /// The revision of the group settings the run works with.
    group_revision: i64,
    lease: Lease,
    observed: Observed,
    /// Up to here the plan is applied: batches come in the order of object ids, and need not look at what is done.
    applied_to: Uuid,
}

impl DomainStore {
    pub(super) fn new(
        store: Store,
        domain: DomainId,
        group_revision: i64,
        lease: Lease,
        observed: Observed,
    ) -> Self {
        Self {
            store,
            domain,
            group_revision,
            lease,
            observed,
            applied_to: Uuid::nil(),
        }
    }

    /// A transaction that only the holder of the domain's lease can be in.
    async fn begin(&self) -> Result<Transaction, Error> {
        let mut tx = self.store.db.begin().await?;
        lease::assert_held(&mut tx, &self.lease).await?;
        Ok(tx)
    }

    /// Which groups of those that count may not have shown everything.
    pub async fn groups_in_doubt(
        &self,
        run: RunId,
        read: &sync::Read,
    ) -> Result<GroupsInDoubt, Error> {
        let mut tx = self.begin().await?;
        stage::sort(&mut tx, run).await?;
        let doubts = super::doubt::groups(&mut tx, &self.domain, run, read).await?;
        tx.commit().await?;
        Ok(doubts)
    }

    fn teller(&self) -> Teller<'_> {
        Teller {
            ids: &self.store.ids,
            now: self.store.clock.now(),
            domain: &self.domain,
        }
    }

    /// What to record of a failure that the steps of the run told in their own words.
    fn failure(&self, code: FailureCode, reason: &str) -> Failure {
        let lasting = |code, remedy: &str| Failure::lasting(code, reason, remedy);
        match code {
            FailureCode::Source => match &self.observed.notes().failure {
                Some(failure) => failure.clone(),
                None => lasting(FailureReason::Internal, "Report this."),
            },
            FailureCode::IdentityMismatch => lasting(
                FailureReason::DirectoryChanged,
                "Point the domain's servers back to its own directory, or add another domain for this one.",
            ),
            FailureCode::DirectoryTaken => lasting(
                FailureReason::DirectoryDuplicate,
                "Delete one of the two domains, or point this one to another directory.",
            ),
            FailureCode::GroupMissing => lasting(
                FailureReason::GroupMissing,
                "Create the group, give the account used to log on the right to read it, or set the domain's sync group to \
                 the right name.",
            ),
            FailureCode::GroupAmbiguous => lasting(
                FailureReason::GroupAmbiguous,
                "Rename all but one of the groups, or choose a group whose name is its own.",
            ),
            FailureCode::GroupChanged => lasting(
                FailureReason::GroupChanged,
                "Sync again, and decide on the new plan.",
            ),
            FailureCode::Incomplete => lasting(
                FailureReason::ReadIncomplete,
                "Sync again; report this if it repeats.",
            ),
        }
    }

    /// Ends well: what was read of groups and memberships is known from now on.
    async fn succeed(&self, tx: &mut Transaction, run: RunId) -> Result<(), Error> {
        stage::adopt(tx, &self.domain, run).await?;
        tx.execute(
            "UPDATE domains SET consecutive_failures = 0, last_success_run = $2,
                    last_success_at = (SELECT COALESCE(start_time, create_time) FROM runs WHERE run_id = $2)
             WHERE domain_id = $1",
            params![self.domain.as_str(), run.0],
        )
        .await?;
        tx.execute(
            "UPDATE domains SET cursor_mechanism = run.cursor_mechanism, cursor_server = run.cursor_server,
                    cursor_invocation = run.cursor_invocation, cursor_query_hash = run.cursor_query_hash,
                    cursor_position = run.cursor_position
             FROM runs AS run
             WHERE domains.domain_id = $1 AND run.run_id = $2 AND run.cursor_mechanism IS NOT NULL",
            params![self.domain.as_str(), run.0],
        )
        .await?;
        Ok(())
    }

    async fn keep_plan(
        &self,
        tx: &mut Transaction,
        run: RunId,
        counts: &Counts,
        reasons: &[sync::guard::Reason],
    ) -> Result<(), Error> {
        let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        tx.execute(
            // Why an approved plan was held is shown beside who approved it.
            "UPDATE runs SET planned_items = $2, planned_classes = $3,
                    hold_reasons = CASE WHEN $4 = '' THEN hold_reasons ELSE $4 END
             WHERE run_id = $1",
            params![
                run.0,
                codec::number(counts.items()),
                view::classes_text(counts),
                reasons.join("\n")
            ],
        )
        .await?;
        Ok(())
    }

    async fn keep_cursor(
        &self,
        tx: &mut Transaction,
        run: RunId,
        cursor: Option<&directory::Cursor>,
    ) -> Result<(), Error> {
        let Some(cursor) = cursor else { return Ok(()) };
        tx.execute(
            "UPDATE runs SET cursor_mechanism = $2, cursor_server = $3, cursor_invocation = $4, cursor_query_hash = $5,
                    cursor_position = $6
             WHERE run_id = $1",
            params![
                run.0,
                codec::mechanism_name(cursor),
                cursor.server.clone(),
                cursor.invocation,
                cursor.query_hash.to_vec(),
                cursor.position.clone()
            ],
        )
        .await?;
        Ok(())
    }

    /// A newer plan takes the place of those that still wait for a decision.
    async fn supersede(&self, tx: &mut Transaction, run: RunId) -> Result<(), Error> {
        let older = tx
            .query(
                "SELECT run_id FROM runs WHERE domain_id = $1 AND state = 'HELD' AND run_id < $2",
                params![self.domain.as_str(), run.0],
            )
            .await?;
        for row in older {
            let older = RunId(row.get("run_id")?);
            let state = runs::step(tx, older, RunEvent::Supersede, self.teller().now).await?;
            runs::tell(tx, self.teller(), older, state).await?;
        }
        Ok(())
    }
}

impl sync::Store for DomainStore {
    type Error = Error;

    async fn record(&mut self, run: RunId) -> Result<Record, Error> {
        let row = self
            .store
            .db
            .read()
            .await?
            .query_optional(
                "SELECT state, dry_run, held_sync_group, held_rotation_group FROM runs WHERE run_id = $1",
                params![run.0],
            )
            .await?
            .ok_or(Error::NoSuchRun)?;
        let group = |column: &'static str| -> Result<Option<ObjectId>, Error> {
            row.get::<Option<_>>(column)?.map(codec::object).transpose()
        };
        Ok(Record {
            state: view::state(&row)?,
            dry_run: row.get("dry_run")?,
            held_groups: HeldGroups {
                sync_group: group("held_sync_group")?,
                rotation_group: group("held_rotation_group")?,
            },
        })
    }

    async fn pins(&mut self) -> Result<Option<Pins>, Error> {
        domains::pins(
            &mut self.store.db.read().await?,
            &self.domain,
            self.group_revision,
        )
        .await
    }

    async fn owner_of(&mut self, identity: &Identity) -> Result<Option<DomainId>, Error> {
        domains::owner_of(&mut self.store.db.read().await?, &self.domain, identity).await
    }

    async fn reset(&mut self, run: RunId, keep: Keep) -> Result<(), Error> {
        self.applied_to = Uuid::nil();
        let mut tx = self.begin().await?;
        stage::clear(&mut tx, run).await?;
        let items = match keep {
            Keep::Nothing => "DELETE FROM plan_items WHERE run_id = $1",
            Keep::Approved => {
                "UPDATE plan_items SET ready = 0, applied = 0, number = 0 WHERE run_id = $1"
            }
        };
        for sql in [
            items,
            "DELETE FROM issues WHERE run_id = $1",
            "UPDATE runs SET read_pages = 0, read_accounts = 0, read_groups = 0, read_memberships = 0, read_members = 0,
                    applied_items = 0, issue_count = 0, cursor_mechanism = NULL, staged = 1
             WHERE run_id = $1",
        ] {
            tx.execute(sql, params![run.0]).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn stage(&mut self, run: RunId, page: &Page) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        stage::page(&mut tx, &self.domain, run, page).await?;
        tx.commit().await?;
        self.store.tell();
        Ok(())
    }

    async fn expand(&mut self, run: RunId, roots: Roots) -> Result<Expansion, Error> {
        let mut tx = self.begin().await?;
        let expansion = stage::expand(&mut tx, run, roots).await?;
        tx.commit().await?;
        self.store.tell();
        Ok(expansion)
    }

    async fn rows(
        &mut self,
        run: RunId,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        let mut db = self.store.db.read().await?;
        super::compare::rows(&mut db, &self.domain, run, after, limit).await
    }

    async fn base(&mut self) -> Result<Base, Error> {
        super::compare::base(&mut self.store.db.read().await?, &self.domain).await
    }

    async fn recent(&mut self, since: Timestamp) -> Result<Counts, Error> {
        super::compare::recent(&mut self.store.db.read().await?, &self.domain, since).await
    }

    async fn save(&mut self, run: RunId, items: &[Item], issues: &[Issue]) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        plan::save(&mut tx, &self.domain, run, items).await?;
        stage::issues(&mut tx, run, issues).await?;
        tx.commit().await?;
        self.store.tell();
        Ok(())
    }

    async fn approved(&mut self, run: RunId, objects: &[ObjectId]) -> Result<Vec<ItemKey>, Error> {
        plan::approved(&mut self.store.db.read().await?, run, objects).await
    }

    async fn advance(&mut self, run: RunId, to: &Advance) -> Result<(), Error> {
        let now = self.store.clock.now();
        let mut tx = self.begin().await?;
        let step = async |tx: &mut Transaction, event| runs::step(tx, run, event, now).await;
        let state = match to {
            Advance::Reading => step(&mut tx, RunEvent::Read).await?,
            Advance::Planning => step(&mut tx, RunEvent::Plan).await?,
            Advance::Held {
                counts,
                reasons,
                groups,
            } => {
                self.keep_plan(&mut tx, run, counts, reasons).await?;
                let known_groups = [groups.sync_group, groups.rotation_group]
                    .map(|group| group.map(|group| group.as_uuid()));
                let [sync_group, rotation_group] = known_groups;
                tx.execute(
                    "UPDATE runs SET held_sync_group = $2, held_rotation_group = $3 WHERE run_id = $1",
                    params![run.0, sync_group, rotation_group],
                )
                .await?;
                let waits_already = held::like(&mut tx, &self.domain, run).await?;
                let event = match waits_already {
                    true => RunEvent::Supersede,
                    false => RunEvent::Hold,
                };
                let state = step(&mut tx, event).await?;
                let expires = now
                    .saturating_add(RunState::HELD_FOR)
                    .unwrap_or(Timestamp::MAX);
                tx.execute(
                    "UPDATE runs SET expire_time = $2 WHERE run_id = $1",
                    params![run.0, expires],
                )
                .await?;
                // The read went well: what waits now is a person's decision.
                tx.execute(
                    "UPDATE domains SET consecutive_failures = 0 WHERE domain_id = $1",
                    params![self.domain.as_str()],
                )
                .await?;
                if waits_already {
                    // Nothing new to tell: the plan that is held stays as it was told.
                    tx.commit().await?;
                    self.store.tell();
                    return Ok(());
                }
                self.supersede(&mut tx, run).await?;
                state
            }
            Advance::DryRun { counts, reasons } => {
                let state = step(&mut tx, RunEvent::Show).await?;
                self.keep_plan(&mut tx, run, counts, reasons).await?;
                state
            }
            Advance::Applying {
                counts,
                pins,
                cursor,
                counted,
            } => {
                let state = step(&mut tx, RunEvent::Apply).await?;
                self.keep_plan(&mut tx, run, counts, &[]).await?;
                self.keep_cursor(&mut tx, run, cursor.as_ref()).await?;
                tx.execute(
                    "UPDATE runs SET apply_time = $2, counted = $3 WHERE run_id = $1",
                    params![run.0, now, *counted],
                )
                .await?;
                self.pin(&mut tx, pins).await?;
                self.supersede(&mut tx, run).await?;
                state
            }
            Advance::NothingToDo { pins, cursor } => {
                let state = step(&mut tx, RunEvent::FindNothing).await?;
                self.keep_plan(&mut tx, run, &Counts::default(), &[])
                    .await?;
                self.keep_cursor(&mut tx, run, cursor.as_ref()).await?;
                self.pin(&mut tx, pins).await?;
                self.succeed(&mut tx, run).await?;
                self.supersede(&mut tx, run).await?;
                state
            }
            Advance::Failed { code, reason } => {
                let failure = self.failure(*code, reason);
                runs::fail(&mut tx, self.teller(), run, &failure).await?;
                tx.commit().await?;
                self.store.tell();
                return Ok(());
            }
        };
        runs::tell(&mut tx, self.teller(), run, state).await?;
        tx.commit().await?;
        self.store.tell();
        Ok(())
    }

    async fn ready(&mut self, run: RunId, limit: usize) -> Result<Vec<Item>, Error> {
        let mut db = self.store.db.read().await?;
        plan::ready(&mut db, &self.domain, run, self.applied_to, limit).await
    }

    async fn apply(&mut self, run: RunId, items: &[Item], batch: Batch) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let row = tx
            .query_optional(
                "SELECT runs.state, domains.generation_base FROM runs
                 JOIN domains ON domains.domain_id = runs.domain_id WHERE run_id = $1",
                params![run.0],
            )
            .await?
            .ok_or(Error::NoSuchRun)?;
        let (state, base): (_, i64) = (view::state(&row)?, row.get("generation_base")?);
        if state != RunState::Applying {
            return Err(Error::Moved(state));
        }
        let stored = plan::store(&mut tx, &self.domain, items).await?;
        let changes = items
            .iter()
            .filter(|item| stored.contains(&item.object().as_uuid()))
            .map(|item| &item.change);
        self.teller().accounts(&mut tx, run, changes, base).await?;
        let objects = items.iter().map(|item| item.object().as_uuid());
        plan::mark(&mut tx, run, objects).await?;
        match batch {
            Batch::More => {}
            Batch::Last => {
                self.succeed(&mut tx, run).await?;
                let now = self.store.clock.now();
                let state = runs::step(&mut tx, run, RunEvent::Finish, now).await?;
                runs::tell(&mut tx, self.teller(), run, state).await?;
            }
        }
        tx.commit().await?;
        if let Some(last) = items.last() {
            self.applied_to = last.object().as_uuid();
        }
        self.store.tell();
        Ok(())
    }
}

impl DomainStore {
    async fn pin(&self, tx: &mut Transaction, pins: &Pins) -> Result<(), Error> {
        let shown = {
            let notes = self.observed.notes();
            domains::Shown {
                identity: notes.identity.clone(),
                sync_group: notes.groups.get(&pins.sync_group.id).cloned(),
                rotation_group: pins
                    .rotation_group
                    .as_ref()
                    .and_then(|group| notes.groups.get(&group.id).cloned()),
            }
        };
        domains::pin(tx, self.teller(), pins, shown, self.group_revision).await
    }
}

impl fmt::Debug for DomainStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DomainStore")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

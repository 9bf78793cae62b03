//! Whether a plan to be held says nothing new.

use std::collections::VecDeque;

use directory::{DomainId, ObjectId};
use storage::{Sql, Transaction, params};
use sync::{ChangeKind, Class, ItemKey, RunId};
use uuid::Uuid;

use super::{Error, codec};
use crate::worker::SCHEDULE;

/// Whether an older plan that waits for a decision asks the same as this run's, for the same reasons. Only of a run that
/// nobody asked for: who asks for a sync gets the plan of it.
///
/// What counts is what the guard counts, for it is what a person decides on: a password set meanwhile is no reason to take
/// the plan away from under their eyes. Approving reads again and applies what is true then.
pub(super) async fn like(
    tx: &mut Transaction,
    domain: &DomainId,
    run: RunId,
) -> Result<bool, Error> {
    let older = tx
        .query_optional(
            "SELECT held.run_id FROM runs AS held JOIN runs AS fresh ON fresh.run_id = $2
             WHERE held.domain_id = $1 AND held.state = 'HELD' AND held.run_id < $2
                   AND fresh.requested_by = $3 AND held.hold_reasons = fresh.hold_reasons
                   AND COALESCE(held.held_sync_group, '') = COALESCE(fresh.held_sync_group, '')
                   AND COALESCE(held.held_rotation_group, '') = COALESCE(fresh.held_rotation_group, '')
             ORDER BY held.run_id DESC LIMIT 1",
            params![domain.as_str(), run.0, SCHEDULE],
        )
        .await?;
    let Some(older) = older else { return Ok(false) };
    let mut older = Guarded::of(RunId(older.get("run_id")?));
    let mut fresh = Guarded::of(run);
    loop {
        match (older.next(tx).await?, fresh.next(tx).await?) {
            (None, None) => return Ok(true),
            (older, fresh) if older != fresh => return Ok(false),
            (Some(_), _) | (_, Some(_)) => {}
        }
    }
}

/// A plan's items as far as the guard counts them, in the order of object ids, a page at a time.
struct Guarded {
    run: RunId,
    after: Option<Uuid>,
    page: VecDeque<ItemKey>,
}

/// How many items are read at once.
const PAGE: i64 = 500;

impl Guarded {
    fn of(run: RunId) -> Self {
        Self {
            run,
            after: Some(Uuid::nil()),
            page: VecDeque::new(),
        }
    }

    async fn next(&mut self, tx: &mut Transaction) -> Result<Option<ItemKey>, Error> {
        let corrupt = || Error::Corrupt("plan item");
        loop {
            if let Some(key) = self.page.pop_front() {
                return Ok(Some(key));
            }
            let Some(after) = self.after.take() else {
                return Ok(None);
            };
            let rows = tx
                .query(
                    "SELECT object_id, kind, classes FROM plan_items
                     WHERE run_id = $1 AND object_id > $2 ORDER BY object_id LIMIT $3",
                    params![self.run.0, after, PAGE],
                )
                .await?;
            for row in &rows {
                let object: Uuid = row.get("object_id")?;
                self.after = Some(object);
                let object: ObjectId = codec::object(object)?;
                let kind: String = row.get("kind")?;
                let classes: String = row.get("classes")?;
                let mut classes = ItemKey::parse_classes(&classes).ok_or_else(corrupt)?;
                classes.retain(|class: &Class| class.is_guarded());
                if !classes.is_empty() {
                    self.page.push_back(ItemKey {
                        object,
                        kind: ChangeKind::from_name(&kind).ok_or_else(corrupt)?,
                        classes,
                    });
                }
            }
        }
    }
}

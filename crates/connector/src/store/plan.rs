//! The items of a plan: saved, listed, read back to be applied.

use std::collections::BTreeSet;

use api::connector::v1 as proto;
use directory::{DomainId, ObjectId};
use prost::Message;
use storage::{Bulk, Row, Sql, Transaction, params};
use sync::{Cause, Change, ChangeKind, Field, FieldChange, Item, ItemKey, Known, RunId, Standing};
use uuid::Uuid;

use super::{Error, codec};

static ITEMS: Bulk = Bulk::insert(
    "INSERT INTO plan_items (run_id, object_id, number, ready, applied, kind, classes, cause, before_presence,
         before_in_rotation_group, before_generation, changes, logon_name, generation, presence, in_rotation_group,
         disabled, state, unreadable)
     VALUES",
    19,
    "ON CONFLICT (run_id, object_id) DO UPDATE SET
         number = excluded.number, ready = excluded.ready, applied = excluded.applied, kind = excluded.kind,
         classes = excluded.classes, cause = excluded.cause, before_presence = excluded.before_presence,
         before_in_rotation_group = excluded.before_in_rotation_group,
         before_generation = excluded.before_generation, changes = excluded.changes,
         logon_name = excluded.logon_name, generation = excluded.generation, presence = excluded.presence,
         in_rotation_group = excluded.in_rotation_group, disabled = excluded.disabled, state = excluded.state,
         unreadable = excluded.unreadable",
);

static CREATED: Bulk = Bulk::insert(
    "INSERT INTO accounts (domain_id, object_id, generation, presence, in_rotation_group, disabled, state, unreadable)
     VALUES",
    8,
    "ON CONFLICT DO NOTHING RETURNING object_id",
);

static APPLIED: Bulk = Bulk::among(
    "UPDATE plan_items SET applied = 1 WHERE run_id = $1 AND applied = 0 AND object_id IN",
    1,
    "",
);

/// Saves items, each in place of what the run has for that object, numbered on.
pub(super) async fn save(
    tx: &mut Transaction,
    domain: &DomainId,
    RunId(run): RunId,
    items: &[Item],
) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    let row = tx
        .query_one(
            "SELECT COALESCE(MAX(number), 0) AS last FROM plan_items WHERE run_id = $1",
            params![run],
        )
        .await?;
    let last: i64 = row.get("last")?;
    let rows = (last + 1..).zip(items).map(|(number, item)| {
        let Change {
            kind,
            cause,
            before,
            fields,
            after,
        } = &item.change;
        params![
            run,
            item.object().as_uuid(),
            number,
            true,
            false,
            kind.name(),
            item.key().classes_text(),
            cause.map(Cause::name),
            before.map(|before| codec::presence_number(before.presence)),
            before.map(|before| before.in_rotation_group),
            before.map(|before| codec::number(before.generation)),
            changes(fields),
            after.account.logon_name.clone(),
            codec::number(after.generation),
            codec::presence_number(after.presence),
            after.in_rotation_group,
            after.account.state.disabled,
            codec::state(domain, &after.account),
            codec::attribute_names(&after.account.unreadable)
        ]
    });
    ITEMS.execute(tx, Vec::new(), rows).await?;
    Ok(())
}

fn changes(fields: &[FieldChange]) -> Vec<u8> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    proto::PlanItem {
        changes: fields
            .iter()
            .map(|change| proto::FieldChange {
                field: change.field.name().to_owned(),
                before: text(&change.before),
                after: text(&change.after),
            })
            .collect(),
        ..proto::PlanItem::default()
    }
    .encode_to_vec()
}

fn fields(changes: &[u8]) -> Result<Vec<FieldChange>, Error> {
    let corrupt = || Error::Corrupt("plan item");
    let value = |text: String| (!text.is_empty()).then_some(text);
    proto::PlanItem::decode(changes)
        .map_err(|_| corrupt())?
        .changes
        .into_iter()
        .map(|change| {
            Ok(FieldChange {
                field: Field::from_name(&change.field).ok_or_else(corrupt)?,
                before: value(change.before),
                after: value(change.after),
            })
        })
        .collect()
}

/// What a person approved of these objects.
pub(super) async fn approved(
    db: &mut impl Sql,
    RunId(run): RunId,
    objects: &[ObjectId],
) -> Result<Vec<ItemKey>, Error> {
    let mut keys = Vec::new();
    for object in objects {
        let row = db
            .query_optional(
                "SELECT kind, classes FROM plan_items WHERE run_id = $1 AND object_id = $2",
                params![run, object.as_uuid()],
            )
            .await?;
        let Some(row) = row else { continue };
        let (kind, classes): (String, String) = (row.get("kind")?, row.get("classes")?);
        keys.push(ItemKey {
            object: *object,
            kind: ChangeKind::from_name(&kind).ok_or(Error::Corrupt("plan item"))?,
            classes: ItemKey::parse_classes(&classes).ok_or(Error::Corrupt("plan item"))?,
        });
    }
    Ok(keys)
}

macro_rules! ready {
    ($before:literal) => {
        concat!(
            $before,
            "SELECT object_id, kind, cause, before_presence, before_in_rotation_group, before_generation, changes,
                    generation, presence, in_rotation_group, state, unreadable
             FROM plan_items WHERE run_id = $1 AND object_id > $2 AND ready = 1 AND applied = 0
             ORDER BY object_id LIMIT $3"
        )
    };
}

/// Items after `after` that are ready and not applied, in the order of object ids.
pub(super) async fn ready(
    db: &mut impl Sql,
    domain: &DomainId,
    RunId(run): RunId,
    after: Uuid,
    limit: usize,
) -> Result<Vec<Item>, Error> {
    let rows = db
        .query(ready!(""), params![run, after, codec::number(limit as u64)])
        .await?;
    rows.iter().map(|row| item(domain, row)).collect()
}

fn item(domain: &DomainId, row: &Row) -> Result<Item, Error> {
    let corrupt = || Error::Corrupt("plan item");
    let kind: String = row.get("kind")?;
    let cause: Option<String> = row.get("cause")?;
    let before_presence: Option<i64> = row.get("before_presence")?;
    let before_in_rotation: Option<bool> = row.get("before_in_rotation_group")?;
    let before_generation: Option<u64> = row.get("before_generation")?;
    let before = match (before_presence, before_in_rotation, before_generation) {
        (Some(presence), Some(in_rotation_group), Some(generation)) => Some(Standing {
            presence: codec::presence(presence)?,
            in_rotation_group,
            generation,
        }),
        _ => None,
    };
    let cause = match cause {
        Some(name) => Some(Cause::from_name(&name).ok_or_else(corrupt)?),
        None => None,
    };
    Ok(Change {
        kind: ChangeKind::from_name(&kind).ok_or_else(corrupt)?,
        cause,
        before,
        fields: fields(&row.get::<Vec<u8>>("changes")?)?,
        after: known(domain, codec::object(row.get("object_id")?)?, row)?,
    }
    .into())
}

/// An account with what surrounds it, from columns named as in `accounts`.
pub(super) fn known(domain: &DomainId, object: ObjectId, row: &Row) -> Result<Known, Error> {
    let (state, unreadable): (Vec<u8>, String) = (row.get("state")?, row.get("unreadable")?);
    Ok(Known {
        account: codec::account(domain, object, &state, &unreadable)?,
        presence: codec::presence(row.get("presence")?)?,
        in_rotation_group: row.get("in_rotation_group")?,
        generation: row.get("generation")?,
    })
}

/// Stores accounts' new states, and returns those that were stored: not one that moved on since it was planned.
pub(super) async fn store(
    tx: &mut Transaction,
    domain: &DomainId,
    items: &[Item],
) -> Result<BTreeSet<Uuid>, Error> {
    let values = |after: &Known| {
        params![
            domain.as_str(),
            after.account.id.as_uuid(),
            codec::number(after.generation),
            codec::presence_number(after.presence),
            after.in_rotation_group,
            after.account.state.disabled,
            codec::state(domain, &after.account),
            codec::attribute_names(&after.account.unreadable)
        ]
    };
    let created = items
        .iter()
        .filter(|item| item.change.before.is_none())
        .map(|item| values(&item.change.after));
    let mut stored = BTreeSet::new();
    for row in CREATED.query(tx, Vec::new(), created).await? {
        stored.insert(row.get("object_id")?);
    }
    for item in items {
        let Some(before) = item.change.before else {
            continue;
        };
        let mut values = values(&item.change.after);
        values.extend(params![codec::number(before.generation)]);
        let written = tx
            .execute(
                "UPDATE accounts SET generation = $3, presence = $4, in_rotation_group = $5, disabled = $6, state = $7,
                     unreadable = $8
                 WHERE domain_id = $1 AND object_id = $2 AND generation = $9",
                values,
            )
            .await?;
        if written > 0 {
            stored.insert(item.object().as_uuid());
        }
    }
    Ok(stored)
}

/// Marks items done.
pub(super) async fn mark(
    tx: &mut Transaction,
    RunId(run): RunId,
    objects: impl Iterator<Item = Uuid>,
) -> Result<(), Error> {
    let objects = objects.map(|object| params![object]);
    let marked = APPLIED.execute(tx, params![run], objects).await?;
    tx.execute(
        "UPDATE runs SET applied_items = applied_items + $2 WHERE run_id = $1",
        params![run, codec::number(marked)],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use storage::{Database, Settings};

    use super::*;

    /// Or a plan of n items would take n² steps. SQLite alone: its planner keeps no statistics.
    #[tokio::test]
    async fn a_batch_does_not_look_at_what_earlier_ones_applied() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::at(dir.path().join("connector.db"));
        let db = Database::open_migrated(&settings, &crate::MIGRATIONS)
            .await
            .unwrap();

        let rows = db
            .read()
            .await
            .unwrap()
            .query(
                ready!("EXPLAIN QUERY PLAN "),
                params![Uuid::nil(), Uuid::nil(), 500],
            )
            .await
            .unwrap();

        let steps: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();
        assert_eq!(steps.len(), 1, "{steps:?}");
        assert!(steps[0].contains("(run_id=? AND object_id>?)"), "{steps:?}");
        db.close().await;
    }
}

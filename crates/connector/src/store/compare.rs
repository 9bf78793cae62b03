//! Known and seen side by side, page by page in the order of object ids: memory doesn't grow with the directory.

use directory::{DomainId, ObjectId};
use jiff::Timestamp;
use storage::{Sql, params};
use sync::{Base, Counts, Membership, Row, RunId};
use uuid::Uuid;

use super::{Error, codec, plan, view};

/// Present accounts (1 member, 2 rotation only) and everyone in one of the two groups.
pub(super) async fn rows(
    db: &mut impl Sql,
    domain: &DomainId,
    RunId(run): RunId,
    after: Option<ObjectId>,
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let after = after.map_or(Uuid::nil(), |object| object.as_uuid());
    let rows = db
        .query(
            "SELECT object.object_id, known.generation, known.presence, known.in_rotation_group, known.state,
                    known.unreadable, seen.state AS seen_state, seen.unreadable AS seen_unreadable,
                    COALESCE(member.in_sync_group, 0) AS is_in_sync_group,
                    COALESCE(member.in_rotation_group, 0) AS is_in_rotation_group,
                    CASE WHEN seen.object_id IS NULL AND flawed.object_id IS NOT NULL THEN 1 ELSE 0 END AS is_flawed
             FROM (SELECT object_id FROM accounts
                   WHERE domain_id = $1 AND presence IN (1, 2) AND object_id > $3
                   UNION
                   SELECT object_id FROM seen_members WHERE run_id = $2 AND object_id > $3
                   ORDER BY object_id LIMIT $4) object
             LEFT JOIN accounts known ON known.domain_id = $1 AND known.object_id = object.object_id
             LEFT JOIN seen_accounts seen ON seen.run_id = $2 AND seen.object_id = object.object_id
             LEFT JOIN seen_members member ON member.run_id = $2 AND member.object_id = object.object_id
             LEFT JOIN seen_flawed flawed ON flawed.run_id = $2 AND flawed.object_id = object.object_id
             ORDER BY object.object_id",
            params![domain.as_str(), run, after, codec::number(limit as u64)],
        )
        .await?;
    rows.iter().map(|found| row(domain, found)).collect()
}

fn row(domain: &DomainId, row: &storage::Row) -> Result<Row, Error> {
    let object = codec::object(row.get("object_id")?)?;
    let known = match row.get::<Option<i64>>("generation")? {
        Some(_) => Some(plan::known(domain, object, row)?),
        None => None,
    };
    let account = match row.get::<Option<Vec<u8>>>("seen_state")? {
        Some(state) => {
            let unreadable: String = row.get("seen_unreadable")?;
            Some(codec::account(domain, object, &state, &unreadable)?)
        }
        None => None,
    };
    Ok(Row {
        object,
        known,
        account,
        membership: Membership {
            in_sync_group: row.get("is_in_sync_group")?,
            in_rotation_group: row.get("is_in_rotation_group")?,
        },
        flawed: row.get("is_flawed")?,
    })
}

/// What the guard measures a plan against.
pub(super) async fn base(db: &mut impl Sql, domain: &DomainId) -> Result<Base, Error> {
    let row = db
        .query_one(
            "SELECT COUNT(*) AS known,
                    COALESCE(SUM(CASE WHEN presence = 1 AND disabled = 0 THEN 1 ELSE 0 END), 0) AS active,
                    COALESCE(SUM(CASE WHEN presence = 1 THEN 1 ELSE 0 END), 0) AS sync_members,
                    COALESCE(SUM(CASE WHEN in_rotation_group = 1 THEN 1 ELSE 0 END), 0) AS rotation_members
             FROM accounts WHERE domain_id = $1",
            params![domain.as_str()],
        )
        .await?;
    Ok(Base {
        known: row.get("known")?,
        active: row.get("active")?,
        sync_members: row.get("sync_members")?,
        rotation_members: row.get("rotation_members")?,
    })
}

/// What was applied since, by runs whose changes are counted. One that is still applying, or was stopped in it, counts
/// whole.
pub(super) async fn recent(
    db: &mut impl Sql,
    domain: &DomainId,
    since: Timestamp,
) -> Result<Counts, Error> {
    let rows = db
        .query(
            "SELECT planned_items, planned_classes FROM runs
             WHERE domain_id = $1 AND counted = 1 AND COALESCE(end_time, apply_time) >= $2",
            params![domain.as_str(), since],
        )
        .await?;
    let mut items = 0;
    let mut classes = Vec::new();
    for row in &rows {
        let planned: u64 = row.get("planned_items")?;
        let counts = view::counts(planned, &row.get::<String>("planned_classes")?)?;
        items += planned;
        classes.extend(counts.iter());
    }
    Ok(Counts::from_parts(items, classes))
}

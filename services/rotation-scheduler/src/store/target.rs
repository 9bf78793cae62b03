//! Targets, and whether they are there. Presence is by the database's clock: replicas agree on it.

use jiff::Timestamp;
use sealing::{PresenceKey, TargetKey};
use storage::{Row, Sql, Transaction, params};
use uuid::Uuid;

use super::{Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetRow {
    pub(crate) id: Uuid,
    pub(crate) employee: Uuid,
    pub(crate) display_name: String,
    pub(crate) sealing_key: TargetKey,
    pub(crate) signing_key: PresenceKey,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    pub(crate) revoked: Option<Timestamp>,
    /// When it last proved its presence.
    pub(crate) seen: Option<Timestamp>,
    pub(crate) is_present: bool,
}

fn from_row(row: &Row) -> Result<TargetRow> {
    let id: Uuid = row.get("id")?;
    let corrupt = || StoreError::corrupt("target", id);
    Ok(TargetRow {
        id,
        employee: row.get("employee_id")?,
        display_name: row.get("display_name")?,
        sealing_key: TargetKey::from_bytes(&row.get::<Vec<u8>>("sealing_key")?)
            .map_err(|_| corrupt())?,
        signing_key: PresenceKey::from_bytes(&row.get::<Vec<u8>>("signing_key")?)
            .map_err(|_| corrupt())?,
        created: row.get("created")?,
        created_by: row.get("created_by")?,
        revoked: row.get("revoked")?,
        seen: row.get("present")?,
        is_present: row.get::<i64>("is_present")? != 0,
    })
}

/// Whether it was new: no two targets share a key.
pub(crate) async fn insert_target(tx: &mut Transaction, row: &TargetRow) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO target (id, employee_id, display_name, sealing_key, signing_key, created, created_by,
                 present_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT DO NOTHING",
            params![
                row.id,
                row.employee,
                row.display_name.as_str(),
                row.sealing_key.to_bytes().as_slice(),
                row.signing_key.to_bytes().as_slice(),
                row.created,
                row.created_by.as_str(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

pub(crate) async fn target(sql: &mut impl Sql, id: Uuid) -> Result<Option<TargetRow>> {
    let row = sql
        .query_optional(
            "SELECT target.*,
                 CASE WHEN present_until > CAST(unixepoch('subsec') * 1000000 AS BIGINT) THEN 1 ELSE 0 END AS is_present
             FROM target WHERE id = $1",
            params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The employee's targets that are not revoked.
pub(crate) async fn targets_of_employee(
    sql: &mut impl Sql,
    employee: Uuid,
) -> Result<Vec<TargetRow>> {
    let rows = sql
        .query(
            "SELECT target.*,
                 CASE WHEN present_until > CAST(unixepoch('subsec') * 1000000 AS BIGINT) THEN 1 ELSE 0 END AS is_present
             FROM target WHERE employee_id = $1 AND revoked IS NULL ORDER BY id",
            params![employee],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

pub(crate) async fn targets_page(
    sql: &mut impl Sql,
    employee: &str,
    show_revoked: bool,
    after: &str,
    limit: i64,
) -> Result<Vec<TargetRow>> {
    let rows = sql
        .query(
            "SELECT target.*,
                 CASE WHEN present_until > CAST(unixepoch('subsec') * 1000000 AS BIGINT) THEN 1 ELSE 0 END AS is_present
             FROM target
             WHERE ($1 = '' OR employee_id = $1) AND ($2 = 1 OR revoked IS NULL) AND id > $3 ORDER BY id LIMIT $4",
            params![employee, show_revoked, after, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Revokes it, with what was sealed to it.
pub(crate) async fn put_revoked(tx: &mut Transaction, id: Uuid, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE target SET revoked = $2, present_until = 0, session = NULL WHERE id = $1",
        params![id, now],
    )
    .await?;
    tx.execute("DELETE FROM delivery WHERE target_id = $1", params![id])
        .await?;
    Ok(())
}

/// A target has proven that it is there, on this stream, which counts for a while.
pub(crate) async fn prove_presence(
    tx: &mut Transaction,
    id: Uuid,
    session: Uuid,
    now: Timestamp,
    counts_for: std::time::Duration,
) -> Result<()> {
    tx.execute(
        "UPDATE target SET present = $3, session = $2,
             present_until = CAST(unixepoch('subsec') * 1000000 AS BIGINT) + $4
         WHERE id = $1",
        params![
            id,
            session,
            now,
            i64::try_from(counts_for.as_micros()).unwrap_or(i64::MAX)
        ],
    )
    .await?;
    Ok(())
}

/// The stream has ended: unless the target came by another one, it is not there any more.
pub(crate) async fn leave(tx: &mut Transaction, id: Uuid, session: Uuid) -> Result<()> {
    tx.execute(
        "UPDATE target SET present_until = 0, session = NULL WHERE id = $1 AND session = $2",
        params![id, session],
    )
    .await?;
    Ok(())
}

/// Whether one of the employee's targets is there.
pub(crate) async fn has_present_target(sql: &mut impl Sql, employee: Uuid) -> Result<bool> {
    let row = sql
        .query_one(
            "SELECT EXISTS (SELECT 1 FROM target WHERE employee_id = $1 AND revoked IS NULL
                              AND present_until > CAST(unixepoch('subsec') * 1000000 AS BIGINT)) AS found",
            params![employee],
        )
        .await?;
    Ok(row.get::<i64>("found")? != 0)
}

/// Whether a target is there that has stored this candidate.
pub(crate) async fn is_acceptor_present(
    sql: &mut impl Sql,
    (domain, object): (&str, Uuid),
    generation: u64,
    candidate: u32,
) -> Result<bool> {
    let row = sql
        .query_one(
            "SELECT EXISTS (SELECT 1 FROM delivery JOIN target ON target.id = delivery.target_id
                            WHERE delivery.domain_id = $1 AND delivery.object_id = $2 AND delivery.generation = $3
                              AND delivery.candidate = $4 AND delivery.accepted IS NOT NULL AND target.revoked IS NULL
                              AND target.present_until > CAST(unixepoch('subsec') * 1000000 AS BIGINT)) AS found",
            params![
                domain,
                object,
                i64::try_from(generation).unwrap_or(i64::MAX),
                candidate
            ],
        )
        .await?;
    Ok(row.get::<i64>("found")? != 0)
}

//! The audit log's table.

use std::collections::BTreeMap;

use jiff::Timestamp;
use storage::{Row, Sql, Transaction, params};
use uuid::Uuid;

use super::{Result, StoreError};
use crate::audit::{Entry, Hash, Outcome, Record};

/// Writes an event behind the newest one, in the transaction of the change it tells of. The head's row is taken first,
/// so that writers wait for one another and no sequence number is given twice or left out.
pub(crate) async fn append(tx: &mut Transaction, record: Record) -> Result<()> {
    let head = tx
        .query_one(
            "UPDATE audit_head SET sequence = sequence + 1 WHERE id = 1 RETURNING sequence, hash",
            params![],
        )
        .await?;
    let sequence: i64 = head.get("sequence")?;
    let previous = hash(&head, sequence)?;
    let entry = Entry {
        sequence,
        time: Timestamp::from_microsecond(record.time.as_microsecond()).unwrap_or(record.time),
        actor: record.actor,
        action: record.action.into_owned(),
        resource: record.resource,
        outcome: record.outcome,
        details: record.details,
    };
    let hash = entry.hash(&previous);
    let details = serde_json::to_string(&entry.details)
        .map_err(|_| StoreError::corrupt("audit event", sequence))?;
    tx.execute(
        "INSERT INTO audit_event (sequence, time, actor, action, resource, outcome, details, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            sequence,
            entry.time,
            entry.actor.as_str(),
            entry.action.as_str(),
            entry.resource.as_str(),
            i64::from(entry.outcome.number()),
            details.as_str(),
            hash.0.as_slice()
        ],
    )
    .await?;
    tx.execute(
        "UPDATE audit_head SET hash = $1 WHERE id = 1",
        params![hash.0.as_slice()],
    )
    .await?;
    Ok(())
}

/// Notes that an event of another service is in the log. Whether it was not there before.
pub(crate) async fn note_told(tx: &mut Transaction, event: Uuid, now: Timestamp) -> Result<bool> {
    let noted = tx
        .execute(
            "INSERT INTO told_audit (event_id, told) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            params![event, now],
        )
        .await?;
    Ok(noted == 1)
}

/// Forgets events that the bus does not keep any more.
pub(crate) async fn forget_told(tx: &mut Transaction, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM told_audit WHERE told < $1", params![before])
        .await?;
    Ok(())
}

/// Sequence number and hash of the newest event.
pub(crate) async fn head(sql: &mut impl Sql) -> Result<(i64, Hash)> {
    let row = sql
        .query_one(
            "SELECT sequence, hash FROM audit_head WHERE id = 1",
            params![],
        )
        .await?;
    let sequence = row.get("sequence")?;
    Ok((sequence, hash(&row, sequence)?))
}

/// Oldest first. An event that can't be read is an error of its own, for the verifier to report.
pub(crate) async fn events_after(
    sql: &mut impl Sql,
    sequence: i64,
    limit: i64,
) -> Result<Vec<Result<(Entry, Hash)>>> {
    let rows = sql
        .query(
            "SELECT * FROM audit_event WHERE sequence > $1 ORDER BY sequence LIMIT $2",
            params![sequence, limit],
        )
        .await?;
    Ok(rows.iter().map(from_row).collect())
}

/// Newest first; of `resource` and what is below it, where given.
pub(crate) async fn events_before(
    sql: &mut impl Sql,
    sequence: i64,
    resource: &str,
    limit: i64,
) -> Result<Vec<(Entry, Hash)>> {
    let rows = if resource.is_empty() {
        sql.query(
            "SELECT * FROM audit_event WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2",
            params![sequence, limit],
        )
        .await?
    } else {
        // Each half by the index of resources; in one condition they would be a walk through the whole log. `0` is the
        // character behind `/`: between the two is everything below the resource.
        let (below, behind) = (format!("{resource}/"), format!("{resource}0"));
        sql.query(
            "SELECT * FROM audit_event WHERE sequence IN (
                 SELECT sequence FROM (SELECT sequence FROM audit_event WHERE resource = $2 AND sequence < $1
                                       ORDER BY sequence DESC LIMIT $5) AS itself
                 UNION ALL
                 SELECT sequence FROM (SELECT sequence FROM audit_event WHERE resource > $3 AND resource < $4
                                       AND sequence < $1 ORDER BY sequence DESC LIMIT $5) AS below)
             ORDER BY sequence DESC LIMIT $5",
            params![sequence, resource, below, behind, limit],
        )
        .await?
    };
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<(Entry, Hash)> {
    let sequence: i64 = row.get("sequence")?;
    let corrupt = || StoreError::corrupt("audit event", sequence);
    let details: BTreeMap<String, String> =
        serde_json::from_str(&row.get::<String>("details")?).map_err(|_| corrupt())?;
    let entry = Entry {
        sequence,
        time: row.get("time")?,
        actor: row.get("actor")?,
        action: row.get("action")?,
        resource: row.get("resource")?,
        outcome: Outcome::from_number(row.get("outcome")?).ok_or_else(corrupt)?,
        details,
    };
    Ok((entry, hash(row, sequence)?))
}

fn hash(row: &Row, sequence: i64) -> Result<Hash> {
    row.get::<Vec<u8>>("hash")?
        .try_into()
        .map(Hash)
        .map_err(|_| StoreError::corrupt("audit event", sequence))
}

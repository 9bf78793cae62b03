//! Rotations. What may still be sent stands in one row, and one account has one that has not ended (R3).

use directory::{AccountKey, DomainId};
use jiff::Timestamp;
use rotation::{AbortReason, Rotation, State};
use storage::{Row, Sql, Transaction, params};
use uuid::Uuid;

use super::{Result, StoreError, count};
use crate::names;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RotationRow {
    pub(crate) id: Uuid,
    /// The AD domain's GUID, or the tenant id.
    pub(crate) directory: String,
    pub(crate) account: AccountKey,
    pub(crate) employee: Uuid,
    pub(crate) logon_name: String,
    pub(crate) asked_by: Option<String>,
    pub(crate) revision: i64,
    pub(crate) created: Timestamp,
    pub(crate) rotation: Rotation,
    /// What the connector gave for the account when it was read.
    pub(crate) anchor: Option<Vec<u8>>,
    /// The policy that the candidate was made for.
    pub(crate) policy: String,
    /// When the account was read for it.
    pub(crate) prepared: Option<Timestamp>,
    pub(crate) value: Option<SealedValue>,
}

/// A candidate, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedValue {
    pub(crate) key_id: String,
    pub(crate) sealed: Vec<u8>,
}

fn from_row(row: &Row) -> Result<RotationRow> {
    let (id, domain): (Uuid, String) = (row.get("id")?, row.get("domain_id")?);
    let object: String = row.get("object_id")?;
    let corrupt = || StoreError::corrupt("rotation", id);
    let number =
        |column| -> Result<u32> { u32::try_from(row.get::<i64>(column)?).map_err(|_| corrupt()) };
    let truth = |column| -> Result<bool> { Ok(row.get::<i64>(column)? != 0) };
    let (state, reason): (String, String) = (row.get("state")?, row.get("reason")?);
    let stop: Option<String> = row.get("stop")?;
    let parked: Option<String> = row.get("parked")?;
    let rotation = Rotation {
        generation: row
            .get::<i64>("generation")?
            .try_into()
            .map_err(|_| corrupt())?,
        state: names::parse_state(&state, &reason, stop.as_deref()).ok_or_else(corrupt)?,
        candidate: number("candidate")?,
        accepted: truth("accepted")?,
        sends: number("sends")?,
        acked: number("acked")?,
        doubtful: number("doubtful")?,
        refused: number("refused")?,
        tries: number("tries")?,
        parked: parked
            .map(|stop| names::parse_stop(&stop).ok_or_else(corrupt))
            .transpose()?,
        settling: truth("settling")?,
        released: truth("released")?,
        last_send: row.get("last_send")?,
        since: row.get("since")?,
        wake: row.get("wake")?,
    };
    let sealed: Option<Vec<u8>> = row.get("sealed")?;
    Ok(RotationRow {
        id,
        directory: row.get("directory_id")?,
        account: AccountKey {
            domain: domain.parse().map_err(|_| corrupt())?,
            object: object.parse().map_err(|_| corrupt())?,
        },
        employee: row.get("employee_id")?,
        logon_name: row.get("logon_name")?,
        asked_by: row.get("asked_by")?,
        revision: row.get("revision")?,
        created: row.get("created")?,
        rotation,
        anchor: row.get("anchor")?,
        policy: row.get("policy")?,
        prepared: row.get("prepared")?,
        value: sealed
            .map(|sealed| {
                Ok::<_, StoreError>(SealedValue {
                    key_id: row.get("key_id")?,
                    sealed,
                })
            })
            .transpose()?,
    })
}

fn reason(state: State) -> &'static str {
    match state {
        State::Held(held) => names::held(held).as_str_name(),
        State::Aborted(abort) => names::abort(abort).as_str_name(),
        State::Planned
        | State::Prepared
        | State::Sent
        | State::Acked
        | State::Unknown
        | State::Committed
        | State::Confirmed
        | State::Closed => "",
    }
}

fn stop(state: State) -> Option<&'static str> {
    match state {
        State::Aborted(AbortReason::Stopped(stop)) => Some(names::stop(stop).as_str_name()),
        State::Planned
        | State::Prepared
        | State::Sent
        | State::Acked
        | State::Unknown
        | State::Committed
        | State::Confirmed
        | State::Held(_)
        | State::Closed
        | State::Aborted(_) => None,
    }
}

/// Writes a new one. Whether there was room for it: an account has one that has not ended (R3).
pub(crate) async fn insert_rotation(tx: &mut Transaction, row: &RotationRow) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO rotation (id, directory_id, object_id, domain_id, employee_id, logon_name, asked_by, revision,
                 is_open, generation, state, reason, candidate, accepted, sends, acked, doubtful, refused, tries,
                 settling, released, since, wake, created, policy)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, '', 0, 0, 0, 0, 0, 0, 0, 0, 0, $11, $12, $13, '')
             ON CONFLICT DO NOTHING",
            params![
                row.id,
                row.directory.as_str(),
                row.account.object.as_uuid(),
                row.account.domain.as_str(),
                row.employee,
                row.logon_name.as_str(),
                row.asked_by.as_deref(),
                row.revision,
                i64::try_from(row.rotation.generation).unwrap_or(i64::MAX),
                names::state(row.rotation.state).as_str_name(),
                row.rotation.since,
                row.rotation.wake,
                row.created,
            ],
        )
        .await?;
    Ok(inserted == 1)
}

pub(crate) async fn put_rotation(tx: &mut Transaction, row: &RotationRow) -> Result<()> {
    let rotation = &row.rotation;
    tx.execute(
        "UPDATE rotation SET revision = $2, is_open = $3, state = $4, reason = $5, stop = $6, candidate = $7,
             accepted = $8, sends = $9, acked = $10, doubtful = $11, refused = $12, tries = $13, parked = $14,
             settling = $15, released = $16, last_send = $17, since = $18, wake = $19, anchor = $20, policy = $21,
             prepared = $22, sealed = $23, key_id = $24, asked_by = $25, employee_id = $26
         WHERE id = $1",
        params![
            row.id,
            row.revision,
            !rotation.is_over(),
            names::state(rotation.state).as_str_name(),
            reason(rotation.state),
            stop(rotation.state),
            rotation.candidate,
            rotation.accepted,
            rotation.sends,
            rotation.acked,
            rotation.doubtful,
            rotation.refused,
            rotation.tries,
            rotation.parked.map(|stop| names::stop(stop).as_str_name()),
            rotation.settling,
            rotation.released,
            rotation.last_send,
            rotation.since,
            rotation.wake,
            row.anchor.clone(),
            row.policy.as_str(),
            row.prepared,
            row.value.as_ref().map(|value| value.sealed.clone()),
            row.value.as_ref().map(|value| value.key_id.as_str()),
            row.asked_by.as_deref(),
            row.employee,
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn rotation(sql: &mut impl Sql, id: Uuid) -> Result<Option<RotationRow>> {
    let row = sql
        .query_optional("SELECT * FROM rotation WHERE id = $1", params![id])
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The account's rotation that has not ended.
pub(crate) async fn open_rotation_of(
    sql: &mut impl Sql,
    key: &AccountKey,
) -> Result<Option<RotationRow>> {
    let row = sql
        .query_optional(
            "SELECT * FROM rotation WHERE domain_id = $1 AND object_id = $2 AND is_open = 1",
            params![key.domain.as_str(), key.object.as_uuid()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Rotations under way that are to be looked at, the longest waiting first. Those that are only planned are not among
/// them.
pub(crate) async fn open_rotations_to_do(
    sql: &mut impl Sql,
    domain: &DomainId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<RotationRow>> {
    let rows = sql
        .query(
            "SELECT * FROM rotation
             WHERE domain_id = $1 AND is_open = 1 AND wake <= $2 AND state <> 'ROTATION_STATE_PLANNED'
             ORDER BY wake LIMIT $3",
            params![domain.as_str(), now, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Planned rotations one of whose targets is there, the longest waiting first.
pub(crate) async fn planned_to_prepare(
    sql: &mut impl Sql,
    domain: &DomainId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let rows = sql
        .query(
            "SELECT id FROM rotation
             WHERE domain_id = $1 AND is_open = 1 AND wake <= $2 AND state = 'ROTATION_STATE_PLANNED'
               AND EXISTS (SELECT 1 FROM target WHERE target.employee_id = rotation.employee_id
                             AND target.revoked IS NULL
                             AND target.present_until > CAST(unixepoch('subsec') * 1000000 AS BIGINT))
             ORDER BY created LIMIT $3",
            params![domain.as_str(), now, limit],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get("id")?)).collect()
}

/// Planned rotations that nobody came for since a time, and that are to be told of.
pub(crate) async fn planned_to_tell(
    sql: &mut impl Sql,
    domain: &DomainId,
    (now, before): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<Uuid>> {
    let rows = sql
        .query(
            "SELECT id FROM rotation
             WHERE domain_id = $1 AND is_open = 1 AND wake <= $2 AND state = 'ROTATION_STATE_PLANNED' AND since <= $3
             ORDER BY wake LIMIT $4",
            params![domain.as_str(), now, before, limit],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get("id")?)).collect()
}

/// When, after `now`, the next rotation that is under way is to be looked at.
pub(crate) async fn next_wake_after(
    sql: &mut impl Sql,
    domain: &DomainId,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let row = sql
        .query_optional(
            "SELECT wake FROM rotation
             WHERE domain_id = $1 AND is_open = 1 AND state <> 'ROTATION_STATE_PLANNED' AND wake > $2
             ORDER BY wake LIMIT 1",
            params![domain.as_str(), now],
        )
        .await?;
    Ok(row.map(|row| row.get("wake")).transpose()?)
}

/// A target of the employee has come: what waits for one is looked at now.
pub(crate) async fn wake_planned_of_employee(
    tx: &mut Transaction,
    employee: Uuid,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE rotation SET wake = $2
         WHERE employee_id = $1 AND is_open = 1 AND wake > $2 AND parked IS NULL
           AND (state = 'ROTATION_STATE_PLANNED' OR state = 'ROTATION_STATE_PREPARED' AND sends = 0)",
        params![employee, now],
    )
    .await?;
    Ok(())
}

/// Between prepared and confirmed.
pub(crate) async fn count_under_way(sql: &mut impl Sql, domain: &DomainId) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM rotation
             WHERE domain_id = $1 AND is_open = 1
               AND state IN ('ROTATION_STATE_PREPARED', 'ROTATION_STATE_SENT', 'ROTATION_STATE_ACKED',
                             'ROTATION_STATE_UNKNOWN', 'ROTATION_STATE_COMMITTED')",
            params![domain.as_str()],
        )
        .await?;
    count(&row)
}

/// The same, of those whose candidate was made for one policy.
pub(crate) async fn count_under_way_for(
    sql: &mut impl Sql,
    domain: &DomainId,
    policy: &str,
) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM rotation
             WHERE domain_id = $1 AND is_open = 1 AND policy = $2
               AND state IN ('ROTATION_STATE_PREPARED', 'ROTATION_STATE_SENT', 'ROTATION_STATE_ACKED',
                             'ROTATION_STATE_UNKNOWN', 'ROTATION_STATE_COMMITTED')",
            params![domain.as_str(), policy],
        )
        .await?;
    count(&row)
}

/// Rotations that ended well since a time, for one policy or, where that is empty, for any; at most `most` are counted.
pub(crate) async fn count_proven(
    sql: &mut impl Sql,
    domain: &DomainId,
    policy: &str,
    since: Timestamp,
    most: u32,
) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM
                 (SELECT id FROM rotation
                  WHERE domain_id = $1 AND is_open = 0 AND state = 'ROTATION_STATE_CLOSED' AND since > $3
                    AND ($2 = '' OR policy = $2) LIMIT $4) AS proven",
            params![domain.as_str(), policy, since, most],
        )
        .await?;
    count(&row)
}

/// Those that have not ended and have a password.
pub(crate) async fn count_with_value(sql: &mut impl Sql, domain: &DomainId) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM rotation WHERE domain_id = $1 AND is_open = 1 AND sealed IS NOT NULL",
            params![domain.as_str()],
        )
        .await?;
    count(&row)
}

pub(crate) async fn count_state(
    sql: &mut impl Sql,
    domain: &DomainId,
    state: &'static str,
) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM rotation WHERE domain_id = $1 AND is_open = 1 AND state = $2",
            params![domain.as_str(), state],
        )
        .await?;
    count(&row)
}

/// Rotations that are planned since before a time, and that no target came for.
pub(crate) async fn count_overdue(
    sql: &mut impl Sql,
    domain: &DomainId,
    before: Timestamp,
) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM rotation
             WHERE domain_id = $1 AND is_open = 1 AND state = 'ROTATION_STATE_PLANNED' AND since < $2",
            params![domain.as_str(), before],
        )
        .await?;
    count(&row)
}

/// Rotations whose candidate was prepared since a time.
pub(crate) async fn count_prepared_since(
    sql: &mut impl Sql,
    domain: &DomainId,
    since: Timestamp,
) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM rotation WHERE domain_id = $1 AND prepared > $2",
            params![domain.as_str(), since],
        )
        .await?;
    count(&row)
}

/// Passwords that are set, and that no target has acknowledged since before a time.
pub(crate) async fn count_unacknowledged(
    sql: &mut impl Sql,
    domain: &DomainId,
    before: Timestamp,
) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM rotation
             WHERE domain_id = $1 AND is_open = 1 AND since < $2
               AND (state = 'ROTATION_STATE_CONFIRMED'
                    OR state = 'ROTATION_STATE_HELD' AND reason = 'HELD_REASON_UNACKNOWLEDGED')",
            params![domain.as_str(), before],
        )
        .await?;
    count(&row)
}

/// Newest first. Each filter is empty, or what it asks for.
pub(crate) async fn rotations_page(
    sql: &mut impl Sql,
    (domain, employee, filter): (&str, &str, Filter),
    (created, id): (i64, &str),
    limit: i64,
) -> Result<Vec<RotationRow>> {
    let (open, state) = match filter {
        Filter::Open => (1, ""),
        Filter::Held => (1, "ROTATION_STATE_HELD"),
        Filter::All => (0, ""),
    };
    let rows = sql
        .query(
            "SELECT * FROM rotation
             WHERE ($1 = '' OR domain_id = $1) AND ($2 = '' OR employee_id = $2)
               AND ($3 = 0 OR is_open = 1) AND ($4 = '' OR state = $4)
               AND (created < $5 OR created = $5 AND id < $6)
             ORDER BY created DESC, id DESC LIMIT $7",
            params![domain, employee, i64::from(open), state, created, id, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Which rotations are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Open,
    Held,
    All,
}

/// Rotations whose value is sealed under another key than this one, behind one of them.
pub(crate) async fn rotation_ids_not_under(
    sql: &mut impl Sql,
    key: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let rows = sql
        .query(
            "SELECT id FROM rotation WHERE sealed IS NOT NULL AND key_id <> $1 AND id > $2 ORDER BY id LIMIT $3",
            params![key, after, limit],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get("id")?)).collect()
}

/// Forgets rotations that ended before a time; the audit log keeps what they did.
pub(crate) async fn prune_rotations(tx: &mut Transaction, before: Timestamp) -> Result<u64> {
    Ok(tx
        .execute(
            "DELETE FROM rotation WHERE is_open = 0 AND since < $1",
            params![before],
        )
        .await?)
}

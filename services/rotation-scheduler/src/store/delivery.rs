//! Passwords on their way to targets: sealed to each, so that nobody else can read them, here neither.

use directory::AccountKey;
use jiff::Timestamp;
use storage::{Row, Sql, Transaction, params};
use uuid::Uuid;

use super::{Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryRow {
    pub(crate) target: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) generation: u64,
    pub(crate) candidate: u32,
    pub(crate) logon_name: String,
    /// None once the target has it.
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) confirmed: bool,
    pub(crate) accepted: Option<Timestamp>,
    pub(crate) acknowledged: Option<Timestamp>,
}

fn number(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}

fn from_row(row: &Row) -> Result<DeliveryRow> {
    let target: Uuid = row.get("target_id")?;
    let corrupt = || StoreError::corrupt("delivery to target", target);
    let (domain, object): (String, String) = (row.get("domain_id")?, row.get("object_id")?);
    Ok(DeliveryRow {
        target,
        account: AccountKey {
            domain: domain.parse().map_err(|_| corrupt())?,
            object: object.parse().map_err(|_| corrupt())?,
        },
        generation: row
            .get::<i64>("generation")?
            .try_into()
            .map_err(|_| corrupt())?,
        candidate: row
            .get::<i64>("candidate")?
            .try_into()
            .map_err(|_| corrupt())?,
        logon_name: row.get("logon_name")?,
        sealed: row.get("sealed")?,
        confirmed: row.get::<i64>("confirmed")? != 0,
        accepted: row.get("accepted")?,
        acknowledged: row.get("acknowledged")?,
    })
}

/// Writes what is sealed to a target, in the place of an earlier candidate of the same generation.
pub(crate) async fn insert_delivery(tx: &mut Transaction, row: &DeliveryRow) -> Result<()> {
    tx.execute(
        "INSERT INTO delivery (target_id, domain_id, object_id, generation, candidate, logon_name, sealed, confirmed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (target_id, domain_id, object_id, generation) DO UPDATE
         SET candidate = excluded.candidate, logon_name = excluded.logon_name, sealed = excluded.sealed,
             confirmed = excluded.confirmed, accepted = NULL, acknowledged = NULL",
        params![
            row.target,
            row.account.domain.as_str(),
            row.account.object.as_uuid(),
            number(row.generation),
            row.candidate,
            row.logon_name.as_str(),
            row.sealed.clone(),
            row.confirmed,
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn delivery(
    sql: &mut impl Sql,
    target: Uuid,
    account: &AccountKey,
    generation: u64,
) -> Result<Option<DeliveryRow>> {
    let row = sql
        .query_optional(
            "SELECT * FROM delivery WHERE target_id = $1 AND domain_id = $2 AND object_id = $3 AND generation = $4",
            params![
                target,
                account.domain.as_str(),
                account.object.as_uuid(),
                number(generation)
            ],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// All of a target, the oldest generations first.
pub(crate) async fn deliveries_of_target(
    sql: &mut impl Sql,
    target: Uuid,
) -> Result<Vec<DeliveryRow>> {
    let rows = sql
        .query(
            "SELECT * FROM delivery WHERE target_id = $1 ORDER BY domain_id, object_id, generation",
            params![target],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

pub(crate) async fn mark_accepted(
    tx: &mut Transaction,
    row: &DeliveryRow,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE delivery SET accepted = $5
         WHERE target_id = $1 AND domain_id = $2 AND object_id = $3 AND generation = $4 AND accepted IS NULL",
        params![
            row.target,
            row.account.domain.as_str(),
            row.account.object.as_uuid(),
            number(row.generation),
            now
        ],
    )
    .await?;
    Ok(())
}

/// The target has made it current: its sealed copy is of no more use, and generations before it neither.
pub(crate) async fn mark_acknowledged(
    tx: &mut Transaction,
    row: &DeliveryRow,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE delivery SET acknowledged = $5, sealed = NULL
         WHERE target_id = $1 AND domain_id = $2 AND object_id = $3 AND generation = $4",
        params![
            row.target,
            row.account.domain.as_str(),
            row.account.object.as_uuid(),
            number(row.generation),
            now
        ],
    )
    .await?;
    tx.execute(
        "DELETE FROM delivery WHERE target_id = $1 AND domain_id = $2 AND object_id = $3 AND generation < $4",
        params![
            row.target,
            row.account.domain.as_str(),
            row.account.object.as_uuid(),
            number(row.generation)
        ],
    )
    .await?;
    Ok(())
}

/// A candidate that will never be live: no target is offered it any more.
pub(crate) async fn withdraw_deliveries(
    tx: &mut Transaction,
    account: &AccountKey,
    generation: u64,
    candidate: u32,
) -> Result<()> {
    tx.execute(
        "DELETE FROM delivery WHERE domain_id = $1 AND object_id = $2 AND generation = $3 AND candidate = $4",
        params![
            account.domain.as_str(),
            account.object.as_uuid(),
            number(generation),
            candidate
        ],
    )
    .await?;
    Ok(())
}

/// Targets make this generation current.
pub(crate) async fn confirm_deliveries(
    tx: &mut Transaction,
    account: &AccountKey,
    generation: u64,
    candidate: u32,
) -> Result<()> {
    tx.execute(
        "UPDATE delivery SET confirmed = 1
         WHERE domain_id = $1 AND object_id = $2 AND generation = $3 AND candidate = $4",
        params![
            account.domain.as_str(),
            account.object.as_uuid(),
            number(generation),
            candidate
        ],
    )
    .await?;
    Ok(())
}

/// A password that is no longer the account's is of no use to a target that never fetched it.
pub(crate) async fn forget_older_deliveries(
    tx: &mut Transaction,
    account: &AccountKey,
    generation: u64,
) -> Result<()> {
    tx.execute(
        "DELETE FROM delivery
         WHERE domain_id = $1 AND object_id = $2 AND generation < $3 AND acknowledged IS NULL",
        params![
            account.domain.as_str(),
            account.object.as_uuid(),
            number(generation)
        ],
    )
    .await?;
    Ok(())
}

/// The account is another employee's now: what the targets of others have not fetched is not for them any more.
pub(crate) async fn forget_deliveries_to_others(
    tx: &mut Transaction,
    account: &AccountKey,
    employee: Uuid,
) -> Result<()> {
    tx.execute(
        "DELETE FROM delivery
         WHERE domain_id = $1 AND object_id = $2 AND acknowledged IS NULL
           AND target_id NOT IN (SELECT id FROM target WHERE employee_id = $3)",
        params![account.domain.as_str(), account.object.as_uuid(), employee],
    )
    .await?;
    Ok(())
}

//! Proposed links, and accounts that were taken apart.

use api::config::v1::LinkProposalState;
use api::name::AccountName;
use directory::AccountKey;
use jiff::Timestamp;
use storage::{Row, Sql, Transaction, params};
use sync::employee::EmployeeId;
use sync::links::Unlink;
use uuid::Uuid;

use super::{Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProposalRow {
    pub(crate) id: Uuid,
    pub(crate) employee: EmployeeId,
    pub(crate) candidate: EmployeeId,
    pub(crate) account: AccountKey,
    pub(crate) candidate_account: AccountKey,
    pub(crate) reason: String,
    pub(crate) state: LinkProposalState,
    pub(crate) created: Timestamp,
    pub(crate) decided_by: String,
    pub(crate) decided: Option<Timestamp>,
}

fn from_row(row: &Row) -> Result<ProposalRow> {
    let id: Uuid = row.get("id")?;
    let corrupt = || StoreError::corrupt("link proposal", id);
    let account = |column| -> Result<AccountKey> {
        let AccountName(key) = row.get::<String>(column)?.parse().map_err(|_| corrupt())?;
        Ok(key)
    };
    Ok(ProposalRow {
        id,
        employee: EmployeeId(row.get("employee_id")?),
        candidate: EmployeeId(row.get("candidate_id")?),
        account: account("account")?,
        candidate_account: account("candidate_account")?,
        reason: row.get("reason")?,
        state: LinkProposalState::try_from(row.get::<i32>("state")?).map_err(|_| corrupt())?,
        created: row.get("created")?,
        decided_by: row.get("decided_by")?,
        decided: row.get("decided")?,
    })
}

/// Whether it was new: what was proposed once is not proposed again, whatever became of it.
pub(crate) async fn insert_proposal(tx: &mut Transaction, row: &ProposalRow) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO link_proposal (id, employee_id, candidate_id, account, candidate_account, reason, state, created,
                 decided_by, decided)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (account, candidate_account) DO NOTHING",
            params![
                row.id,
                row.employee.0,
                row.candidate.0,
                name(&row.account),
                name(&row.candidate_account),
                row.reason.as_str(),
                i32::from(row.state),
                row.created,
                row.decided_by.as_str(),
                row.decided
            ],
        )
        .await?;
    Ok(inserted == 1)
}

pub(crate) async fn proposal(sql: &mut impl Sql, id: Uuid) -> Result<Option<ProposalRow>> {
    let row = sql
        .query_optional("SELECT * FROM link_proposal WHERE id = $1", params![id])
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Oldest first: the ids sort by time.
pub(crate) async fn proposals_page(
    sql: &mut impl Sql,
    after: &str,
    show_decided: bool,
    limit: i64,
) -> Result<Vec<ProposalRow>> {
    // One text for each, so that the open ones are found among many decided ones by their index.
    let rows = if show_decided {
        sql.query(
            "SELECT * FROM link_proposal WHERE id > $1 ORDER BY id LIMIT $2",
            params![after, limit],
        )
        .await?
    } else {
        sql.query(
            "SELECT * FROM link_proposal WHERE state = $3 AND id > $1 ORDER BY id LIMIT $2",
            params![after, limit, i32::from(LinkProposalState::Open)],
        )
        .await?
    };
    rows.iter().map(from_row).collect()
}

pub(crate) async fn decide_proposal(
    tx: &mut Transaction,
    id: Uuid,
    state: LinkProposalState,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE link_proposal SET state = $2, decided_by = $3, decided = $4 WHERE id = $1",
        params![id, i32::from(state), by, now],
    )
    .await?;
    Ok(())
}

/// After `gone` became part of `kept`: what spoke of the one speaks of the other.
pub(crate) async fn merge_proposals(
    tx: &mut Transaction,
    kept: EmployeeId,
    gone: EmployeeId,
) -> Result<()> {
    tx.execute(
        "UPDATE link_proposal SET employee_id = $1 WHERE employee_id = $2",
        params![kept.0, gone.0],
    )
    .await?;
    tx.execute(
        "UPDATE link_proposal SET candidate_id = $1 WHERE candidate_id = $2",
        params![kept.0, gone.0],
    )
    .await?;
    Ok(())
}

/// Open proposals to link an employee with itself are fulfilled. Returns them as they were.
pub(crate) async fn settle_proposals(
    tx: &mut Transaction,
    employee: EmployeeId,
    by: &str,
    now: Timestamp,
) -> Result<Vec<ProposalRow>> {
    let rows = tx
        .query(
            "UPDATE link_proposal SET state = $3, decided_by = $4, decided = $5
             WHERE employee_id = $1 AND candidate_id = $1 AND state = $2 RETURNING *",
            params![
                employee.0,
                i32::from(LinkProposalState::Open),
                i32::from(LinkProposalState::Accepted),
                by,
                now
            ],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// After an account got another employee: proposals about it speak of that one.
pub(crate) async fn move_proposals(
    tx: &mut Transaction,
    account: &AccountKey,
    employee: EmployeeId,
) -> Result<()> {
    let account = name(account);
    tx.execute(
        "UPDATE link_proposal SET employee_id = $2 WHERE account = $1",
        params![&account, employee.0],
    )
    .await?;
    tx.execute(
        "UPDATE link_proposal SET candidate_id = $2 WHERE candidate_account = $1",
        params![&account, employee.0],
    )
    .await?;
    Ok(())
}

pub(crate) async fn insert_unlink(
    tx: &mut Transaction,
    pair: &Unlink,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    let (low, high) = ordered(pair);
    tx.execute(
        "INSERT INTO unlink (low, high, made_by, made) VALUES ($1, $2, $3, $4) ON CONFLICT (low, high) DO NOTHING",
        params![low, high, by, now],
    )
    .await?;
    Ok(())
}

/// A person linked them after all.
pub(crate) async fn forget_unlink(tx: &mut Transaction, pair: &Unlink) -> Result<()> {
    let (low, high) = ordered(pair);
    tx.execute(
        "DELETE FROM unlink WHERE low = $1 AND high = $2",
        params![low, high],
    )
    .await?;
    Ok(())
}

/// What `account` was taken apart from.
pub(crate) async fn unlinks_of(sql: &mut impl Sql, account: &AccountKey) -> Result<Vec<Unlink>> {
    let account_name = name(account);
    let rows = sql
        .query(
            "SELECT high AS other FROM unlink WHERE low = $1 UNION SELECT low AS other FROM unlink WHERE high = $1",
            params![&account_name],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let other: String = row.get("other")?;
            let AccountName(other) = other
                .parse()
                .map_err(|_| StoreError::corrupt("unlink of account", &account_name))?;
            Ok(Unlink(account.clone(), other))
        })
        .collect()
}

fn ordered(Unlink(a, b): &Unlink) -> (String, String) {
    let (a, b) = (name(a), name(b));
    if a <= b { (a, b) } else { (b, a) }
}

fn name(key: &AccountKey) -> String {
    AccountName(key.clone()).to_string()
}

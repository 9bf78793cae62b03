//! Accounts, as their connectors told of them.

use std::collections::BTreeSet;

use api::config::v1::LinkReason;
use api::convert::account::KnownAccount;
use api::directory::v1 as proto;
use directory::{AccountKey, DomainId};
use jiff::Timestamp;
use prost::Message as _;
use storage::{Row, Sql, Transaction, params};
use sync::employee::EmployeeId;
use uuid::Uuid;

use super::{Result, StoreError, decode};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AccountRow {
    pub(crate) key: AccountKey,
    /// As told.
    pub(crate) state: proto::Account,
    /// The same, parsed.
    pub(crate) known: KnownAccount,
    /// When the presence became what it is, by our clock.
    pub(crate) since: Timestamp,
    pub(crate) employee: Option<EmployeeId>,
    pub(crate) link_reason: LinkReason,
    pub(crate) linked_by: String,
    pub(crate) linked: Option<Timestamp>,
}

fn from_row(row: &Row) -> Result<AccountRow> {
    let object: String = row.get("object_id")?;
    let corrupt = || StoreError::corrupt("account", &object);
    let state: proto::Account = decode(&row.get::<Vec<u8>>("state")?, "account", &object)?;
    let known = KnownAccount::try_from(state.clone()).map_err(|_| corrupt())?;
    let employee: Option<Uuid> = row.get("employee_id")?;
    Ok(AccountRow {
        key: known.key(),
        since: row.get("since")?,
        employee: employee.map(EmployeeId),
        link_reason: LinkReason::try_from(row.get::<i32>("link_reason")?).map_err(|_| corrupt())?,
        linked_by: row.get("linked_by")?,
        linked: row.get("linked")?,
        state,
        known,
    })
}

pub(crate) async fn account(sql: &mut impl Sql, key: &AccountKey) -> Result<Option<AccountRow>> {
    let row = sql
        .query_optional(
            "SELECT * FROM account WHERE domain_id = $1 AND object_id = $2",
            params![key.domain.as_str(), key.object.as_uuid()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

pub(crate) async fn accounts_of(
    sql: &mut impl Sql,
    employee: EmployeeId,
) -> Result<Vec<AccountRow>> {
    let rows = sql
        .query(
            "SELECT * FROM account WHERE employee_id = $1 ORDER BY domain_id, object_id",
            params![employee.0],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// How many accounts with one mail, or with one security identifier, are looked at.
const MANY: usize = 64;

/// Accounts that resemble one.
#[derive(Debug)]
pub(crate) struct Likes {
    pub(crate) accounts: Vec<AccountRow>,
    /// There are more, which nobody looked at: whatever follows from uniqueness is in doubt.
    pub(crate) crowded: bool,
}

/// Accounts with this mail or this security identifier, in any domain, and every other account of their employees.
pub(crate) async fn accounts_like(
    sql: &mut impl Sql,
    mail: Option<&str>,
    sid: Option<&str>,
) -> Result<Likes> {
    let limit = i64::try_from(MANY + 1).unwrap_or(i64::MAX);
    // Each with a bound of its own: namesakes must not push a twin out.
    let twins = sql
        .query(
            "SELECT * FROM account WHERE sid = $1 ORDER BY domain_id, object_id LIMIT $2",
            params![sid, limit],
        )
        .await?;
    let namesakes = sql
        .query(
            "SELECT * FROM account WHERE mail = $1 ORDER BY domain_id, object_id LIMIT $2",
            params![mail, limit],
        )
        .await?;
    let crowded = twins.len() > MANY || namesakes.len() > MANY;
    let mut accounts: Vec<AccountRow> = Vec::new();
    for row in twins.iter().chain(&namesakes) {
        let account = from_row(row)?;
        if accounts.iter().all(|known| known.key != account.key) {
            accounts.push(account);
        }
    }
    let employees: BTreeSet<EmployeeId> = accounts
        .iter()
        .filter_map(|account| account.employee)
        .collect();
    for employee in employees {
        for other in accounts_of(sql, employee).await? {
            if accounts.iter().all(|account| account.key != other.key) {
                accounts.push(other);
            }
        }
    }
    Ok(Likes { accounts, crowded })
}

/// Writes the row. `mail` is in the form in which addresses are compared.
pub(crate) async fn put_account(
    tx: &mut Transaction,
    row: &AccountRow,
    mail: Option<&str>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO account (domain_id, object_id, generation, presence, since, state, mail, sid, employee_id,
             link_reason, linked_by, linked)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (domain_id, object_id) DO UPDATE
         SET generation = excluded.generation, presence = excluded.presence, since = excluded.since,
             state = excluded.state, mail = excluded.mail, sid = excluded.sid, employee_id = excluded.employee_id,
             link_reason = excluded.link_reason, linked_by = excluded.linked_by, linked = excluded.linked",
        params![
            row.key.domain.as_str(),
            row.key.object.as_uuid(),
            row.known.generation,
            row.state.presence,
            row.since,
            row.state.encode_to_vec(),
            mail,
            row.known.account.sid.as_ref().map(ToString::to_string),
            row.employee.map(|employee| employee.0),
            i32::from(row.link_reason),
            row.linked_by.as_str(),
            row.linked
        ],
    )
    .await?;
    Ok(())
}

/// For a domain whose record goes for good: another record of the same id starts counting anew.
pub(crate) async fn forget_generations(tx: &mut Transaction, domain: &DomainId) -> Result<()> {
    tx.execute(
        "UPDATE account SET generation = 0 WHERE domain_id = $1",
        params![domain.as_str()],
    )
    .await?;
    Ok(())
}

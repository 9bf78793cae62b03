//! Accounts, as their connectors told of them, and when their passwords are due.

use api::directory::v1 as proto;
use directory::{AccountKey, DomainId};
use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use storage::{Row, Sql, Transaction, params};
use uuid::Uuid;

use super::{Result, StoreError, count, decode};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AccountRow {
    pub(crate) key: AccountKey,
    /// As told; its generation orders what is told.
    pub(crate) state: proto::Account,
    pub(crate) employee: Option<Uuid>,
    pub(crate) not_rotated: Option<String>,
    pub(crate) enrolled: Option<Timestamp>,
    /// None, too, while a rotation is open.
    pub(crate) due: Option<Timestamp>,
    pub(crate) open_rotation: Option<Uuid>,
    pub(crate) asked_by: Option<String>,
    /// The password's version and time, as last read or written by this service.
    pub(crate) known_version: Option<i64>,
    pub(crate) known_set: Option<Timestamp>,
    pub(crate) max_age: Option<SignedDuration>,
    /// The generation of the account's newest rotation.
    pub(crate) password_generation: u64,
    pub(crate) next_after: Option<Timestamp>,
}

impl AccountRow {
    /// One that was not heard of before.
    pub(crate) fn new(key: AccountKey) -> Self {
        Self {
            key,
            state: proto::Account::default(),
            employee: None,
            not_rotated: None,
            enrolled: None,
            due: None,
            open_rotation: None,
            asked_by: None,
            known_version: None,
            known_set: None,
            max_age: None,
            password_generation: 0,
            next_after: None,
        }
    }
}

fn from_row(row: &Row) -> Result<AccountRow> {
    let (domain, object): (String, String) = (row.get("domain_id")?, row.get("object_id")?);
    let corrupt = || StoreError::corrupt("account", &object);
    Ok(AccountRow {
        key: AccountKey {
            domain: domain.parse().map_err(|_| corrupt())?,
            object: object.parse().map_err(|_| corrupt())?,
        },
        state: decode(&row.get::<Vec<u8>>("state")?, "account", &object)?,
        employee: row.get("employee_id")?,
        not_rotated: row.get("not_rotated")?,
        enrolled: row.get("enrolled")?,
        due: row.get("due")?,
        open_rotation: row.get("rotation_id")?,
        asked_by: row.get("asked_by")?,
        known_version: row.get("known_version")?,
        known_set: row.get("known_set")?,
        max_age: row
            .get::<Option<i64>>("max_age")?
            .map(SignedDuration::from_micros),
        password_generation: row
            .get::<i64>("password_generation")?
            .try_into()
            .map_err(|_| corrupt())?,
        next_after: row.get("next_after")?,
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

pub(crate) async fn put_account(tx: &mut Transaction, row: &AccountRow) -> Result<()> {
    tx.execute(
        "INSERT INTO account (domain_id, object_id, generation, state, employee_id, rotation_id, not_rotated,
             enrolled, due, asked_by, known_version, known_set, max_age, password_generation, next_after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (domain_id, object_id) DO UPDATE
         SET generation = excluded.generation, state = excluded.state, employee_id = excluded.employee_id,
             rotation_id = excluded.rotation_id, not_rotated = excluded.not_rotated,
             enrolled = excluded.enrolled, due = excluded.due, asked_by = excluded.asked_by,
             known_version = excluded.known_version, known_set = excluded.known_set, max_age = excluded.max_age,
             password_generation = excluded.password_generation, next_after = excluded.next_after",
        params![
            row.key.domain.as_str(),
            row.key.object.as_uuid(),
            row.state.generation,
            row.state.encode_to_vec(),
            row.employee,
            row.open_rotation,
            row.not_rotated.as_deref(),
            row.enrolled,
            row.due,
            row.asked_by.as_deref(),
            row.known_version,
            row.known_set,
            row.max_age
                .map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX)),
            i64::try_from(row.password_generation).unwrap_or(i64::MAX),
            row.next_after,
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn accounts_of_employee(
    sql: &mut impl Sql,
    employee: Uuid,
) -> Result<Vec<AccountRow>> {
    let rows = sql
        .query(
            "SELECT * FROM account WHERE employee_id = $1 ORDER BY domain_id, object_id",
            params![employee],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Accounts behind an object id, in its order.
pub(crate) async fn accounts_of_domain(
    sql: &mut impl Sql,
    domain: &DomainId,
    after: &str,
    limit: i64,
) -> Result<Vec<AccountRow>> {
    let rows = sql
        .query(
            "SELECT * FROM account WHERE domain_id = $1 AND object_id > $2 ORDER BY object_id LIMIT $3",
            params![domain.as_str(), after, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Accounts that are due and have no open rotation, the longest due first.
pub(crate) async fn accounts_to_plan(
    sql: &mut impl Sql,
    domain: &DomainId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<AccountRow>> {
    let rows = sql
        .query(
            "SELECT * FROM account
             WHERE domain_id = $1 AND due <= $2 AND employee_id IS NOT NULL
             ORDER BY due LIMIT $3",
            params![domain.as_str(), now, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// When the next account that has no open rotation is due.
pub(crate) async fn next_due(sql: &mut impl Sql, domain: &DomainId) -> Result<Option<Timestamp>> {
    let row = sql
        .query_optional(
            "SELECT due FROM account
             WHERE domain_id = $1 AND due IS NOT NULL AND employee_id IS NOT NULL ORDER BY due LIMIT 1",
            params![domain.as_str()],
        )
        .await?;
    Ok(row.map(|row| row.get("due")).transpose()?)
}

/// Accounts that rotate.
pub(crate) async fn count_rotating(sql: &mut impl Sql, domain: &DomainId) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM account WHERE domain_id = $1 AND enrolled IS NOT NULL",
            params![domain.as_str()],
        )
        .await?;
    count(&row)
}

/// Members of the rotation group that are not rotated, by reason.
pub(crate) async fn not_rotated(
    sql: &mut impl Sql,
    domain: &DomainId,
) -> Result<Vec<(String, u32)>> {
    let rows = sql
        .query(
            "SELECT not_rotated, COUNT(*) AS count FROM account
             WHERE domain_id = $1 AND not_rotated IS NOT NULL GROUP BY not_rotated ORDER BY not_rotated",
            params![domain.as_str()],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("not_rotated")?, count(row)?)))
        .collect()
}

/// Accounts that rotate, by the time they are due, behind one of them. Those that are under way come first.
pub(crate) async fn forecast_due(
    sql: &mut impl Sql,
    domain: &DomainId,
    (due, object): (i64, &str),
    until: Timestamp,
    limit: i64,
) -> Result<Vec<AccountRow>> {
    let rows = sql
        .query(
            "SELECT * FROM account
             WHERE domain_id = $1 AND enrolled IS NOT NULL AND COALESCE(due, 0) <= $2
               AND (COALESCE(due, 0) > $3 OR COALESCE(due, 0) = $3 AND object_id > $4)
             ORDER BY COALESCE(due, 0), object_id LIMIT $5",
            params![domain.as_str(), until, due, object, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Members of the rotation group that are not rotated, behind one of them.
pub(crate) async fn forecast_not_rotated(
    sql: &mut impl Sql,
    domain: &DomainId,
    after: &str,
    limit: i64,
) -> Result<Vec<AccountRow>> {
    let rows = sql
        .query(
            "SELECT * FROM account WHERE domain_id = $1 AND not_rotated IS NOT NULL AND object_id > $2
             ORDER BY object_id LIMIT $3",
            params![domain.as_str(), after, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Notes the generation of an employee that is told of. Whether it is newer than what was known.
pub(crate) async fn note_employee(
    tx: &mut Transaction,
    employee: Uuid,
    generation: i64,
) -> Result<bool> {
    let noted = tx
        .execute(
            "INSERT INTO employee (id, generation) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET generation = excluded.generation
             WHERE employee.generation < excluded.generation",
            params![employee, generation],
        )
        .await?;
    Ok(noted == 1)
}

/// Whether config-service ever told of the employee.
pub(crate) async fn is_employee(sql: &mut impl Sql, employee: Uuid) -> Result<bool> {
    let row = sql
        .query_optional("SELECT id FROM employee WHERE id = $1", params![employee])
        .await?;
    Ok(row.is_some())
}

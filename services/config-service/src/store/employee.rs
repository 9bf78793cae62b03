//! Employees.

use std::collections::BTreeSet;

use api::config::v1::Employee;
use directory::DomainId;
use jiff::Timestamp;
use prost::Message as _;
use storage::{Row, Sql, Transaction, params};
use sync::employee::EmployeeId;
use uuid::Uuid;

use super::{Result, decode};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EmployeeRow {
    pub(crate) id: EmployeeId,
    /// As last told, whole.
    pub(crate) state: Employee,
    pub(crate) generation: i64,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) purges: Option<Timestamp>,
}

fn from_row(row: &Row) -> Result<EmployeeRow> {
    let id: Uuid = row.get("id")?;
    Ok(EmployeeRow {
        id: EmployeeId(id),
        state: decode(&row.get::<Vec<u8>>("state")?, "employee", &id.to_string())?,
        generation: row.get("generation")?,
        created: row.get("created")?,
        updated: row.get("updated")?,
        purges: row.get("purges")?,
    })
}

/// Which employees to list; empty texts mean all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EmployeeFilter {
    pub(crate) domain: String,
    /// The beginning of a term, in lower case.
    pub(crate) prefix: String,
}

pub(crate) async fn employee(sql: &mut impl Sql, id: EmployeeId) -> Result<Option<EmployeeRow>> {
    let row = sql
        .query_optional("SELECT * FROM employee WHERE id = $1", params![id.0])
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// An employee as it is sent: read from the row as far as it is asked for.
pub(crate) struct SentEmployee(Row);

impl SentEmployee {
    /// What its page goes on behind.
    pub(crate) fn id(&self) -> Result<String> {
        Ok(self.0.get("id")?)
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        Ok(self.0.get("state")?)
    }

    pub(crate) fn state(&self) -> Result<Employee> {
        decode(&self.bytes()?, "employee", &self.id()?)
    }
}

/// The limit of a page of the default size.
const USUAL: i64 = 101;

/// The page asked for most, with its limit written out: one that is a parameter makes PostgreSQL plan every time, since
/// the plan hangs on it, and planning takes it longer than reading.
const USUAL_PAGE: &str = "SELECT id, state FROM employee WHERE id > $1 ORDER BY id LIMIT 101";

/// A page behind `after`, in the order of ids. One text for each filter, so that each has its index.
pub(crate) async fn employees_page(
    sql: &mut impl Sql,
    filter: &EmployeeFilter,
    after: &str,
    limit: i64,
) -> Result<Vec<SentEmployee>> {
    let domain = filter.domain.as_str();
    let prefix = filter.prefix.as_str();
    // Behind every text that begins with the prefix.
    let end = format!("{prefix}\u{10ffff}");
    let rows = match (domain.is_empty(), prefix.is_empty()) {
        (true, true) if limit == USUAL => sql.query(USUAL_PAGE, params![after]).await?,
        (true, true) => {
            sql.query(
                "SELECT id, state FROM employee WHERE id > $1 ORDER BY id LIMIT $2",
                params![after, limit],
            )
            .await?
        }
        (false, true) => {
            sql.query(
                "SELECT employee.id, employee.state FROM (
                     SELECT DISTINCT employee_id FROM account WHERE domain_id = $3 AND employee_id > $1
                     ORDER BY employee_id LIMIT $2) AS found
                 JOIN employee ON employee.id = found.employee_id
                 ORDER BY employee.id",
                params![after, limit, domain],
            )
            .await?
        }
        (true, false) => {
            sql.query(
                "SELECT id, state FROM employee WHERE id IN (
                     SELECT employee_id FROM employee_term WHERE term >= $3 AND term < $4 AND employee_id > $1)
                 ORDER BY id LIMIT $2",
                params![after, limit, prefix, end],
            )
            .await?
        }
        (false, false) => {
            sql.query(
                "SELECT id, state FROM employee WHERE id IN (
                     SELECT employee_id FROM employee_term WHERE term >= $3 AND term < $4 AND employee_id > $1)
                   AND EXISTS (SELECT 1 FROM account WHERE employee_id = employee.id AND domain_id = $5)
                 ORDER BY id LIMIT $2",
                params![after, limit, prefix, end, domain],
            )
            .await?
        }
    };
    Ok(rows.into_iter().map(SentEmployee).collect())
}

/// Ids of employees with an account in `domain`, behind `after`.
pub(crate) async fn employees_in_domain(
    sql: &mut impl Sql,
    domain: &DomainId,
    after: &str,
    limit: i64,
) -> Result<Vec<EmployeeId>> {
    let rows = sql
        .query(
            "SELECT DISTINCT employee_id FROM account WHERE domain_id = $1 AND employee_id > $2
             ORDER BY employee_id LIMIT $3",
            params![domain.as_str(), after, limit],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(EmployeeId(row.get("employee_id")?)))
        .collect()
}

pub(crate) async fn employees_to_purge(
    sql: &mut impl Sql,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<EmployeeId>> {
    let rows = sql
        .query(
            "SELECT id FROM employee WHERE purges <= $1 ORDER BY purges, id LIMIT $2",
            params![now, limit],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(EmployeeId(row.get("id")?)))
        .collect()
}

pub(crate) async fn put_employee(
    tx: &mut Transaction,
    row: &EmployeeRow,
    terms: &BTreeSet<String>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO employee (id, generation, active, state, created, updated, purges)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE
         SET generation = excluded.generation, active = excluded.active, state = excluded.state,
             updated = excluded.updated, purges = excluded.purges",
        params![
            row.id.0,
            row.generation,
            row.state.active,
            row.state.encode_to_vec(),
            row.created,
            row.updated,
            row.purges
        ],
    )
    .await?;
    tx.execute(
        "DELETE FROM employee_term WHERE employee_id = $1",
        params![row.id.0],
    )
    .await?;
    for term in terms {
        tx.execute(
            "INSERT INTO employee_term (employee_id, term) VALUES ($1, $2)",
            params![row.id.0, term],
        )
        .await?;
    }
    Ok(())
}

/// Removes the record; its accounts stay known, without an employee.
pub(crate) async fn delete_employee(tx: &mut Transaction, id: EmployeeId) -> Result<()> {
    tx.execute(
        "UPDATE account SET employee_id = NULL, link_reason = 0, linked_by = '', linked = NULL WHERE employee_id = $1",
        params![id.0],
    )
    .await?;
    tx.execute("DELETE FROM employee WHERE id = $1", params![id.0])
        .await?;
    Ok(())
}

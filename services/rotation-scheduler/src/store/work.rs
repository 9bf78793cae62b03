//! Work that outlives what asked for it.

use storage::{Sql, Transaction, params};

use super::Result;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// See the table.
    pub(crate) name: String,
    /// How often it was asked for: what is asked again meanwhile is done again.
    pub(crate) asked: i64,
}

pub(crate) async fn ask_work(tx: &mut Transaction, name: &str, reason: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO work (name, asked, reason) VALUES ($1, 1, $2)
         ON CONFLICT (name) DO UPDATE SET asked = work.asked + 1, reason = excluded.reason",
        params![name, reason],
    )
    .await?;
    Ok(())
}

/// By name: the snapshot of a domain's accounts comes before that of employees, and both before enrolment.
pub(crate) async fn pending_work(sql: &mut impl Sql) -> Result<Vec<Work>> {
    let rows = sql
        .query("SELECT name, asked FROM work ORDER BY name", params![])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Work {
                name: row.get("name")?,
                asked: row.get("asked")?,
            })
        })
        .collect()
}

/// Notes that it is done, unless it was asked for again.
pub(crate) async fn finish_work(tx: &mut Transaction, work: &Work) -> Result<()> {
    tx.execute(
        "DELETE FROM work WHERE name = $1 AND asked = $2",
        params![work.name.as_str(), work.asked],
    )
    .await?;
    Ok(())
}

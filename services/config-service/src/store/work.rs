//! Work that outlives what asked for it.

use directory::DomainId;
use storage::{Row, Sql, Transaction, params};

use super::{Result, StoreError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WorkKind {
    /// Take every account of the domain from its connector.
    Snapshot,
    /// Recompute the employees who have an account in the domain.
    Refresh,
}

impl WorkKind {
    fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "SNAPSHOT",
            Self::Refresh => "REFRESH",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Snapshot, Self::Refresh]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) domain: DomainId,
    pub(crate) kind: WorkKind,
    /// Employees up to this id are done.
    pub(crate) position: String,
    /// How often it was asked for: what is asked again meanwhile is done again.
    pub(crate) asked: i64,
}

fn from_row(row: &Row) -> Result<Work> {
    let (domain, kind): (String, String) = (row.get("domain_id")?, row.get("kind")?);
    let corrupt = || StoreError::corrupt("work of domain", &domain);
    Ok(Work {
        kind: WorkKind::from_name(&kind).ok_or_else(corrupt)?,
        position: row.get("position")?,
        asked: row.get("asked")?,
        domain: domain.parse().map_err(|_| corrupt())?,
    })
}

pub(crate) async fn ask_work(
    tx: &mut Transaction,
    domain: &DomainId,
    kind: WorkKind,
    reason: &str,
) -> Result<()> {
    tx.execute(
        "INSERT INTO domain_work (domain_id, kind, position, asked, reason) VALUES ($1, $2, '', 1, $3)
         ON CONFLICT (domain_id, kind) DO UPDATE
         SET position = '', asked = domain_work.asked + 1, reason = excluded.reason",
        params![domain.as_str(), kind.name(), reason],
    )
    .await?;
    Ok(())
}

pub(crate) async fn pending_work(sql: &mut impl Sql) -> Result<Vec<Work>> {
    let rows = sql
        .query(
            "SELECT * FROM domain_work ORDER BY domain_id, kind",
            params![],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Notes how far it is, unless it was asked for again.
pub(crate) async fn advance_work(tx: &mut Transaction, work: &Work, position: &str) -> Result<()> {
    tx.execute(
        "UPDATE domain_work SET position = $4 WHERE domain_id = $1 AND kind = $2 AND asked = $3",
        params![work.domain.as_str(), work.kind.name(), work.asked, position],
    )
    .await?;
    Ok(())
}

/// Notes that it is done, unless it was asked for again.
pub(crate) async fn finish_work(tx: &mut Transaction, work: &Work) -> Result<()> {
    tx.execute(
        "DELETE FROM domain_work WHERE domain_id = $1 AND kind = $2 AND asked = $3",
        params![work.domain.as_str(), work.kind.name(), work.asked],
    )
    .await?;
    Ok(())
}

//! What the breakers look back on.

use directory::DomainId;
use jiff::Timestamp;
use storage::{Sql, Transaction, params};

use super::{Result, count};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A send that was applied.
    Applied,
    /// A send that was refused.
    Refused,
    /// A send whose outcome is not known.
    Unknown,
    NoRight,
    LockedOut,
    ExternalChange,
    LogonRefused,
    /// A delivery client proved a presence falsely.
    FalseProof,
    /// A delivery client asked for more than it may.
    Flood,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Applied => "SENT_APPLIED",
            Self::Refused => "SENT_REFUSED",
            Self::Unknown => "SENT_UNKNOWN",
            Self::NoRight => "NO_RIGHT",
            Self::LockedOut => "LOCKED_OUT",
            Self::ExternalChange => "EXTERNAL_CHANGE",
            Self::LogonRefused => "LOGON_REFUSED",
            Self::FalseProof => "FALSE_PROOF",
            Self::Flood => "FLOOD",
        }
    }
}

/// `subject` is the account, or the delivery client.
pub(crate) async fn insert_incident(
    tx: &mut Transaction,
    domain: &DomainId,
    kind: Kind,
    subject: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO incident (domain_id, kind, subject, time) VALUES ($1, $2, $3, $4)",
        params![domain.as_str(), kind.name(), subject, now],
    )
    .await?;
    Ok(())
}

/// How many different subjects it happened to, or how often to one where each time counts.
pub(crate) async fn subjects_since(
    sql: &mut impl Sql,
    domain: &DomainId,
    kind: Kind,
    since: Timestamp,
) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(DISTINCT subject) AS count FROM incident
             WHERE domain_id = $1 AND kind = $2 AND time > $3",
            params![domain.as_str(), kind.name(), since],
        )
        .await?;
    count(&row)
}

/// The most that one subject did it.
pub(crate) async fn most_since(
    sql: &mut impl Sql,
    domain: &DomainId,
    kind: Kind,
    since: Timestamp,
) -> Result<u32> {
    let row = sql
        .query_optional(
            "SELECT COUNT(*) AS count FROM incident WHERE domain_id = $1 AND kind = $2 AND time > $3
             GROUP BY subject ORDER BY 1 DESC LIMIT 1",
            params![domain.as_str(), kind.name(), since],
        )
        .await?;
    row.as_ref().map_or(Ok(0), count)
}

/// Of the last sends, how many there were, and how many of them were refused or left in doubt.
pub(crate) async fn recent_sends(
    sql: &mut impl Sql,
    domain: &DomainId,
    since: Timestamp,
    last: u32,
) -> Result<(u32, u32)> {
    let rows = sql
        .query(
            "SELECT kind FROM incident
             WHERE domain_id = $1 AND kind IN ('SENT_APPLIED', 'SENT_REFUSED', 'SENT_UNKNOWN') AND time > $2
             ORDER BY time DESC, seq DESC LIMIT $3",
            params![domain.as_str(), since, last],
        )
        .await?;
    let mut failed = 0;
    for row in &rows {
        if row.get::<String>("kind")? != Kind::Applied.name() {
            failed += 1;
        }
    }
    Ok((u32::try_from(rows.len()).unwrap_or(u32::MAX), failed))
}

pub(crate) async fn prune_incidents(tx: &mut Transaction, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM incident WHERE time < $1", params![before])
        .await?;
    Ok(())
}

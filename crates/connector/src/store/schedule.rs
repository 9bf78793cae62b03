//! When each domain is due. It is stored, so that a restart doesn't make every domain read at once.

use directory::DomainId;
use jiff::Timestamp;
use storage::{Sql, params};
use sync::RunId;

use super::{Error, Store};

/// How a domain's sync stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Absent before the first time it was planned.
    pub next_run_at: Option<Timestamp>,
    pub consecutive_failures: u32,
    pub last_success: Option<RunId>,
    /// When the newest run that ended well began to read.
    pub last_success_at: Option<Timestamp>,
}

impl Store {
    pub async fn schedule(&self, domain: &DomainId) -> Result<Option<Schedule>, Error> {
        let row = self
            .db
            .read()
            .await?
            .query_optional(
                "SELECT next_run_at, consecutive_failures, last_success_run, last_success_at
                 FROM domains WHERE domain_id = $1",
                params![domain.as_str()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Schedule {
            next_run_at: row.get("next_run_at")?,
            consecutive_failures: row.get("consecutive_failures")?,
            last_success: row.get::<Option<_>>("last_success_run")?.map(RunId),
            last_success_at: row.get("last_success_at")?,
        }))
    }

    pub async fn plan_next(&self, domain: &DomainId, at: Timestamp) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        tx.execute(
            "UPDATE domains SET next_run_at = $2 WHERE domain_id = $1",
            params![domain.as_str(), at],
        )
        .await?;
        Ok(tx.commit().await?)
    }
}

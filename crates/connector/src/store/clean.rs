//! What is not needed any more.

use jiff::Timestamp;
use storage::{Sql, params};
use sync::RunId;
use uuid::Uuid;

use super::{Domain, Error, Store, domains, stage};

impl Store {
    /// Forgets what dead runs have read, runs that ended before `old`, and the people of domains that config-service has
    /// not known since before then.
    pub async fn clean(&self, old: Timestamp) -> Result<(), Error> {
        // First, because it gives up a domain's last good run, which is otherwise kept however old it is.
        self.forget_people(old).await?;
        let mut db = self.db.read().await?;
        let dead = db
            .query(
                "SELECT run_id FROM runs
                 WHERE staged = 1 AND state NOT IN ('READING', 'PLANNING', 'APPROVED', 'APPLYING')",
                params![],
            )
            .await?;
        let ended = db
            .query(
                "SELECT run_id FROM runs WHERE end_time < $1 AND run_id NOT IN (
                     SELECT last_success_run FROM domains WHERE last_success_run IS NOT NULL)",
                params![old],
            )
            .await?;
        drop(db);
        for row in &dead {
            self.forget_read(RunId(row.get("run_id")?)).await?;
        }
        for row in &ended {
            let run: Uuid = row.get("run_id")?;
            let mut tx = self.db.begin().await?;
            for sql in [
                "DELETE FROM plan_items WHERE run_id = $1",
                "DELETE FROM issues WHERE run_id = $1",
                "DELETE FROM runs WHERE run_id = $1",
            ] {
                tx.execute(sql, params![run]).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Only a count is kept of a domain that is gone for good: should its id be used again, consumers must take the new
    /// states for newer ones.
    async fn forget_people(&self, old: Timestamp) -> Result<(), Error> {
        let gone = self
            .db
            .read()
            .await?
            .query(
                "SELECT domain_id FROM domains WHERE forgotten_time < $1 AND identity_fields IS NOT NULL",
                params![old],
            )
            .await?;
        for row in &gone {
            let id: String = row.get("domain_id")?;
            let mut tx = self.db.begin().await?;
            // It may be known again.
            let row = tx
                .query_optional(
                    "SELECT record_time FROM domains WHERE domain_id = $1 AND forgotten_time < $2",
                    params![id.as_str(), old],
                )
                .await?;
            let Some(row) = row else { continue };
            let domain = Domain {
                id: id.parse().map_err(|_| Error::Corrupt("domain id"))?,
                record_time: row.get("record_time")?,
                deleted: true,
            };
            domains::begin_anew(&mut tx, &domain, self.clock.now()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Forgets what one run has read, unless it is read again meanwhile: somebody may just have approved it.
    pub async fn forget_read(&self, run: RunId) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let at_rest = tx
            .query_optional(
                "SELECT run_id FROM runs
                 WHERE run_id = $1 AND state NOT IN ('READING', 'PLANNING', 'APPROVED', 'APPLYING')",
                params![run.0],
            )
            .await?;
        if at_rest.is_some() {
            stage::clear(&mut tx, run).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

//! What is not needed any more.

use jiff::Timestamp;
use storage::{Sql, params};
use sync::RunId;
use uuid::Uuid;

use super::{Error, Store, stage};

impl Store {
    /// Forgets what dead runs have read, and runs that ended before `old`.
    pub async fn clean(&self, old: Timestamp) -> Result<(), Error> {
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
            let mut tx = self.db.begin().await?;
            stage::clear(&mut tx, RunId(row.get("run_id")?)).await?;
            tx.commit().await?;
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

    /// Forgets what one ended run has read.
    pub async fn forget_read(&self, run: RunId) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        stage::clear(&mut tx, run).await?;
        tx.commit().await?;
        Ok(())
    }
}

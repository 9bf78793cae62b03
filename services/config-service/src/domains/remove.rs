//! Deleting a domain softly, bringing it back, and its end.

use std::time::Duration;

use api::config::v1::Domain;
use directory::DomainId;
use jiff::Timestamp;

use super::message::etag;
use super::{By, DomainError, Domains, domain_message};
use crate::store::{self, WorkKind};

/// How long a deleted domain can be brought back.
const KEPT: Duration = Duration::from_hours(24 * 30);

impl Domains {
    /// Its sync and rotation stop, by the event; nobody is touched.
    pub(crate) async fn delete(
        &self,
        by: &By,
        id: &DomainId,
        given_etag: &str,
    ) -> Result<Domain, DomainError> {
        let mut tx = self.db.begin().await?;
        let mut row = self.live(&mut tx, id).await?;
        if !given_etag.is_empty() && given_etag != etag(row.revision) {
            return Err(DomainError::Etag(id.clone()));
        }
        row.revision += 1;
        row.updated = by.now;
        row.deleted = Some(by.now);
        row.purges = Some(by.now.checked_add(KEPT).unwrap_or(Timestamp::MAX));
        store::update_domain(&mut tx, &row).await?;
        let record = by.record("domain.delete", id);
        self.changed(&mut tx, &row, "domain", "deleted", Vec::new(), record)
            .await?;
        tx.commit().await?;
        Ok(domain_message(&row))
    }

    pub(crate) async fn undelete(&self, by: &By, id: &DomainId) -> Result<Domain, DomainError> {
        let mut tx = self.db.begin().await?;
        let mut row = store::domain(&mut tx, id)
            .await?
            .ok_or_else(|| DomainError::NotFound(id.clone()))?;
        if row.deleted.is_none() {
            return Err(DomainError::NotDeleted(id.clone()));
        }
        row.revision += 1;
        row.updated = by.now;
        row.deleted = None;
        row.purges = None;
        store::update_domain(&mut tx, &row).await?;
        store::ask_work(&mut tx, id, WorkKind::Snapshot, "undeleted").await?;
        let record = by.record("domain.undelete", id);
        self.changed(&mut tx, &row, "domain", "undeleted", Vec::new(), record)
            .await?;
        tx.commit().await?;
        Ok(domain_message(&row))
    }

    /// Ends the domains whose time has come. Their employees stay as they are: deleting a record touches nobody.
    pub(crate) async fn purge(&self, by: &By) -> Result<usize, DomainError> {
        let mut tx = self.db.begin().await?;
        let rows = store::domains_to_purge(&mut tx, by.now).await?;
        for row in &rows {
            store::purge_domain(&mut tx, &row.id).await?;
            store::forget_generations(&mut tx, &row.id).await?;
            store::append(&mut tx, by.record("domain.purge", &row.id)).await?;
        }
        let before = by
            .now
            .checked_sub(super::create::REMEMBERED)
            .unwrap_or(Timestamp::MIN);
        store::forget_requests(&mut tx, before).await?;
        tx.commit().await?;
        Ok(rows.len())
    }
}

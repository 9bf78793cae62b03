//! Changing a domain's settings.

use api::config::v1::{Domain, RemovalPolicy, UpdateDomainRequest};

use super::message::etag;
use super::{By, DomainError, Domains, changes, domain_message};
use crate::store::{self, DomainRow, WorkKind};
use crate::{mask, validate};

impl Domains {
    pub(crate) async fn update(
        &self,
        by: &By,
        request: UpdateDomainRequest,
    ) -> Result<Domain, DomainError> {
        let patch = request.domain.unwrap_or_default();
        let id = super::read::domain_id("domain.name", &patch.name)?;
        let mut tx = self.db.begin().await?;
        let before = self.live(&mut tx, &id).await?;
        if !patch.etag.is_empty() && patch.etag != etag(before.revision) {
            return Err(DomainError::Etag(id));
        }
        let merged = mask::apply(&before.settings, &patch, request.update_mask.as_ref())?;
        let settings = validate::domain::normalize(id.as_str(), merged)?;
        let paths = request
            .update_mask
            .map(|mask| mask.paths)
            .unwrap_or_default();
        let finds_anew = paths
            .iter()
            .any(|path| path == "sync_group" || path == "rotation_group");
        if settings == before.settings && !finds_anew {
            return Ok(domain_message(&before));
        }
        let after = changed(&before, settings, finds_anew, by);
        let message = domain_message(&after);
        if request.validate_only {
            return Ok(message);
        }
        store::update_domain(&mut tx, &after).await?;
        if concerns_employees(&before.settings, &after.settings) {
            store::ask_work(&mut tx, &id, WorkKind::Refresh, "settings changed").await?;
        }
        let mut record = by
            .record("domain.update", &id)
            .detail("fields", paths.join(","));
        record
            .details
            .extend(changes::between(&before.settings, &after.settings));
        self.changed(&mut tx, &after, "domain", "updated", paths, record)
            .await?;
        tx.commit().await?;
        Ok(message)
    }
}

fn changed(before: &DomainRow, settings: Domain, finds_anew: bool, by: &By) -> DomainRow {
    let mut after = before.clone();
    if removal(&settings) != removal(&before.settings) {
        after.removal_changed = by.now;
    }
    after.settings = settings;
    after.revision += 1;
    after.group_revision += i64::from(finds_anew);
    after.updated = by.now;
    after
}

/// The grace period counts only where there is one.
fn removal(settings: &Domain) -> (RemovalPolicy, Option<prost_types::Duration>) {
    let policy = settings.removal_policy();
    let grace = (policy == RemovalPolicy::Delete).then_some(settings.removal_grace);
    (policy, grace.flatten())
}

/// Whether what employees show, or whether they are active, may follow from the difference.
fn concerns_employees(before: &Domain, after: &Domain) -> bool {
    before.precedence != after.precedence || removal(before) != removal(after)
}

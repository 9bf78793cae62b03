//! Passwordless workstation logon settings.

use api::config::v1::{PasswordlessSettings, UpdatePasswordlessSettingsRequest};
use api::convert::time;
use api::event::v1::{PasswordlessSettingsChanged, event::Payload};
use api::name::PasswordlessSettingsName;
use directory::DomainId;

use super::{By, DomainError, Domains, changes};
use crate::announce::{Subject, announce};
use crate::store::{self, PasswordlessRow};
use crate::{mask, validate};

fn settings_id(field: &str, name: &str) -> Result<DomainId, DomainError> {
    name.parse::<PasswordlessSettingsName>()
        .map(|PasswordlessSettingsName(id)| id)
        .map_err(|error| DomainError::invalid(field, error.to_string()))
}

fn message(id: &DomainId, row: Option<&PasswordlessRow>) -> PasswordlessSettings {
    let revision = row.map_or(0, |row| row.revision);
    PasswordlessSettings {
        name: PasswordlessSettingsName(id.clone()).to_string(),
        etag: etag(revision),
        revision,
        update_time: row.map(|row| time::to_proto(row.updated)),
        ..row.map(|row| row.settings.clone()).unwrap_or_default()
    }
}

fn etag(revision: i64) -> String {
    format!("p{revision}")
}

impl Domains {
    pub(crate) async fn passwordless(
        &self,
        name: &str,
    ) -> Result<PasswordlessSettings, DomainError> {
        let id = settings_id("name", name)?;
        let mut reader = self.db.read().await?;
        store::domain(&mut reader, &id)
            .await?
            .ok_or_else(|| DomainError::NotFound(id.clone()))?;
        let row = store::passwordless(&mut reader, &id).await?;
        Ok(message(&id, row.as_ref()))
    }

    pub(crate) async fn update_passwordless(
        &self,
        by: &By,
        request: UpdatePasswordlessSettingsRequest,
    ) -> Result<PasswordlessSettings, DomainError> {
        let patch = request.passwordless_settings.unwrap_or_default();
        let id = settings_id("passwordless_settings.name", &patch.name)?;
        let mut tx = self.db.begin().await?;
        let domain = self.live(&mut tx, &id).await?;
        let before = store::passwordless(&mut tx, &id).await?;
        let revision = before.as_ref().map_or(0, |row| row.revision);
        if !patch.etag.is_empty() && patch.etag != etag(revision) {
            return Err(DomainError::Etag(id));
        }
        let old = before
            .as_ref()
            .map(|row| row.settings.clone())
            .unwrap_or_default();
        let merged = mask::apply(&old, &patch, request.update_mask.as_ref())?;
        let settings =
            validate::passwordless::normalize(merged, domain.kind).map_err(DomainError::Invalid)?;
        if settings == old {
            return Ok(message(&id, before.as_ref()));
        }
        let row = PasswordlessRow {
            settings,
            revision: revision + 1,
            updated: by.now,
        };
        let message = message(&id, Some(&row));
        if request.validate_only {
            return Ok(message);
        }
        store::put_passwordless(&mut tx, &id, &row).await?;
        let mut record = by
            .record("passwordless.update", &id)
            .detail("revision", row.revision);
        record.resource.clone_from(&message.name);
        record.details.extend(changes::between(&old, &row.settings));
        store::append(&mut tx, record).await?;
        let payload = Payload::PasswordlessSettingsChanged(PasswordlessSettingsChanged {
            passwordless_settings: Some(message.clone()),
        });
        let subject = Subject::domain(&id, "passwordless", "updated");
        announce(&mut tx, &self.ids, by.now, subject, payload).await?;
        tx.commit().await?;
        Ok(message)
    }
}

//! Setting, skipping, removing and handing out credentials.

use api::config::v1::{CredentialKind, CredentialState, Domain};
use api::convert::time;
use directory::{DirectoryKind, DomainId};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use storage::{Sql, Transaction};

use super::{By, DomainError, Domains, Secret, domain_message, kind_name};
use crate::audit::Outcome;
use crate::store::{self, DomainRow};
use crate::validate;

/// Opened credentials, for their connector.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) secret: Secret,
    pub(crate) version: i64,
    pub(crate) expires: Option<Timestamp>,
}

/// When credentials expire, as an operator told.
pub(super) fn expires(secret: Option<&Secret>) -> Option<Timestamp> {
    let expire = secret?.expose().expire_time.as_ref()?;
    time::from_proto("expire_time", expire).ok()
}

impl Domains {
    pub(crate) async fn set_credentials(
        &self,
        by: &By,
        id: &DomainId,
        secret: Secret,
    ) -> Result<Domain, DomainError> {
        let mut tx = self.db.begin().await?;
        let mut row = self.live(&mut tx, id).await?;
        validate::credentials::check("credentials", secret.expose(), row.kind, by.now)
            .map_err(DomainError::Invalid)?;
        note(&mut row, by, CredentialState::Set, secret.kind());
        row.credential.expires = expires(Some(&secret));
        self.seal(&mut tx, id, row.credential.version, &secret)
            .await?;
        self.told(tx, by, row, "set").await
    }

    pub(crate) async fn skip_credentials(
        &self,
        by: &By,
        id: &DomainId,
    ) -> Result<Domain, DomainError> {
        let mut tx = self.db.begin().await?;
        let mut row = self.live(&mut tx, id).await?;
        note(
            &mut row,
            by,
            CredentialState::Skipped,
            CredentialKind::Unspecified,
        );
        store::delete_credential(&mut tx, id).await?;
        self.told(tx, by, row, "skipped").await
    }

    /// Stops the domain's sync and rotation, by the event; touches nobody.
    pub(crate) async fn remove_credentials(
        &self,
        by: &By,
        id: &DomainId,
    ) -> Result<Domain, DomainError> {
        let mut tx = self.db.begin().await?;
        let mut row = self.live(&mut tx, id).await?;
        if row.credential.state != CredentialState::Set {
            return Err(DomainError::NoCredentials(id.clone()));
        }
        note(
            &mut row,
            by,
            CredentialState::Removed,
            CredentialKind::Unspecified,
        );
        store::delete_credential(&mut tx, id).await?;
        self.told(tx, by, row, "removed").await
    }

    async fn told(
        &self,
        mut tx: Transaction,
        by: &By,
        row: DomainRow,
        verb: &'static str,
    ) -> Result<Domain, DomainError> {
        store::update_domain(&mut tx, &row).await?;
        let action = match verb {
            "set" => "credentials.set",
            "skipped" => "credentials.skip",
            _ => "credentials.remove",
        };
        let record = by
            .record(action, &row.id)
            .detail("kind", row.credential.kind.as_str_name())
            .detail("version", row.credential.version);
        let fields = vec!["credentials".to_owned()];
        self.changed(&mut tx, &row, "credentials", verb, fields, record)
            .await?;
        tx.commit().await?;
        Ok(domain_message(&row))
    }

    /// Hands a domain's credentials to the connector of its kind. Every call is audited, refused ones too: who had the
    /// secret, and when, must be told whole.
    pub(crate) async fn fetch_credential(
        &self,
        by: &By,
        caller: &str,
        id: &DomainId,
    ) -> Result<Opened, DomainError> {
        let mut tx = self.db.begin().await?;
        let Some(row) = store::domain(&mut tx, id).await? else {
            let record = by.record("credentials.fetch", id).outcome(Outcome::Failed);
            store::append(&mut tx, record).await?;
            tx.commit().await?;
            return Err(DomainError::NotFound(id.clone()));
        };
        let entitled = match row.kind {
            DirectoryKind::ActiveDirectory => "ad-connector",
            DirectoryKind::EntraId => "entra-connector",
        };
        let result = if caller != entitled {
            Err(DomainError::ForeignKind {
                domain: id.clone(),
                caller: caller.to_owned(),
            })
        } else if row.deleted.is_some() {
            Err(DomainError::Deleted(id.clone()))
        } else {
            match self.open(&mut tx, id).await {
                Ok(Some(opened)) => Ok(Opened {
                    expires: row.credential.expires,
                    ..opened
                }),
                Ok(None) => Err(DomainError::NoCredentials(id.clone())),
                Err(error) => Err(error),
            }
        };
        let outcome = match &result {
            Ok(_) => Outcome::Succeeded,
            Err(DomainError::ForeignKind { .. }) => Outcome::Denied,
            Err(_) => Outcome::Failed,
        };
        let record = by
            .record("credentials.fetch", id)
            .outcome(outcome)
            .detail("kind", kind_name(row.kind))
            .detail("version", row.credential.version);
        store::append(&mut tx, record).await?;
        tx.commit().await?;
        result
    }

    /// The credentials as they are stored now.
    pub(super) async fn open(
        &self,
        sql: &mut impl Sql,
        id: &DomainId,
    ) -> Result<Option<Opened>, DomainError> {
        let Some(stored) = store::credential(sql, id).await? else {
            return Ok(None);
        };
        let version = stored.version;
        let bytes = self.unseal(&stored).await?;
        let secret = Secret::decode(bytes.expose_secret())
            .ok_or_else(|| DomainError::BadSecret(id.clone()))?;
        Ok(Some(Opened {
            secret,
            version,
            expires: None,
        }))
    }

    pub(super) async fn seal(
        &self,
        tx: &mut Transaction,
        id: &DomainId,
        version: i64,
        secret: &Secret,
    ) -> Result<(), DomainError> {
        let sealed = self.sealed(id, version, secret).await?;
        store::put_credential(tx, &sealed).await?;
        Ok(())
    }
}

/// A new version of the credentials' status.
fn note(row: &mut DomainRow, by: &By, state: CredentialState, kind: CredentialKind) {
    let credential = &mut row.credential;
    credential.state = state;
    credential.kind = kind;
    credential.version += 1;
    credential.changed_by.clone_from(&by.actor);
    credential.changed = by.now;
    credential.expires = None;
}

//! Sealing credentials to their domain and version, and changing the key they are sealed under.

use directory::DomainId;
use sealing::{Record, Sealed};
use secrecy::SecretSlice;

use super::{DomainError, Domains, Secret};
use crate::store::{self, SealedCredential};

/// What sort of secret, as part of what it is sealed to.
const KIND: &str = "directory credentials";
const BATCH: i64 = 100;

fn record(domain: &DomainId, version: i64) -> Record<'_> {
    Record::new(domain.as_str(), KIND, version.unsigned_abs())
}

impl Domains {
    pub(super) async fn sealed(
        &self,
        domain: &DomainId,
        version: i64,
        secret: &Secret,
    ) -> Result<SealedCredential, DomainError> {
        let bytes = secret.encode();
        let sealed = self
            .sealer
            .seal(&record(domain, version), &bytes)
            .await
            .map_err(|source| DomainError::Unsealable(domain.clone(), source))?;
        Ok(row(domain, version, &sealed))
    }

    pub(super) async fn unseal(
        &self,
        stored: &SealedCredential,
    ) -> Result<SecretSlice<u8>, DomainError> {
        let unsealed = |source| DomainError::Unsealed(stored.domain.clone(), source);
        let sealed = Sealed::from_bytes(&stored.sealed).map_err(unsealed)?;
        self.sealer
            .open(&record(&stored.domain, stored.version), &sealed)
            .await
            .map_err(unsealed)
    }

    /// Brings every credential under the active key, row by row: an interrupted pass goes on where it stopped, and one
    /// row that can't be opened stops no other. Returns how many were rewrapped.
    pub(crate) async fn rewrap(&self) -> Result<usize, DomainError> {
        let active = match self.sealer.active_key().await {
            Ok(key) => key.to_string(),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to ask for the active key"
                );
                return Ok(0);
            }
        };
        let mut after = String::new();
        let mut rewrapped = 0;
        loop {
            let mut reader = self.db.read().await?;
            let rows = store::credentials_not_under(&mut reader, &active, &after, BATCH).await?;
            drop(reader);
            let Some(last) = rows.last() else {
                return Ok(rewrapped);
            };
            after = last.domain.to_string();
            for stored in &rows {
                match self.rewrap_one(stored).await {
                    Ok(()) => rewrapped += 1,
                    Err(error) => tracing::error!(
                        domain.id = %stored.domain,
                        error = &error as &dyn std::error::Error,
                        "failed to bring credentials under the active key; they stay under `{}`", stored.key_id,
                    ),
                }
            }
        }
    }

    async fn rewrap_one(&self, stored: &SealedCredential) -> Result<(), DomainError> {
        let unsealed = |source| DomainError::Unsealed(stored.domain.clone(), source);
        let sealed = Sealed::from_bytes(&stored.sealed).map_err(unsealed)?;
        let sealed = self
            .sealer
            .rewrap(&record(&stored.domain, stored.version), &sealed)
            .await
            .map_err(unsealed)?;
        let mut tx = self.db.begin().await?;
        // Changed or removed meanwhile: that one is under the active key already.
        if store::credential(&mut tx, &stored.domain).await?.as_ref() == Some(stored) {
            store::put_credential(&mut tx, &row(&stored.domain, stored.version, &sealed)).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

fn row(domain: &DomainId, version: i64, sealed: &Sealed) -> SealedCredential {
    SealedCredential {
        domain: domain.clone(),
        version,
        key_id: sealed.key_id().to_string(),
        sealed: sealed.to_bytes(),
    }
}

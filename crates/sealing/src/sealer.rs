//! Sealing, opening, and changing the key without opening.

use std::sync::Arc;

use secrecy::SecretSlice;

use crate::{DataKey, Error, KeyId, KeyProvider, Record, Sealed, WrappedKey, cipher};

const SECRET_LAYER: &str = "hes sealing 1 secret";
const KEY_LAYER: &str = "hes sealing 1 key";

/// Seals secrets into records. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<dyn KeyProvider>,
}

impl Sealer {
    pub fn new(keys: Arc<dyn KeyProvider>) -> Self {
        Self { keys }
    }

    /// Encrypts one version of a secret with a key of its own.
    pub async fn seal(&self, record: &Record<'_>, secret: &[u8]) -> Result<Sealed, Error> {
        let key = DataKey::generate()?;
        let associated_data = record.associated_data(SECRET_LAYER);
        let (nonce, body) = cipher::encrypt(key.expose(), &associated_data, secret)?;
        Ok(Sealed {
            wrapped: self.wrap(record, &key).await?,
            nonce,
            body,
        })
    }

    /// The secret, if it was sealed into this very record and no bit has changed since.
    pub async fn open(
        &self,
        record: &Record<'_>,
        sealed: &Sealed,
    ) -> Result<SecretSlice<u8>, Error> {
        let key = self.unwrap(record, &sealed.wrapped).await?;
        let associated_data = record.associated_data(SECRET_LAYER);
        let plain = cipher::decrypt(key.expose(), &associated_data, &sealed.nonce, &sealed.body)
            .ok_or_else(|| Error::Unopenable(sealed.key_id().clone()))?;
        // An exact copy: shrinking a longer buffer in place could leave its bytes behind.
        Ok(plain.as_slice().to_vec().into())
    }

    /// The same secret under the active key. Its ciphertext stays; the secret itself is not decrypted.
    pub async fn rewrap(&self, record: &Record<'_>, sealed: &Sealed) -> Result<Sealed, Error> {
        let key = self.unwrap(record, &sealed.wrapped).await?;
        Ok(Sealed {
            wrapped: self.wrap(record, &key).await?,
            nonce: sealed.nonce,
            body: sealed.body.clone(),
        })
    }

    /// Whether it is sealed under another key than the active one. Ask row by row: a rewrap that was interrupted goes on
    /// where it stopped.
    pub async fn needs_rewrap(&self, sealed: &Sealed) -> Result<bool, Error> {
        Ok(*sealed.key_id() != self.active_key().await?)
    }

    /// The key that seals from now on.
    pub async fn active_key(&self) -> Result<KeyId, Error> {
        self.keys.active_key().await
    }

    async fn wrap(&self, record: &Record<'_>, key: &DataKey) -> Result<WrappedKey, Error> {
        let associated_data = record.associated_data(KEY_LAYER);
        let wrapped = self.keys.wrap(key, &associated_data).await?;
        if wrapped.bytes.len() > usize::from(u16::MAX) {
            return Err(Error::Format("the key provider's wrapped key is too long"));
        }
        Ok(wrapped)
    }

    async fn unwrap(&self, record: &Record<'_>, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        let associated_data = record.associated_data(KEY_LAYER);
        self.keys.unwrap(wrapped, &associated_data).await
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

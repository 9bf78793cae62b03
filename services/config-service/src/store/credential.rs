//! Sealed credentials. Nothing here can open them.

use directory::DomainId;
use storage::{Row, Sql, Transaction, params};

use super::{Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedCredential {
    pub(crate) domain: DomainId,
    pub(crate) version: i64,
    /// The key-encryption key it is sealed under.
    pub(crate) key_id: String,
    pub(crate) sealed: Vec<u8>,
}

fn from_row(row: &Row) -> Result<SealedCredential> {
    let domain: String = row.get("domain_id")?;
    Ok(SealedCredential {
        version: row.get("version")?,
        key_id: row.get("key_id")?,
        sealed: row.get("sealed")?,
        domain: domain
            .parse()
            .map_err(|_| StoreError::corrupt("credential", &domain))?,
    })
}

pub(crate) async fn credential(
    sql: &mut impl Sql,
    domain: &DomainId,
) -> Result<Option<SealedCredential>> {
    let row = sql
        .query_optional(
            "SELECT * FROM credential WHERE domain_id = $1",
            params![domain.as_str()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

pub(crate) async fn put_credential(
    tx: &mut Transaction,
    credential: &SealedCredential,
) -> Result<()> {
    tx.execute(
        "INSERT INTO credential (domain_id, version, key_id, sealed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (domain_id) DO UPDATE
         SET version = excluded.version, key_id = excluded.key_id, sealed = excluded.sealed",
        params![
            credential.domain.as_str(),
            credential.version,
            credential.key_id.as_str(),
            credential.sealed.as_slice()
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn delete_credential(tx: &mut Transaction, domain: &DomainId) -> Result<()> {
    tx.execute(
        "DELETE FROM credential WHERE domain_id = $1",
        params![domain.as_str()],
    )
    .await?;
    Ok(())
}

/// Those still sealed under another key than `key_id`, a few at a time.
pub(crate) async fn credentials_not_under(
    sql: &mut impl Sql,
    key_id: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<SealedCredential>> {
    let rows = sql
        .query(
            "SELECT * FROM credential WHERE key_id <> $1 AND domain_id > $2 ORDER BY domain_id LIMIT $3",
            params![key_id, after, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

//! Passwordless logon settings.

use api::config::v1::PasswordlessSettings;
use directory::DomainId;
use jiff::Timestamp;
use prost::Message as _;
use storage::{Sql, Transaction, params};

use super::{Result, decode};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PasswordlessRow {
    /// What an administrator wrote; nothing else of the message is set.
    pub(crate) settings: PasswordlessSettings,
    pub(crate) revision: i64,
    pub(crate) updated: Timestamp,
}

pub(crate) async fn passwordless(
    sql: &mut impl Sql,
    domain: &DomainId,
) -> Result<Option<PasswordlessRow>> {
    let row = sql
        .query_optional(
            "SELECT settings, revision, updated FROM passwordless WHERE domain_id = $1",
            params![domain.as_str()],
        )
        .await?;
    row.map(|row| {
        Ok(PasswordlessRow {
            settings: decode(
                &row.get::<Vec<u8>>("settings")?,
                "passwordless settings",
                domain.as_str(),
            )?,
            revision: row.get("revision")?,
            updated: row.get("updated")?,
        })
    })
    .transpose()
}

pub(crate) async fn put_passwordless(
    tx: &mut Transaction,
    domain: &DomainId,
    row: &PasswordlessRow,
) -> Result<()> {
    tx.execute(
        "INSERT INTO passwordless (domain_id, settings, revision, updated) VALUES ($1, $2, $3, $4)
         ON CONFLICT (domain_id) DO UPDATE
         SET settings = excluded.settings, revision = excluded.revision, updated = excluded.updated",
        params![domain.as_str(), row.settings.encode_to_vec(), row.revision, row.updated],
    )
    .await?;
    Ok(())
}

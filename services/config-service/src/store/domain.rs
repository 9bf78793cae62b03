//! Domains.

use api::config::v1::{CredentialKind, CredentialState, Domain};
use api::directory::v1::DirectoryPinned;
use directory::{DirectoryKind, DomainId};
use jiff::Timestamp;
use prost::Message as _;
use storage::{Row, Sql, Transaction, params};

use super::{Result, StoreError, decode};

/// One domain as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DomainRow {
    pub(crate) id: DomainId,
    pub(crate) kind: DirectoryKind,
    /// What an administrator wrote, defaults filled in; nothing else of the message is set.
    pub(crate) settings: Domain,
    pub(crate) revision: i64,
    pub(crate) group_revision: i64,
    pub(crate) pinned: Option<DirectoryPinned>,
    pub(crate) credential: CredentialRow,
    pub(crate) removal_changed: Timestamp,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) deleted: Option<Timestamp>,
    pub(crate) purges: Option<Timestamp>,
}

/// What may be told of a domain's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CredentialRow {
    pub(crate) state: CredentialState,
    pub(crate) kind: CredentialKind,
    pub(crate) version: i64,
    pub(crate) changed_by: String,
    pub(crate) changed: Timestamp,
    pub(crate) expires: Option<Timestamp>,
}

fn from_row(row: &Row) -> Result<DomainRow> {
    let id: String = row.get("id")?;
    let corrupt = || StoreError::corrupt("domain", &id);
    let pinned: Option<Vec<u8>> = row.get("pinned")?;
    let number =
        |column| -> Result<i32> { i32::try_from(row.get::<i64>(column)?).map_err(|_| corrupt()) };
    Ok(DomainRow {
        kind: kind_from_number(row.get("kind")?).ok_or_else(corrupt)?,
        settings: decode(&row.get::<Vec<u8>>("settings")?, "domain", &id)?,
        revision: row.get("revision")?,
        group_revision: row.get("group_revision")?,
        pinned: pinned
            .map(|bytes| decode(&bytes, "domain", &id))
            .transpose()?,
        credential: CredentialRow {
            state: CredentialState::try_from(number("credential_state")?).map_err(|_| corrupt())?,
            kind: CredentialKind::try_from(number("credential_kind")?).map_err(|_| corrupt())?,
            version: row.get("credential_version")?,
            changed_by: row.get("credential_changed_by")?,
            changed: row.get("credential_changed")?,
            expires: row.get("credential_expires")?,
        },
        removal_changed: row.get("removal_changed")?,
        created: row.get("created")?,
        updated: row.get("updated")?,
        deleted: row.get("deleted")?,
        purges: row.get("purges")?,
        id: id.parse().map_err(|_| corrupt())?,
    })
}

fn kind_number(kind: DirectoryKind) -> i64 {
    match kind {
        DirectoryKind::ActiveDirectory => 1,
        DirectoryKind::EntraId => 2,
    }
}

fn kind_from_number(number: i64) -> Option<DirectoryKind> {
    [DirectoryKind::ActiveDirectory, DirectoryKind::EntraId]
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
}

pub(crate) async fn domain(sql: &mut impl Sql, id: &DomainId) -> Result<Option<DomainRow>> {
    let row = sql
        .query_optional("SELECT * FROM domain WHERE id = $1", params![id.as_str()])
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// All of them, deleted ones too: there are few.
pub(crate) async fn domains(sql: &mut impl Sql) -> Result<Vec<DomainRow>> {
    let rows = sql
        .query("SELECT * FROM domain ORDER BY id", params![])
        .await?;
    rows.iter().map(from_row).collect()
}

pub(crate) async fn domains_page(
    sql: &mut impl Sql,
    after: &str,
    show_deleted: bool,
    limit: i64,
) -> Result<Vec<DomainRow>> {
    let rows = sql
        .query(
            "SELECT * FROM domain WHERE id > $1 AND ($2 = 1 OR deleted IS NULL) ORDER BY id LIMIT $3",
            params![after, i64::from(show_deleted), limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

pub(crate) async fn domains_to_purge(sql: &mut impl Sql, now: Timestamp) -> Result<Vec<DomainRow>> {
    let rows = sql
        .query(
            "SELECT * FROM domain WHERE purges <= $1 ORDER BY id",
            params![now],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Whether it was new.
pub(crate) async fn insert_domain(tx: &mut Transaction, row: &DomainRow) -> Result<bool> {
    let credential = &row.credential;
    let inserted = tx
        .execute(
            "INSERT INTO domain (id, kind, settings, revision, group_revision, pinned, pin_generation,
                 credential_state, credential_kind, credential_version, credential_changed_by, credential_changed,
                 credential_expires, removal_changed, created, updated, deleted, purges)
             VALUES ($1, $2, $3, $4, $5, NULL, 0, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT (id) DO NOTHING",
            params![
                row.id.as_str(),
                kind_number(row.kind),
                row.settings.encode_to_vec(),
                row.revision,
                row.group_revision,
                i64::from(i32::from(credential.state)),
                i64::from(i32::from(credential.kind)),
                credential.version,
                credential.changed_by.as_str(),
                credential.changed,
                credential.expires,
                row.removal_changed,
                row.created,
                row.updated,
                row.deleted,
                row.purges
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Everything but what the connector tells.
pub(crate) async fn update_domain(tx: &mut Transaction, row: &DomainRow) -> Result<()> {
    let credential = &row.credential;
    tx.execute(
        "UPDATE domain SET settings = $2, revision = $3, group_revision = $4, credential_state = $5, credential_kind = $6,
             credential_version = $7, credential_changed_by = $8, credential_changed = $9, credential_expires = $10,
             removal_changed = $11, updated = $12, deleted = $13, purges = $14
         WHERE id = $1",
        params![
            row.id.as_str(),
            row.settings.encode_to_vec(),
            row.revision,
            row.group_revision,
            i64::from(i32::from(credential.state)),
            i64::from(i32::from(credential.kind)),
            credential.version,
            credential.changed_by.as_str(),
            credential.changed,
            credential.expires,
            row.removal_changed,
            row.updated,
            row.deleted,
            row.purges
        ],
    )
    .await?;
    Ok(())
}

/// What the settings turned out to mean, if that is newer than what is known. Whether it was.
pub(crate) async fn put_pinned(
    tx: &mut Transaction,
    id: &DomainId,
    pinned: &DirectoryPinned,
) -> Result<bool> {
    let updated = tx
        .execute(
            "UPDATE domain SET pinned = $2, pin_generation = $3 WHERE id = $1 AND pin_generation < $3",
            params![id.as_str(), pinned.encode_to_vec(), pinned.generation],
        )
        .await?;
    Ok(updated == 1)
}

/// Removes the record, and with it credentials and passwordless settings.
pub(crate) async fn purge_domain(tx: &mut Transaction, id: &DomainId) -> Result<()> {
    tx.execute("DELETE FROM domain WHERE id = $1", params![id.as_str()])
        .await?;
    tx.execute(
        "DELETE FROM domain_work WHERE domain_id = $1",
        params![id.as_str()],
    )
    .await?;
    Ok(())
}

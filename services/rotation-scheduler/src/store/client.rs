//! Delivery clients, and what each was offered.

use jiff::Timestamp;
use storage::{Row, Sql, Transaction, params};

use super::{Result, StoreError, count};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientRow {
    pub(crate) id: String,
    /// SHA-256 of its token.
    pub(crate) token_hash: Vec<u8>,
    /// Names of the domains whose passwords it may receive.
    pub(crate) domains: Vec<String>,
    pub(crate) offers_per_hour: u32,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    pub(crate) revoked: Option<Timestamp>,
}

fn from_row(row: &Row) -> Result<ClientRow> {
    let id: String = row.get("id")?;
    let domains: String = row.get("domains")?;
    Ok(ClientRow {
        token_hash: row.get("token_hash")?,
        domains: domains.split(' ').map(str::to_owned).collect(),
        offers_per_hour: row
            .get::<i64>("offers_per_hour")?
            .try_into()
            .map_err(|_| StoreError::corrupt("delivery client", &id))?,
        created: row.get("created")?,
        created_by: row.get("created_by")?,
        revoked: row.get("revoked")?,
        id,
    })
}

/// Whether it was new.
pub(crate) async fn insert_client(tx: &mut Transaction, row: &ClientRow) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO client (id, token_hash, domains, offers_per_hour, created, created_by)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            params![
                row.id.as_str(),
                row.token_hash.as_slice(),
                row.domains.join(" "),
                row.offers_per_hour,
                row.created,
                row.created_by.as_str(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

pub(crate) async fn client(sql: &mut impl Sql, id: &str) -> Result<Option<ClientRow>> {
    let row = sql
        .query_optional("SELECT * FROM client WHERE id = $1", params![id])
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// All of them, revoked ones too: there are few.
pub(crate) async fn clients(sql: &mut impl Sql) -> Result<Vec<ClientRow>> {
    let rows = sql
        .query("SELECT * FROM client ORDER BY id", params![])
        .await?;
    rows.iter().map(from_row).collect()
}

pub(crate) async fn revoke_client(tx: &mut Transaction, id: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE client SET revoked = $2 WHERE id = $1 AND revoked IS NULL",
        params![id, now],
    )
    .await?;
    Ok(())
}

pub(crate) async fn insert_offer(tx: &mut Transaction, client: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO offer (client_id, time) VALUES ($1, $2)",
        params![client, now],
    )
    .await?;
    Ok(())
}

pub(crate) async fn offers_since(
    sql: &mut impl Sql,
    client: &str,
    since: Timestamp,
) -> Result<u32> {
    let row = sql
        .query_one(
            "SELECT COUNT(*) AS count FROM offer WHERE client_id = $1 AND time > $2",
            params![client, since],
        )
        .await?;
    count(&row)
}

pub(crate) async fn prune_offers(tx: &mut Transaction, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM offer WHERE time < $1", params![before])
        .await?;
    Ok(())
}

//! Requests that were answered.

use jiff::Timestamp;
use storage::{Sql, Transaction, params};

use super::Result;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnsweredRequest {
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) response: Vec<u8>,
}

pub(crate) async fn answered_request(
    sql: &mut impl Sql,
    id: &str,
) -> Result<Option<AnsweredRequest>> {
    let row = sql
        .query_optional(
            "SELECT fingerprint, response FROM answered_request WHERE id = $1",
            params![id],
        )
        .await?;
    row.map(|row| {
        Ok(AnsweredRequest {
            fingerprint: row.get("fingerprint")?,
            response: row.get("response")?,
        })
    })
    .transpose()
}

pub(crate) async fn insert_request(
    tx: &mut Transaction,
    id: &str,
    request: &AnsweredRequest,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO answered_request (id, fingerprint, response, answered) VALUES ($1, $2, $3, $4)",
        params![id, request.fingerprint.as_slice(), request.response.as_slice(), now],
    )
    .await?;
    Ok(())
}

/// Forgets answers given before `before`.
pub(crate) async fn forget_requests(tx: &mut Transaction, before: Timestamp) -> Result<u64> {
    Ok(tx
        .execute(
            "DELETE FROM answered_request WHERE answered < $1",
            params![before],
        )
        .await?)
}

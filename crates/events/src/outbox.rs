//! The outbox: events, in the transaction of the change they tell of.

use jiff::Timestamp;
use storage::{Bulk, Error, Row, Sql, Transaction, params};
use uuid::Uuid;

use crate::Envelope;

static APPENDED: Bulk = Bulk::insert(
    "INSERT INTO hes_outbox (id, subject, time, payload, traceparent) VALUES",
    5,
    "",
);

static PUBLISHED: Bulk = Bulk::among(
    "UPDATE hes_outbox SET published_at = $1 WHERE published_at IS NULL AND seq IN",
    1,
    "",
);

/// Appends events. They are told if, and only if, the transaction commits.
pub async fn append<'a>(
    transaction: &mut Transaction,
    events: impl IntoIterator<Item = &'a Envelope>,
) -> Result<(), Error> {
    let rows = events.into_iter().map(|event| {
        params![
            event.id,
            event.subject.as_str(),
            event.time,
            &event.payload,
            event.traceparent.as_deref(),
        ]
    });
    APPENDED.execute(transaction, Vec::new(), rows).await?;
    Ok(())
}

/// How many events wait to be published.
pub async fn depth(sql: &mut impl Sql) -> Result<u64, Error> {
    sql.query_one(
        "SELECT COUNT(*) AS depth FROM hes_outbox WHERE published_at IS NULL",
        params![],
    )
    .await?
    .get("depth")
}

/// When the oldest event that waits happened.
pub async fn oldest(sql: &mut impl Sql) -> Result<Option<Timestamp>, Error> {
    sql.query_optional(
        "SELECT time FROM hes_outbox WHERE published_at IS NULL ORDER BY seq LIMIT 1",
        params![],
    )
    .await?
    .map(|row| row.get("time"))
    .transpose()
}

/// The oldest unpublished events. Selected by their state, never by a position: sequence numbers are given out in one
/// order and committed in another.
pub(crate) async fn unpublished(
    sql: &mut impl Sql,
    limit: i64,
) -> Result<Vec<(i64, Result<Envelope, Uuid>)>, Error> {
    let rows = sql
        .query(
            "SELECT seq, id, subject, time, payload, traceparent FROM hes_outbox
             WHERE published_at IS NULL ORDER BY seq LIMIT $1",
            params![limit],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("seq")?, envelope(row)?)))
        .collect()
}

fn envelope(row: &Row) -> Result<Result<Envelope, Uuid>, Error> {
    let id = row.get("id")?;
    let Ok(subject) = row.get::<String>("subject")?.parse() else {
        return Ok(Err(id));
    };
    Ok(Ok(Envelope {
        id,
        subject,
        time: row.get("time")?,
        payload: row.get("payload")?,
        traceparent: row.get("traceparent")?,
    }))
}

pub(crate) async fn mark_published(
    transaction: &mut Transaction,
    seqs: &[i64],
    now: Timestamp,
) -> Result<(), Error> {
    let rows = seqs.iter().map(|seq| params![*seq]);
    PUBLISHED.execute(transaction, params![now], rows).await?;
    Ok(())
}

pub(crate) async fn prune(
    transaction: &mut Transaction,
    published_before: Timestamp,
) -> Result<u64, Error> {
    transaction
        .execute(
            "DELETE FROM hes_outbox WHERE published_at < $1",
            params![published_before],
        )
        .await
}

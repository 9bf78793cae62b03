//! Domains, and how rotation stands in each.

use api::config::v1::Domain;
use directory::DomainId;
use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use storage::{Row, Sql, Transaction, params};

use super::{Result, StoreError, decode};

/// One domain as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DomainRow {
    pub(crate) id: DomainId,
    pub(crate) settings: Domain,
    /// objectGUID of the domain head, or the tenant id.
    pub(crate) directory: Option<String>,
    pub(crate) paused_by: Option<String>,
    pub(crate) breaker: Option<Breaker>,
    /// What happened before is no reason to stop any more.
    pub(crate) cleared: Timestamp,
    /// The directory's clock less ours.
    pub(crate) clock_skew: SignedDuration,
    /// Accounts that rotated at the look that later ones are compared with, and when that was.
    pub(crate) eligible: Option<(u32, Timestamp)>,
}

/// An open breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breaker {
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) since: Timestamp,
}

fn from_row(row: &Row) -> Result<DomainRow> {
    let id: String = row.get("id")?;
    let corrupt = || StoreError::corrupt("domain", &id);
    let eligible: Option<i64> = row.get("eligible")?;
    let breaker: Option<String> = row.get("breaker")?;
    Ok(DomainRow {
        settings: decode(&row.get::<Vec<u8>>("settings")?, "domain", &id)?,
        directory: row.get("directory_id")?,
        paused_by: row.get("paused_by")?,
        breaker: breaker
            .map(|name| {
                Ok::<_, StoreError>(Breaker {
                    name,
                    message: row.get("breaker_message")?,
                    since: row.get("breaker_time")?,
                })
            })
            .transpose()?,
        cleared: row.get("cleared")?,
        clock_skew: SignedDuration::from_micros(row.get("clock_skew")?),
        eligible: eligible
            .map(|eligible| {
                let eligible = u32::try_from(eligible).map_err(|_| corrupt())?;
                Ok::<_, StoreError>((eligible, row.get("eligible_time")?))
            })
            .transpose()?,
        id: id.parse().map_err(|_| corrupt())?,
    })
}

pub(crate) async fn domain(sql: &mut impl Sql, id: &DomainId) -> Result<Option<DomainRow>> {
    let row = sql
        .query_optional("SELECT * FROM domain WHERE id = $1", params![id.as_str()])
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// All of them: there are few.
pub(crate) async fn domains(sql: &mut impl Sql) -> Result<Vec<DomainRow>> {
    let rows = sql
        .query("SELECT * FROM domain ORDER BY id", params![])
        .await?;
    rows.iter().map(from_row).collect()
}

/// Writes what config-service tells; how rotation stands is left as it is.
pub(crate) async fn put_settings(
    tx: &mut Transaction,
    id: &DomainId,
    settings: &Domain,
    now: Timestamp,
) -> Result<()> {
    let directory = settings
        .identity
        .as_ref()
        .map(|identity| identity.directory_id.as_str());
    tx.execute(
        "INSERT INTO domain (id, settings, directory_id, breaker_message, cleared, clock_skew)
         VALUES ($1, $2, $3, '', $4, 0)
         ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, directory_id = excluded.directory_id",
        params![id.as_str(), settings.encode_to_vec(), directory, now],
    )
    .await?;
    Ok(())
}

/// Pauses, or with `None` ends the pause.
pub(crate) async fn put_pause(tx: &mut Transaction, id: &DomainId, by: Option<&str>) -> Result<()> {
    tx.execute(
        "UPDATE domain SET paused_by = $2 WHERE id = $1",
        params![id.as_str(), by],
    )
    .await?;
    Ok(())
}

/// Who paused everything, where somebody did.
pub(crate) async fn pause_of_all(sql: &mut impl Sql) -> Result<Option<String>> {
    let row = sql
        .query_optional("SELECT paused_by FROM pause WHERE id = 1", params![])
        .await?;
    Ok(row.map(|row| row.get("paused_by")).transpose()?)
}

pub(crate) async fn put_pause_of_all(tx: &mut Transaction, by: Option<&str>) -> Result<()> {
    match by {
        Some(by) => {
            tx.execute(
                "INSERT INTO pause (id, paused_by) VALUES (1, $1)
                 ON CONFLICT (id) DO UPDATE SET paused_by = excluded.paused_by",
                params![by],
            )
            .await?
        }
        None => {
            tx.execute("DELETE FROM pause WHERE id = 1", params![])
                .await?
        }
    };
    Ok(())
}

/// Opens the breaker, or closes it: from `now` on, the past is no reason to stop.
pub(crate) async fn put_breaker(
    tx: &mut Transaction,
    id: &DomainId,
    breaker: Option<(&str, &str)>,
    now: Timestamp,
) -> Result<()> {
    match breaker {
        Some((name, message)) => {
            tx.execute(
                "UPDATE domain SET breaker = $2, breaker_message = $3, breaker_time = $4 WHERE id = $1",
                params![id.as_str(), name, message, now],
            )
            .await?
        }
        None => {
            tx.execute(
                "UPDATE domain SET breaker = NULL, breaker_message = '', breaker_time = NULL, cleared = $2,
                     eligible = NULL
                 WHERE id = $1",
                params![id.as_str(), now],
            )
            .await?
        }
    };
    Ok(())
}

pub(crate) async fn put_clock_skew(
    tx: &mut Transaction,
    id: &DomainId,
    skew: SignedDuration,
) -> Result<()> {
    let micros = i64::try_from(skew.as_micros()).unwrap_or(i64::MAX);
    tx.execute(
        "UPDATE domain SET clock_skew = $2 WHERE id = $1",
        params![id.as_str(), micros],
    )
    .await?;
    Ok(())
}

pub(crate) async fn put_eligible(
    tx: &mut Transaction,
    id: &DomainId,
    eligible: u32,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE domain SET eligible = $2, eligible_time = $3 WHERE id = $1",
        params![id.as_str(), eligible, now],
    )
    .await?;
    Ok(())
}

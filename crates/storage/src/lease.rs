//! Leases: who may do a piece of work, for how long, by the database's clock.
//!
//! A lease alone proves nothing, because its holder may be paused past its end. Every holder therefore has a fencing token
//! that grows with each change of hands; a transaction that must only happen under the lease asserts it.

use std::time::Duration;

use crate::{Database, Error, Sql, Transaction, params};

/// A claim on a name. Renew it well before it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub owner: String,
    /// Grows with each change of hands.
    pub token: i64,
}

/// Takes the lease if it is free, expired, or the owner's already; an owner who has it keeps its token. `None` while
/// somebody else has it.
pub async fn claim(
    transaction: &mut Transaction,
    name: &str,
    owner: &str,
    ttl: Duration,
) -> Result<Option<Lease>, Error> {
    let row = transaction
        .query_optional(
            "INSERT INTO hes_lease (name, owner, token, expires_at)
             VALUES ($1, $2, 1, CAST(unixepoch('subsec') * 1000000 AS BIGINT) + $3)
             ON CONFLICT (name) DO UPDATE
             SET token = CASE WHEN hes_lease.owner = excluded.owner
                              AND hes_lease.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT)
                         THEN hes_lease.token ELSE hes_lease.token + 1 END,
                 owner = excluded.owner,
                 expires_at = excluded.expires_at
             WHERE hes_lease.owner = excluded.owner
                OR hes_lease.expires_at <= CAST(unixepoch('subsec') * 1000000 AS BIGINT)
             RETURNING token",
            params![name, owner, micros(ttl)],
        )
        .await?;
    row.map(|row| {
        Ok(Lease {
            name: name.to_owned(),
            owner: owner.to_owned(),
            token: row.get("token")?,
        })
    })
    .transpose()
}

/// Prolongs the lease from now. [`Error::LeaseLost`] when somebody else has taken it. One that ran out and that nobody took
/// is prolonged too: the token is the fence, and a long transaction must not lose its lease again and again.
pub async fn renew(
    transaction: &mut Transaction,
    lease: &Lease,
    ttl: Duration,
) -> Result<(), Error> {
    let renewed = transaction
        .execute(
            "UPDATE hes_lease
             SET expires_at = CAST(unixepoch('subsec') * 1000000 AS BIGINT) + $1
             WHERE name = $2 AND owner = $3 AND token = $4 AND expires_at > 0",
            params![micros(ttl), &lease.name, &lease.owner, lease.token],
        )
        .await?;
    held(lease, renewed)
}

/// Gives the lease up; nothing happens when it is lost already. The row stays, and with it the token's count.
pub async fn release(transaction: &mut Transaction, lease: &Lease) -> Result<(), Error> {
    transaction
        .execute(
            "UPDATE hes_lease SET expires_at = 0 WHERE name = $1 AND owner = $2 AND token = $3",
            params![&lease.name, &lease.owner, lease.token],
        )
        .await
        .map(|_| ())
}

/// Fails the transaction's caller unless the lease is still held: put it first in every transaction that needs the lease.
pub async fn assert_held(transaction: &mut Transaction, lease: &Lease) -> Result<(), Error> {
    let rows = transaction
        .query(
            "SELECT 1 AS held FROM hes_lease
             WHERE name = $1 AND owner = $2 AND token = $3
               AND expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT)",
            params![&lease.name, &lease.owner, lease.token],
        )
        .await?;
    held(lease, rows.len() as u64)
}

/// Does work under the lease, prolongs the lease meanwhile, and gives it up. When the lease is lost first, the work is
/// dropped where it stands and the error is [`Error::LeaseLost`].
pub async fn under<T, E: From<Error>>(
    database: &Database,
    lease: &Lease,
    ttl: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let keep = async {
        loop {
            tokio::time::sleep(ttl / 3).await;
            let mut transaction = database.begin().await?;
            renew(&mut transaction, lease, ttl).await?;
            transaction.commit().await?;
        }
    };
    let done = tokio::select! {
        done = work => done,
        lost = keep => {
            let lost: Result<T, Error> = lost;
            lost.map_err(E::from)
        }
    };
    let mut transaction = database.begin().await?;
    release(&mut transaction, lease).await?;
    transaction.commit().await?;
    done
}

fn held(lease: &Lease, rows: u64) -> Result<(), Error> {
    match rows {
        0 => Err(Error::LeaseLost {
            name: lease.name.clone(),
        }),
        _ => Ok(()),
    }
}

fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)
}

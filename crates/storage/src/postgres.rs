//! PostgreSQL: a server, any number of processes, and still one writer at a time.
//!
//! Every transaction that writes takes the lock of one table first, so that it sees all that was committed before it and
//! nothing changes under it: the same as on SQLite, which the stores are written and tested for (docs/adr/0008).

mod transaction;

use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection};

pub(crate) use transaction::{Connections, PgTransaction};

use crate::settings::{Place, Postgres, Tls};
use crate::{Error, Settings};

/// A transaction that waits for its client longer is ended: a client that was stopped must not keep the others waiting.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);
/// Older servers lack `client_connection_check_interval`, and are no longer maintained.
const OLDEST: u32 = 14;
/// How a certificate begins in a PEM file.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Connections, opened as they are needed.
pub(crate) fn connections(settings: &Postgres, place: &Place) -> Result<Connections, Error> {
    let pool = PgPoolOptions::new()
        // One of them may be the spare, which nobody waits for.
        .max_connections(settings.connections.max(3))
        .acquire_timeout(settings.acquire_timeout())
        // Beginning a transaction tests the connection.
        .test_before_acquire(false)
        .connect_lazy_with(options(settings, place)?);
    Ok(Connections::new(pool, settings.query_timeout()))
}

/// One connection, to a server that is new enough.
pub(crate) async fn connect(settings: &Settings) -> Result<PgConnection, Error> {
    let place = settings.place();
    let options = options(&settings.postgres, &place)?;
    let opening = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        let number: String = sqlx::query_scalar("SHOW server_version_num")
            .fetch_one(&mut connection)
            .await?;
        Ok((connection, number))
    };
    let opened = tokio::time::timeout(settings.postgres.acquire_timeout(), opening).await;
    let (connection, number) =
        opened
            .unwrap_or_else(|_elapsed| Err(timed_out()))
            .map_err(|source| Error::Open {
                place: place.clone(),
                source,
            })?;
    let major = number.parse().map_or(0, |number: u32| number / 10_000);
    if major < OLDEST {
        return Err(Error::TooOld {
            place,
            version: major,
            oldest: OLDEST,
        });
    }
    Ok(connection)
}

/// Whether the files that the settings name can be used.
pub(crate) fn check(settings: &Postgres, place: &Place) -> Result<(), Error> {
    if let Some(path) = settings.ca_file() {
        let failed = |source| Error::CaFile {
            place: place.clone(),
            path: path.to_owned(),
            source,
        };
        let pem = std::fs::read(path).map_err(failed)?;
        if !pem
            .windows(CERTIFICATE.len())
            .any(|part| part == CERTIFICATE)
        {
            let problem = "it holds no certificate as PEM";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, problem)));
        }
    }
    options(settings, place).map(drop)
}

fn options(settings: &Postgres, place: &Place) -> Result<PgConnectOptions, Error> {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&settings.host)
        .port(settings.port)
        .database(&settings.name)
        .username(&settings.user)
        .application_name("hes")
        .ssl_mode(match settings.tls {
            Tls::VerifyFull => PgSslMode::VerifyFull,
            Tls::Off => PgSslMode::Disable,
        })
        .options([
            // R1: what is committed is on disk, whatever the server's own default.
            ("synchronous_commit", "on".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("lock_timeout", seconds(settings.lock_timeout_seconds)),
            (
                "idle_in_transaction_session_timeout",
                seconds(IDLE_IN_TRANSACTION.as_secs()),
            ),
            // A query whose client is gone is ended, and its locks with it.
            ("client_connection_check_interval", seconds(10)),
        ]);
    if let Some(path) = settings.ca_file() {
        options = options.ssl_root_cert(path);
    }
    if let Some(path) = settings.password_file() {
        let text = std::fs::read_to_string(path).map_err(|source| Error::PasswordFile {
            place: place.clone(),
            path: path.to_owned(),
            source,
        })?;
        options = options.password(text.trim_end_matches(['\r', '\n']));
    }
    Ok(options)
}

fn seconds(seconds: u64) -> String {
    format!("{seconds}s")
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(
        io::ErrorKind::TimedOut,
        "the database gave no answer in time",
    ))
}

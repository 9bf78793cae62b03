//! The streams: made when they are first needed, and checked.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind,
};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};

use super::connection::Connection;
use super::error::Error;

const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long an event that is published again is known to be there already. A relay publishes again what it could not mark
/// as published, which takes it seconds once its database is back; consumers put up with later ones.
const DUPLICATES: Duration = Duration::from_secs(60 * 60);

/// The stream of a family of events: `hes_directory` for `hes.directory.>`.
pub(super) fn of_family(family: &str, replicas: usize) -> Config {
    Config {
        description: Some("Events of the HES directory integration".to_owned()),
        duplicate_window: DUPLICATES,
        ..kept(
            format!("hes_{family}"),
            vec![format!("hes.{family}.>")],
            replicas,
        )
    }
}

/// What consumers gave up on: `hes-dead.<consumer>`.
pub(super) fn of_dead_letters(replicas: usize) -> Config {
    Config {
        description: Some("Events that a consumer gave up on".to_owned()),
        duplicate_window: DUPLICATES,
        ..kept(
            "hes_dead_letters".to_owned(),
            vec!["hes-dead.*".to_owned()],
            replicas,
        )
    }
}

/// Why a consumer has to take a snapshot: the newest reason for each, `hes-gap.<consumer>`. Kept until it has.
pub(super) fn of_gaps(replicas: usize) -> Config {
    Config {
        description: Some("Consumers that have missed events".to_owned()),
        max_age: Duration::ZERO,
        max_messages_per_subject: 1,
        ..kept(
            "hes_gaps".to_owned(),
            vec!["hes-gap.*".to_owned()],
            replicas,
        )
    }
}

fn kept(name: String, subjects: Vec<String>, replicas: usize) -> Config {
    Config {
        name,
        subjects,
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        max_age: RETENTION,
        max_messages_per_subject: -1,
        num_replicas: replicas,
        ..Config::default()
    }
}

/// The stream, made where it is missing and brought to `wanted` where it differs.
pub(super) async fn ensure(connection: &Connection, wanted: Config) -> Result<Stream, Error> {
    connection.ready().await?;
    let context = &connection.context;
    for _ in 0..2 {
        match connection
            .ask("look for a stream", context.get_stream(&wanted.name))
            .await
        {
            Ok(stream) => return adjust(connection, stream, wanted).await,
            Err(error) if error.is(is_missing) => {}
            Err(error) => return Err(error),
        }
        match connection
            .ask("make a stream", context.create_stream(wanted.clone()))
            .await
        {
            Ok(stream) => return Ok(stream),
            // Another replica was faster.
            Err(error) if error.is(is_taken) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::OtherStream {
        stream: wanted.name,
        what: "other settings each time it is looked at",
    })
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_taken(error: &CreateStreamError) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

/// Brings an existing stream to what is wanted. What an operator set beside that (placement, a limit of bytes) stays.
async fn adjust(connection: &Connection, stream: Stream, wanted: Config) -> Result<Stream, Error> {
    let found = stream.cached_info().config.clone();
    let refused = |what| Error::OtherStream {
        stream: wanted.name.clone(),
        what,
    };
    if found.retention != wanted.retention {
        return Err(refused("another retention policy than limits"));
    }
    if found.storage != wanted.storage {
        return Err(refused("another storage than files"));
    }
    if found.mirror.is_some() || found.sealed {
        return Err(refused("no way to publish to it (a mirror, or sealed)"));
    }
    let merged = Config {
        subjects: wanted.subjects.clone(),
        discard: wanted.discard,
        max_age: wanted.max_age,
        max_messages_per_subject: wanted.max_messages_per_subject,
        duplicate_window: if wanted.duplicate_window.is_zero() {
            found.duplicate_window
        } else {
            wanted.duplicate_window
        },
        // Only upwards: services that are told different numbers must not undo each other.
        num_replicas: wanted.num_replicas.max(found.num_replicas),
        description: wanted.description.clone(),
        ..found.clone()
    };
    if merged != found {
        connection
            .ask("adjust a stream", connection.context.update_stream(merged))
            .await?;
    }
    Ok(stream)
}

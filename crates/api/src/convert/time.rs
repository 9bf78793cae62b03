//! Timestamps and durations.

use std::time::Duration;

use jiff::Timestamp;

use super::ConvertError;

pub fn to_proto(time: Timestamp) -> prost_types::Timestamp {
    // Jiff's nanosecond part has the sign of the whole; protobuf counts it forward from the second.
    let (seconds, nanos) = (time.as_second(), time.subsec_nanosecond());
    if nanos < 0 {
        prost_types::Timestamp {
            seconds: seconds - 1,
            nanos: nanos + 1_000_000_000,
        }
    } else {
        prost_types::Timestamp { seconds, nanos }
    }
}

pub fn from_proto(
    field: &'static str,
    time: &prost_types::Timestamp,
) -> Result<Timestamp, ConvertError> {
    Timestamp::new(time.seconds, time.nanos)
        .map_err(|_| ConvertError::new(field, "is out of range"))
}

pub fn duration_to_proto(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

pub fn duration_from_proto(
    field: &'static str,
    duration: &prost_types::Duration,
) -> Result<Duration, ConvertError> {
    Duration::try_from(*duration).map_err(|_| ConvertError::new(field, "must not be negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_survive_the_trip_before_and_after_the_epoch() {
        for text in [
            "2026-11-23T10:00:00.25Z",
            "1969-12-31T23:59:59.75Z",
            "1970-01-01T00:00:00Z",
        ] {
            let time: Timestamp = text.parse().unwrap();

            let proto = to_proto(time);

            assert!((0..1_000_000_000).contains(&proto.nanos), "{text}");
            assert_eq!(from_proto("time", &proto), Ok(time), "{text}");
        }
    }
}

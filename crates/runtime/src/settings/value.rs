//! How values are written in settings.

use std::{fmt::Display, str::FromStr, time::Duration};

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, de::Error as _};

/// `#[serde(deserialize_with = "settings::optional")]` for an option without a default: empty means unset.
pub fn optional<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(D::Error::custom)
}

/// `#[serde(deserialize_with = "settings::duration")]` for `"30s"`, `"1h 30m"`, `"30d"`; a day is 24 hours.
pub fn duration<'de, D>(deserializer: D) -> Result<Duration, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    let parsed: SignedDuration = text
        .parse()
        .and_then(|span: Span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| {
            D::Error::custom("expected a duration such as `30s`, `5m`, `1h 30m` or `7d`")
        })?;
    Duration::try_from(parsed)
        .map_err(|_| D::Error::custom("expected a duration that is not negative"))
}

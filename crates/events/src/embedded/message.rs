//! Messages as they are stored: subject, headers a line each, body.

use storage::{Error, Row};

use crate::Envelope;

pub(super) fn headers(envelope: &Envelope) -> String {
    envelope
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

/// `None` for a message that this version cannot read.
pub(super) fn envelope(row: &Row) -> Result<Option<Envelope>, Error> {
    let headers: String = row.get("headers")?;
    let header = |name: &'static str| {
        headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let Ok(subject) = row.get::<String>("subject")?.parse() else {
        return Ok(None);
    };
    Ok(Envelope::from_message(subject, header, row.get("body")?).ok())
}

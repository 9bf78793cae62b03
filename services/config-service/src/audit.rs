//! Who did what, when, to what, with which outcome (K5).
//!
//! An event is written in the transaction of the change it tells of, and never changed: the table refuses updates and
//! deletions, and every event's hash covers the hash before it. See [`chain`] for the exact bytes.

pub mod chain;
mod told;

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

pub use chain::{Entry, Hash, Outcome};
pub(crate) use told::ToldAudit;

/// Something to be audited; sequence number and hash are given when it is written.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    pub(crate) actor: String,
    pub(crate) action: Cow<'static, str>,
    pub(crate) resource: String,
    pub(crate) outcome: Outcome,
    pub(crate) details: BTreeMap<String, String>,
}

impl Record {
    pub(crate) fn done(
        time: Timestamp,
        actor: impl Into<String>,
        action: impl Into<Cow<'static, str>>,
        resource: impl Into<String>,
    ) -> Self {
        Self {
            time,
            actor: actor.into(),
            action: action.into(),
            resource: clamped(resource.into()),
            outcome: Outcome::Succeeded,
            details: BTreeMap::new(),
        }
    }

    pub(crate) fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Never a secret, and never a person's name or address: the log can't be corrected later.
    pub(crate) fn detail(mut self, key: &str, value: impl ToString) -> Self {
        self.details.insert(key.to_owned(), value.to_string());
        self
    }
}

/// What a caller claims to act on may be anything; no resource's name is longer than this.
fn clamped(mut resource: String) -> String {
    const LONGEST: usize = 256;
    let end = resource.floor_char_boundary(LONGEST);
    resource.truncate(end);
    resource
}

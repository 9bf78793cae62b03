//! The port to a directory.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use directory::{Account, Attribute, Cursor, Edge, Group, ObjectId};

use crate::Issue;

/// Which directory this is, whatever it is called: names and texts that never change. Active Directory has its domain
/// GUID and SID, Entra ID its tenant id. Pinned at the first success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(BTreeMap<String, String>);

impl Identity {
    pub fn new<K: Into<String>, V: Into<String>>(fields: impl IntoIterator<Item = (K, V)>) -> Self {
        let fields = fields.into_iter();
        Self(
            fields
                .map(|(key, text)| (key.into(), text.into()))
                .collect(),
        )
    }

    /// In the order of their names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, text)| (key.as_str(), text.as_str()))
    }

    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// Whether both are the same directory: they share a field, and agree on all they share.
    pub fn is_same(&self, other: &Self) -> bool {
        let mut shared = self
            .fields()
            .filter_map(|(key, text)| Some((text, other.get(key)?)))
            .peekable();
        shared.peek().is_some() && shared.all(|(ours, theirs)| ours == theirs)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, text)) in self.fields().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{key} {text}")?;
        }
        Ok(())
    }
}

/// How to look a group up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupRef<'a> {
    /// Never resolved before: by the configured name, among all groups of the directory.
    Name(&'a str),
    /// By the id it was pinned to, whatever its name is now.
    Pinned(ObjectId),
}

/// What a lookup found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    Found {
        id: ObjectId,
        name: String,
    },
    /// Proven absent. A lookup that could not be made is an error instead.
    Missing,
    /// This many groups have the name.
    Ambiguous(usize),
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub sync_group: Option<ObjectId>,
    pub rotation_group: Option<ObjectId>,
    /// Whether members of groups in the groups count.
    pub nested: bool,
}

/// A piece of a read, no larger than what the directory sends at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Accounts in scope: at least the members of the two groups. Others do no harm.
    pub accounts: Vec<Account>,
    /// Groups that stand between the two groups and their members; others do no harm.
    pub groups: Vec<Group>,
    /// Who is directly in what, primary groups included. A member that is no staged account or group is reported.
    pub edges: Vec<Edge>,
    /// Objects that could not be read or understood. One with an id and no account here keeps what is known of it.
    pub issues: Vec<Issue>,
}

/// A read that reached its proven end: success on every page, every range of members finished, no error swallowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Where to go on reading next time, if the source can.
    pub cursor: Option<Cursor>,
    /// How much the source sent. The run compares it with what it staged.
    pub accounts: u64,
    pub groups: u64,
    pub edges: u64,
}

/// What the next step of a read gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    Page(Page),
    Complete(Completion),
}

/// Where an object is that a read did not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// There and in scope: created, moved in, or missed while reading.
    Present(Box<Account>),
    /// There, but outside the configured scope.
    OutOfScope,
    /// Its tombstone was read.
    Deleted,
    /// Neither object nor tombstone found, by a lookup that succeeded.
    Gone,
    /// It could not be told. The sentence says why.
    Unknown(String),
}

/// A source's failures say whether trying again can help.
pub trait SourceError: std::error::Error + Send + Sync + 'static {
    /// Whether the same question may be answered later without anybody's help.
    fn is_transient(&self) -> bool;
}

/// A directory, read. Nothing here writes to it.
///
/// Any error ends the run without a change: a source must never turn an error into an absence.
pub trait Source: Send {
    type Error: SourceError;

    fn identify(&mut self) -> impl Future<Output = Result<Identity, Self::Error>> + Send;

    fn resolve(
        &mut self,
        group: GroupRef<'_>,
    ) -> impl Future<Output = Result<Resolved, Self::Error>> + Send;

    /// Starts a read, abandoning one that was under way.
    fn begin(&mut self, read: &Read) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The next page of the read, or its proven end.
    fn next(&mut self) -> impl Future<Output = Result<Reading, Self::Error>> + Send;

    /// Looks each object up by its id. An id left out of the answer counts as unknown.
    fn whereabouts(
        &mut self,
        ids: &[ObjectId],
    ) -> impl Future<Output = Result<Vec<(ObjectId, Whereabouts)>, Self::Error>> + Send;

    /// Which of `attributes` the reader may see on each object. What is left out counts as unreadable.
    fn readable(
        &mut self,
        ids: &[ObjectId],
        attributes: &[Attribute],
    ) -> impl Future<Output = Result<Vec<(ObjectId, Vec<Attribute>)>, Self::Error>> + Send;
}

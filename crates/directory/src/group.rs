//! Groups and membership.

use crate::{ObjectId, Sid};

/// A group, without its members: those are [`Edge`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: ObjectId,
    pub sid: Option<Sid>,
    pub name: String,
    /// The distinguished name; empty in Entra ID, which has none.
    pub dn: String,
}

/// `member` is directly in `group`. Both are object ids, never names: a directory renames and moves members without
/// telling the group (Active Directory bumps no USN on it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    pub group: ObjectId,
    pub member: ObjectId,
}

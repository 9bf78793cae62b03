//! One bad object: reported with its reason, harming no other.

use directory::ObjectId;

/// Something about one object that the administrator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub kind: IssueKind,
    /// Whose. The object *was seen*: it must not be counted as missing. `None` when even that could not be read; then
    /// the absence of any one object proves nothing.
    pub object: Option<ObjectId>,
    pub dn: String,
    /// Why, as the end of a sentence about it.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueKind {
    /// An attribute every such object has is withheld from the bind account.
    Unreadable,
    /// A replication conflict's losing copy.
    Conflict,
    /// A group's member belongs to another domain; `object` is the group.
    ForeignMember,
    /// A group's member value names nothing understood; `object` is the group.
    UnresolvableMember,
    /// A configured OU to leave out does not exist.
    UnknownOu,
}

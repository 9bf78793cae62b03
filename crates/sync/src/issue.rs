//! What a run has to tell without failing: one bad object harms no other (S7).

use std::fmt;

use directory::ObjectId;

/// Why an object, or a group, needs somebody's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IssueCode {
    /// The object holds a value that cannot be understood; what was known of it is kept.
    Malformed,
    /// The object, or what decides its state, may not be read; what was known of it is kept.
    Unreadable,
    /// Two objects claim what only one may have.
    Duplicate,
    /// Missing from the read, and its whereabouts could not be established: it stays.
    Unconfirmed,
    /// A member of a group that is not an account of this domain and scope.
    OutsideScope,
    /// In the rotation group but not in the sync group: not rotated.
    RotationOnly,
    /// A followed group no longer has the name that was configured.
    GroupRenamed,
    /// A followed group does not exist.
    GroupMissing,
    /// A followed group does not exist, but another of the same name does.
    GroupReplaced,
    /// What this read answered is at odds with itself.
    Inconsistent,
}

impl IssueCode {
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::Unreadable,
        Self::Duplicate,
        Self::Unconfirmed,
        Self::OutsideScope,
        Self::RotationOnly,
        Self::GroupRenamed,
        Self::GroupMissing,
        Self::GroupReplaced,
        Self::Inconsistent,
    ];

    /// Stable: stored, and part of the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::Unreadable => "UNREADABLE",
            Self::Duplicate => "DUPLICATE",
            Self::Unconfirmed => "UNCONFIRMED",
            Self::OutsideScope => "OUTSIDE_SCOPE",
            Self::RotationOnly => "ROTATION_ONLY",
            Self::GroupRenamed => "GROUP_RENAMED",
            Self::GroupMissing => "GROUP_MISSING",
            Self::GroupReplaced => "GROUP_REPLACED",
            Self::Inconsistent => "INCONSISTENT",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

/// Something a person should know of one object, or of the run when there is no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub object: Option<ObjectId>,
    pub code: IssueCode,
    /// A sentence for the administrator: what is wrong and what to do. No secret, no attribute value.
    pub reason: String,
}

impl Issue {
    pub fn of(object: ObjectId, code: IssueCode, reason: impl Into<String>) -> Self {
        Self {
            object: Some(object),
            code,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.name())?;
        if let Some(object) = self.object {
            write!(f, " {object}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

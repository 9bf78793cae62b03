//! One account's difference between what was known and what was seen.

use std::fmt;

use directory::{Attribute, ObjectId, Presence};

use crate::{Class, GroupRole, Known};

/// What happens to an account. A change of several facets has the weightiest of them as its kind: a person disabled and
/// taken out of the group is a leaver, and the guard counts both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Becomes a member of the sync group; not known as one before.
    Join,
    /// Was here, left or was deleted, and is here again under the same object id.
    Return,
    /// No longer a member of the sync group, or outside the scope.
    Leave,
    /// Deleted from the directory.
    Delete,
    /// Found in the rotation group alone: known, no employee, never rotated.
    RotationOnly,
    /// Was in the rotation group alone, and is no longer.
    RotationOnlyEnded,
    Disable,
    Enable,
    /// Anything else: renamed, moved, another attribute, another state, in or out of the rotation group.
    Update,
}

impl ChangeKind {
    pub const ALL: [Self; 9] = [
        Self::Join,
        Self::Return,
        Self::Leave,
        Self::Delete,
        Self::RotationOnly,
        Self::RotationOnlyEnded,
        Self::Disable,
        Self::Enable,
        Self::Update,
    ];

    /// Stable: stored, and shown in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Return => "return",
            Self::Leave => "leave",
            Self::Delete => "delete",
            Self::RotationOnly => "rotation_only",
            Self::RotationOnlyEnded => "rotation_only_ended",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Update => "update",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Why an account is no longer present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    LeftGroup,
    OutOfScope,
    /// A tombstone proves it.
    Tombstone,
    /// Neither object nor tombstone is found: the reader may not see deleted objects, or they were purged.
    NotFound,
}

impl Cause {
    pub const ALL: [Self; 4] = [
        Self::LeftGroup,
        Self::OutOfScope,
        Self::Tombstone,
        Self::NotFound,
    ];

    /// Stable: stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeftGroup => "left_group",
            Self::OutOfScope => "out_of_scope",
            Self::Tombstone => "tombstone",
            Self::NotFound => "not_found",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeftGroup => "no longer in the group",
            Self::OutOfScope => "outside the scope",
            Self::Tombstone => "deleted",
            Self::NotFound => "not found any more",
        })
    }
}

/// A field whose change is worth an event. What is not here is noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Sid,
    Kind,
    LogonName,
    Dn,
    Attribute(Attribute),
    Disabled,
    Locked,
    Expired,
    PasswordExpired,
    MustChangePassword,
    SmartcardRequired,
    Privileged,
    /// Rotation needs to know of every password that was set, whoever set it.
    PasswordLastSet,
    Expires,
    InRotationGroup,
}

impl Field {
    /// Stable: stored, and shown in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sid => "sid",
            Self::Kind => "kind",
            Self::LogonName => "logon_name",
            Self::Dn => "dn",
            Self::Attribute(attribute) => attribute.name(),
            Self::Disabled => "disabled",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::PasswordExpired => "password_expired",
            Self::MustChangePassword => "must_change_password",
            Self::SmartcardRequired => "smartcard_required",
            Self::Privileged => "privileged",
            Self::PasswordLastSet => "password_last_set",
            Self::Expires => "expires",
            Self::InRotationGroup => "in_rotation_group",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        const PLAIN: [Field; 14] = [
            Field::Sid,
            Field::Kind,
            Field::LogonName,
            Field::Dn,
            Field::Disabled,
            Field::Locked,
            Field::Expired,
            Field::PasswordExpired,
            Field::MustChangePassword,
            Field::SmartcardRequired,
            Field::Privileged,
            Field::PasswordLastSet,
            Field::Expires,
            Field::InRotationGroup,
        ];
        let attribute = || Attribute::from_name(name).map(Self::Attribute);
        PLAIN
            .into_iter()
            .find(|field| field.name() == name)
            .or_else(attribute)
    }
}

/// A field before and after, as text; `None` where there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    pub field: Field,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl FieldChange {
    /// The attribute that had a value and has none now.
    pub fn cleared(&self) -> Option<Attribute> {
        match self.field {
            Field::Attribute(attribute) if self.before.is_some() && self.after.is_none() => {
                Some(attribute)
            }
            Field::Attribute(_)
            | Field::Sid
            | Field::Kind
            | Field::LogonName
            | Field::Dn
            | Field::Disabled
            | Field::Locked
            | Field::Expired
            | Field::PasswordExpired
            | Field::MustChangePassword
            | Field::SmartcardRequired
            | Field::Privileged
            | Field::PasswordLastSet
            | Field::Expires
            | Field::InRotationGroup => None,
        }
    }
}

/// What to do to one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    /// Why it left, for the kinds that are a departure.
    pub cause: Option<Cause>,
    /// What was known before; `None` for an account never seen. Its generation is what `after` was computed from.
    pub before: Option<Standing>,
    /// What changed in an account that was known; empty for a new one.
    pub fields: Vec<FieldChange>,
    /// The whole state to store, with its new generation.
    pub after: Known,
}

/// What a change needs to remember of the state it starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub presence: Presence,
    pub in_rotation_group: bool,
    pub generation: u64,
}

impl From<&Known> for Standing {
    fn from(known: &Known) -> Self {
        Self {
            presence: known.presence,
            in_rotation_group: known.in_rotation_group,
            generation: known.generation,
        }
    }
}

impl Change {
    pub fn object(&self) -> ObjectId {
        self.after.account.id
    }

    /// Every class the change touches, sorted: the guard counts it in each.
    pub fn classes(&self) -> Vec<Class> {
        let was = self.before.map(|before| before.presence);
        let was_member = was == Some(Presence::Member);
        let mut classes = vec![Class::Kind(self.kind)];
        for change in &self.fields {
            classes.push(match change.field {
                // Only people who were here can be lost by being disabled.
                Field::Disabled if change.after.as_deref() == Some("yes") => {
                    if was_member {
                        Class::Kind(ChangeKind::Disable)
                    } else {
                        continue;
                    }
                }
                Field::Disabled => Class::Kind(ChangeKind::Enable),
                Field::Sid
                | Field::Kind
                | Field::LogonName
                | Field::Dn
                | Field::Attribute(_)
                | Field::Locked
                | Field::Expired
                | Field::PasswordExpired
                | Field::MustChangePassword
                | Field::SmartcardRequired
                | Field::Privileged
                | Field::PasswordLastSet
                | Field::Expires
                | Field::InRotationGroup => Class::Kind(ChangeKind::Update),
            });
            classes.extend(change.cleared().map(Class::Cleared));
        }
        if was_member && self.after.presence != Presence::Member {
            classes.push(Class::Lost(GroupRole::Sync));
        }
        if self.before.is_some_and(|before| before.in_rotation_group)
            && !self.after.in_rotation_group
        {
            classes.push(Class::Lost(GroupRole::Rotation));
        }
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

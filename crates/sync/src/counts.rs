//! How much a plan does, by class.

use std::collections::BTreeMap;
use std::fmt;

use directory::Attribute;

use crate::{Change, ChangeKind};

/// One of the two groups a domain follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupRole {
    /// Its members are employees.
    Sync,
    /// Its members' passwords are rotated.
    Rotation,
}

impl fmt::Display for GroupRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sync => "sync group",
            Self::Rotation => "rotation group",
        })
    }
}

/// What a change counts as. One change counts in every class it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    Kind(ChangeKind),
    /// A member lost by a group, whatever the reason.
    Lost(GroupRole),
    /// An attribute that had a value and has none now.
    Cleared(Attribute),
}

impl Class {
    /// Stable: stored.
    pub fn name(self) -> String {
        match self {
            Self::Kind(kind) => kind.name().to_owned(),
            Self::Lost(GroupRole::Sync) => "lost:sync".to_owned(),
            Self::Lost(GroupRole::Rotation) => "lost:rotation".to_owned(),
            Self::Cleared(attribute) => format!("cleared:{}", attribute.name()),
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "lost:sync" => Some(Self::Lost(GroupRole::Sync)),
            "lost:rotation" => Some(Self::Lost(GroupRole::Rotation)),
            other => match other.strip_prefix("cleared:") {
                Some(attribute) => Attribute::from_name(attribute).map(Self::Cleared),
                None => ChangeKind::from_name(other).map(Self::Kind),
            },
        }
    }

    /// Whether the guard sets a limit to it: what an approval must have named before it may be applied.
    pub fn is_guarded(self) -> bool {
        match self {
            Self::Kind(
                ChangeKind::Join
                | ChangeKind::Return
                | ChangeKind::Leave
                | ChangeKind::Delete
                | ChangeKind::Disable,
            )
            | Self::Lost(_)
            | Self::Cleared(_) => true,
            Self::Kind(
                ChangeKind::RotationOnly
                | ChangeKind::RotationOnlyEnded
                | ChangeKind::Enable
                | ChangeKind::Update,
            ) => false,
        }
    }
}

/// How many objects a plan touches, in all and by class. The classes overlap: they do not add up to `items`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    items: u64,
    by_class: BTreeMap<Class, u64>,
}

impl Counts {
    /// From what a store kept. A class given twice adds up.
    pub fn from_parts(items: u64, by_class: impl IntoIterator<Item = (Class, u64)>) -> Self {
        let mut counts = Self {
            items,
            by_class: BTreeMap::new(),
        };
        for (class, count) in by_class {
            *counts.by_class.entry(class).or_default() += count;
        }
        counts
    }

    pub fn add(&mut self, change: &Change) {
        self.items += 1;
        for class in change.classes() {
            *self.by_class.entry(class).or_default() += 1;
        }
    }

    pub fn items(&self) -> u64 {
        self.items
    }

    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    pub fn of(&self, class: Class) -> u64 {
        self.by_class.get(&class).copied().unwrap_or(0)
    }

    fn kind(&self, kind: ChangeKind) -> u64 {
        self.of(Class::Kind(kind))
    }

    /// New people and those who came back.
    pub fn joiners(&self) -> u64 {
        self.kind(ChangeKind::Join) + self.kind(ChangeKind::Return)
    }

    /// Leavers and deleted.
    pub fn removals(&self) -> u64 {
        self.kind(ChangeKind::Leave) + self.kind(ChangeKind::Delete)
    }

    pub fn disables(&self) -> u64 {
        self.kind(ChangeKind::Disable)
    }

    pub fn updates(&self) -> u64 {
        self.kind(ChangeKind::Update)
    }

    pub fn lost(&self, group: GroupRole) -> u64 {
        self.of(Class::Lost(group))
    }

    pub fn cleared(&self, attribute: Attribute) -> u64 {
        self.of(Class::Cleared(attribute))
    }

    /// The classes that are not zero, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Class, u64)> + '_ {
        self.by_class.iter().map(|(class, count)| (*class, *count))
    }
}

impl fmt::Display for Counts {
    /// `3 changes: join 1, leave 2, lost:sync 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.items {
            0 => return f.write_str("no changes"),
            1 => f.write_str("1 change:")?,
            n => write!(f, "{n} changes:")?,
        }
        for (index, (class, count)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {} {count}", class.name())?;
        }
        Ok(())
    }
}

//! The items of a plan, their identity across two plans, and their text.

use std::fmt;

use directory::ObjectId;

use crate::{Change, ChangeKind, Class};

/// One account's line in a plan. An object has at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub change: Change,
}

/// What an approval is about: the object, what happens to it, and every class that touches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemKey {
    pub object: ObjectId,
    pub kind: ChangeKind,
    /// Sorted.
    pub classes: Vec<Class>,
}

impl ItemKey {
    /// Whether approving `self` also approved `fresh`, planned from a later read: the same object, the same kind of
    /// change, and no guarded class that the person did not see.
    pub fn covers(&self, fresh: &Self) -> bool {
        self.object == fresh.object
            && self.kind == fresh.kind
            && fresh
                .classes
                .iter()
                .all(|class| !class.is_guarded() || self.classes.contains(class))
    }

    /// The classes as one text, to store: `leave,lost:sync`.
    pub fn classes_text(&self) -> String {
        let names: Vec<String> = self.classes.iter().map(|class| class.name()).collect();
        names.join(",")
    }

    /// The inverse of [`ItemKey::classes_text`]; `None` when a class is unknown.
    pub fn parse_classes(text: &str) -> Option<Vec<Class>> {
        text.split(',')
            .filter(|name| !name.is_empty())
            .map(Class::from_name)
            .collect()
    }
}

impl Item {
    pub fn object(&self) -> ObjectId {
        self.change.object()
    }

    pub fn key(&self) -> ItemKey {
        ItemKey {
            object: self.object(),
            kind: self.change.kind,
            classes: self.change.classes(),
        }
    }
}

impl From<Change> for Item {
    fn from(change: Change) -> Self {
        Self { change }
    }
}

impl fmt::Display for Item {
    /// A stable text: a head line, then a line for each field that changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = &self.change;
        let account = &change.after.account;
        write!(
            f,
            "{} {} {:?}",
            change.kind.name(),
            account.id,
            account.logon_name
        )?;
        if let Some(cause) = change.cause {
            write!(f, " ({cause})")?;
        }
        for field in &change.fields {
            let shown = |value: &Option<String>| match value {
                Some(value) => format!("{value:?}"),
                None => "none".to_owned(),
            };
            write!(
                f,
                "\n    {}: {} -> {}",
                field.field.name(),
                shown(&field.before),
                shown(&field.after)
            )?;
        }
        Ok(())
    }
}

//! What points at what: memberships and the like, each value with its own history.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::object::{Id, Meta};
use crate::schema::Attr;

/// One value of a linked attribute. One that was removed is kept, as the removal has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) is_present: bool,
    pub(crate) meta: Meta,
}

#[derive(Debug, Default)]
pub(crate) struct Links {
    forward: HashMap<(Attr, Id), BTreeMap<Id, Link>>,
    backward: HashMap<(Attr, Id), BTreeSet<Id>>,
}

/// The attribute whose values point back.
pub(crate) fn forward_of(backlink: Attr) -> Option<Attr> {
    match backlink {
        Attr::MEMBER_OF => Some(Attr::MEMBER),
        Attr::DIRECT_REPORTS => Some(Attr::MANAGER),
        Attr::PSO_APPLIED => Some(Attr::PSO_APPLIES_TO),
        _ => None,
    }
}

pub(crate) const FORWARD: [Attr; 3] = [Attr::MEMBER, Attr::MANAGER, Attr::PSO_APPLIES_TO];

impl Links {
    pub(crate) fn of(&self, attribute: Attr, from: Id) -> impl Iterator<Item = Id> {
        self.all(attribute, from)
            .filter(|(_, link)| link.is_present)
            .map(|(to, _)| to)
    }

    /// Removed ones too.
    pub(crate) fn all(&self, attribute: Attr, from: Id) -> impl Iterator<Item = (Id, &Link)> {
        self.forward
            .get(&(attribute, from))
            .into_iter()
            .flatten()
            .map(|(to, link)| (*to, link))
    }

    pub(crate) fn to(&self, attribute: Attr, to: Id) -> impl Iterator<Item = Id> {
        self.backward
            .get(&(attribute, to))
            .into_iter()
            .flatten()
            .copied()
    }

    pub(crate) fn get(&self, attribute: Attr, from: Id, to: Id) -> Option<&Link> {
        self.forward.get(&(attribute, from))?.get(&to)
    }

    pub(crate) fn is_member(&self, attribute: Attr, from: Id, to: Id) -> bool {
        self.get(attribute, from, to)
            .is_some_and(|link| link.is_present)
    }

    pub(crate) fn put(&mut self, attribute: Attr, from: Id, to: Id, link: Link) {
        self.forward
            .entry((attribute, from))
            .or_default()
            .insert(to, link);
        let back = self.backward.entry((attribute, to)).or_default();
        if link.is_present {
            back.insert(from);
        } else {
            back.remove(&from);
        }
    }

    /// As when an object is deleted: its links are gone, both ways, and nobody who held one is told.
    pub(crate) fn forget(&mut self, id: Id) {
        for attribute in FORWARD {
            for to in self
                .forward
                .remove(&(attribute, id))
                .unwrap_or_default()
                .into_keys()
            {
                if let Some(back) = self.backward.get_mut(&(attribute, to)) {
                    back.remove(&id);
                }
            }
            for from in self.backward.remove(&(attribute, id)).unwrap_or_default() {
                if let Some(forward) = self.forward.get_mut(&(attribute, from)) {
                    forward.remove(&id);
                }
            }
        }
    }

    pub(crate) fn shift_origins(&mut self) {
        for link in self.forward.values_mut().flat_map(BTreeMap::values_mut) {
            link.meta.origin += 1;
        }
    }
}

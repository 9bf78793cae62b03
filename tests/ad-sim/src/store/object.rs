//! One object of one replica.

use crate::schema::{Attr, Class};

/// An object's place in its replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(pub(crate) u32);

/// Which partition an object is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partition {
    Domain,
    Configuration,
    Schema,
}

/// How and where an attribute was last written: what decides between two writes of it, and what tells how new it is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) version: u32,
    /// The domain controller it was written at, by its place among those this replica has heard of.
    pub(crate) origin: u16,
    pub(crate) origin_usn: u64,
    /// Here.
    pub(crate) usn: u64,
    /// In ticks since 1601.
    pub(crate) time: i64,
}

/// Values as they are sent.
pub(crate) type Values = Vec<Box<[u8]>>;

#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) guid: u128,
    pub(crate) class: Class,
    pub(crate) partition: Partition,
    pub(crate) parent: Option<Id>,
    pub(crate) name: Box<str>,
    pub(crate) usn_created: u64,
    pub(crate) usn_changed: u64,
    pub(crate) when_created: i64,
    pub(crate) when_changed: i64,
    pub(crate) is_deleted: bool,
    /// Was to be added, and was refused.
    pub(crate) is_void: bool,
    /// Sorted by attribute.
    values: Vec<(Attr, Values)>,
    /// Sorted by attribute; of what is replicated only.
    meta: Vec<(Attr, Meta)>,
    pub(crate) secret: Option<Box<Secret>>,
}

/// What is kept of an account's password: digests, never the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret {
    /// The newest first.
    pub(crate) digests: Vec<[u8; 32]>,
    /// When the newest was set, in ticks since 1601.
    pub(crate) set: i64,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What an object is made with.
pub(crate) struct Birth {
    pub(crate) guid: u128,
    pub(crate) class: Class,
    pub(crate) partition: Partition,
    pub(crate) parent: Option<Id>,
    pub(crate) name: String,
}

impl Object {
    pub(crate) fn new(birth: Birth, usn: u64, now: i64) -> Self {
        Self {
            guid: birth.guid,
            class: birth.class,
            partition: birth.partition,
            parent: birth.parent,
            name: birth.name.into_boxed_str(),
            usn_created: usn,
            usn_changed: usn,
            when_created: now,
            when_changed: now,
            is_deleted: false,
            is_void: false,
            values: Vec::new(),
            meta: Vec::new(),
            secret: None,
        }
    }

    /// What is stored; nothing of what is computed.
    pub(crate) fn stored(&self, attribute: Attr) -> &[Box<[u8]>] {
        match self
            .values
            .binary_search_by_key(&attribute, |(found, _)| *found)
        {
            Ok(place) => self
                .values
                .get(place)
                .map(|(_, values)| values.as_slice())
                .unwrap_or_default(),
            Err(_) => &[],
        }
    }

    pub(crate) fn text(&self, attribute: Attr) -> Option<&str> {
        let value = self.stored(attribute).first()?;
        std::str::from_utf8(value).ok()
    }

    pub(crate) fn number(&self, attribute: Attr) -> Option<i64> {
        self.text(attribute)?.parse().ok()
    }

    pub(crate) fn stored_attributes(&self) -> impl Iterator<Item = Attr> {
        self.values.iter().map(|(attribute, _)| *attribute)
    }

    /// Replaces the values, without a word on when.
    pub(crate) fn put(&mut self, attribute: Attr, mut values: Values) {
        values.shrink_to_fit();
        let place = self
            .values
            .binary_search_by_key(&attribute, |(found, _)| *found);
        match (place, values.is_empty()) {
            (Ok(place), true) => {
                self.values.remove(place);
            }
            (Ok(place), false) => {
                if let Some(slot) = self.values.get_mut(place) {
                    slot.1 = values;
                }
            }
            (Err(_), true) => {}
            (Err(place), false) => self.values.insert(place, (attribute, values)),
        }
    }

    pub(crate) fn meta(&self, attribute: Attr) -> Option<&Meta> {
        let place = self
            .meta
            .binary_search_by_key(&attribute, |(found, _)| *found)
            .ok()?;
        self.meta.get(place).map(|(_, meta)| meta)
    }

    pub(crate) fn all_meta(&self) -> impl Iterator<Item = (Attr, &Meta)> {
        self.meta.iter().map(|(attribute, meta)| (*attribute, meta))
    }

    pub(crate) fn put_meta(&mut self, attribute: Attr, meta: Meta) {
        match self
            .meta
            .binary_search_by_key(&attribute, |(found, _)| *found)
        {
            Ok(place) => {
                if let Some(slot) = self.meta.get_mut(place) {
                    slot.1 = meta;
                }
            }
            Err(place) => self.meta.insert(place, (attribute, meta)),
        }
    }

    /// Another domain controller stands before all that were known.
    pub(crate) fn shift_origins(&mut self) {
        for (_, meta) in &mut self.meta {
            meta.origin += 1;
        }
    }

    /// Makes room for no more than there is: most objects never change.
    pub(crate) fn settle(&mut self) {
        self.values.shrink_to_fit();
        self.meta.shrink_to_fit();
    }
}

//! Replication: what one domain controller takes over from another, attribute by attribute, value by value.

use crate::schema::{Attr, flag};
use crate::store::link::{FORWARD, Link};
use crate::store::object::{Birth, Id, Meta, Partition};
use crate::store::replica::{Replica, Stamp};

impl Replica {
    /// Takes over all that changed at another domain controller since the last time.
    pub(crate) fn pull(&mut self, from: &Self) {
        let since = self.followed.get(&from.invocation()).copied().unwrap_or(0);
        // The heads of the partitions come first: everything else hangs on them.
        for partition in [
            Partition::Domain,
            Partition::Configuration,
            Partition::Schema,
        ] {
            if let (Some(head), None) = (from.head(partition), self.head(partition)) {
                self.ensure(from, head);
            }
        }
        let changed: Vec<_> = from.changed_after(since).map(|(_, id)| id).collect();
        for id in &changed {
            self.ensure(from, *id);
        }
        for id in changed {
            self.take(from, id);
        }
        self.followed.insert(from.invocation(), from.highest_usn());
        // What that one knew of others, this one knows now.
        for (invocation, usn) in &from.followed {
            if *invocation != self.invocation() {
                let known = self.followed.entry(*invocation).or_default();
                *known = (*known).max(*usn);
            }
        }
    }

    /// Makes room for an object of another replica, and for what it is in.
    fn ensure(&mut self, from: &Self, id: Id) -> Id {
        let theirs = from.object(id);
        if let Some(here) = self.by_guid(theirs.guid) {
            return here;
        }
        let parent = theirs.parent.map(|parent| self.ensure(from, parent));
        let taken = parent.is_some_and(|parent| !self.is_free(parent, theirs.class, &theirs.name));
        let name = if taken {
            // Made at two places at once: the later one to be heard of is renamed.
            format!(
                "{}\nCNF:{}",
                theirs.name,
                uuid::Uuid::from_u128(theirs.guid)
            )
        } else {
            theirs.name.to_string()
        };
        let birth = Birth {
            guid: theirs.guid,
            class: theirs.class,
            partition: theirs.partition,
            parent,
            name,
        };
        let stamp = self.stamp();
        let here = self.insert(birth, stamp);
        self.object_mut(here).when_created = theirs.when_created;
        here
    }

    fn take(&mut self, from: &Self, id: Id) {
        let theirs = from.object(id);
        let here = self.ensure(from, id);
        let mut stamp = None;
        for (attribute, meta) in theirs.all_meta() {
            if attribute.is(flag::LOCAL) {
                continue;
            }
            let meta = self.translated(from, meta);
            if !self.wins(&meta, self.object(here).meta(attribute)) {
                continue;
            }
            let stamp = *stamp.get_or_insert_with(|| self.stamp());
            self.take_one(from, id, here, attribute);
            self.object_mut(here).put_meta(
                attribute,
                Meta {
                    usn: stamp.usn,
                    ..meta
                },
            );
        }
        if !theirs.is_deleted {
            for attribute in FORWARD {
                self.take_links(from, id, here, attribute, &mut stamp);
            }
        }
        if let Some(stamp) = stamp {
            self.touch(here, stamp);
        }
    }

    fn take_one(&mut self, from: &Self, id: Id, here: Id, attribute: Attr) {
        let theirs = from.object(id);
        match attribute {
            Attr::NAME => {
                let parent = theirs.parent.map(|parent| self.ensure(from, parent));
                if let Some(parent) = parent
                    && (self.object(here).name != theirs.name || self.moved(here, parent))
                {
                    self.place(here, parent, &theirs.name);
                }
            }
            Attr::IS_DELETED => {
                self.reindex(here, theirs.is_deleted);
                if theirs.is_deleted {
                    self.links.forget(here);
                }
            }
            Attr::UNICODE_PWD => self.object_mut(here).secret.clone_from(&theirs.secret),
            Attr::SECURITY_DESCRIPTOR => match from.access.get(&id) {
                Some(access) => {
                    self.access.insert(here, access.clone());
                }
                None => {
                    self.access.remove(&here);
                }
            },
            _ => self.put(here, attribute, theirs.stored(attribute).to_vec()),
        }
        if theirs.class.is_account() && self.object(here).secret.is_none() {
            self.object_mut(here).secret.clone_from(&theirs.secret);
        }
    }

    fn moved(&self, here: Id, parent: Id) -> bool {
        self.object(here).parent != Some(parent)
    }

    fn take_links(
        &mut self,
        from: &Self,
        id: Id,
        here: Id,
        attribute: Attr,
        stamp: &mut Option<Stamp>,
    ) {
        let theirs: Vec<_> = from
            .links
            .all(attribute, id)
            .map(|(to, link)| (to, *link))
            .collect();
        for (to, link) in theirs {
            let to = self.ensure(from, to);
            let meta = self.translated(from, &link.meta);
            let ours = self.links.get(attribute, here, to).map(|link| link.meta);
            if self.wins(&meta, ours.as_ref()) {
                let stamp = *stamp.get_or_insert_with(|| self.stamp());
                let meta = Meta {
                    usn: stamp.usn,
                    ..meta
                };
                self.links.put(attribute, here, to, Link { meta, ..link });
            }
        }
    }

    /// The same history, with this replica's own places of domain controllers.
    fn translated(&mut self, from: &Self, meta: &Meta) -> Meta {
        let origin = from.origins.get(usize::from(meta.origin)).copied();
        Meta {
            origin: self.origin(origin.unwrap_or_default()),
            ..*meta
        }
    }

    /// Which of two writes stays: the higher version, then the later one, then the greater invocation id.
    fn wins(&self, theirs: &Meta, ours: Option<&Meta>) -> bool {
        let rank = |meta: &Meta| {
            let origin = self.origins.get(usize::from(meta.origin)).copied();
            (meta.version, crate::clock::seconds(meta.time), origin)
        };
        ours.is_none_or(|ours| rank(theirs) > rank(ours))
    }
}

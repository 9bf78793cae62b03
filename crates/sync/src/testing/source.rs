//! A directory in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use directory::{Account, Attribute, Edge, Group, ObjectId};

use super::{FakeError, Faults, account, object};
use crate::{
    Completion, GroupRef, Identity, Issue, Page, Read, Reading, Resolved, Source, Whereabouts,
};

/// A directory in memory, read in pages of two of everything.
#[derive(Clone, Debug)]
pub struct FakeSource {
    pub identity: Identity,
    pub groups: Vec<Group>,
    pub accounts: BTreeMap<ObjectId, Account>,
    pub edges: BTreeSet<Edge>,
    pub deleted: BTreeSet<ObjectId>,
    pub out_of_scope: BTreeSet<ObjectId>,
    /// There, but the reader may not see them: neither in pages nor by id.
    pub hidden: BTreeSet<ObjectId>,
    /// Left out of the pages by mistake, yet found by id.
    pub skipped: BTreeSet<ObjectId>,
    /// Attributes the reader may not see, silently: absent from every account.
    pub unreadable: BTreeSet<Attribute>,
    pub issues: Vec<Issue>,
    /// Pages that get lost on the way, the completion not knowing.
    pub loses_pages: bool,
    pub faults: Faults,
    reading: VecDeque<Reading>,
}

impl FakeSource {
    pub const SYNC_GROUP: &'static str = "Security Key Owners";
    pub const ROTATION_GROUP: &'static str = "Security Key Auto Password Change";

    /// A directory whose sync group has these users, numbered from 1 ([`FakeSource::user`]).
    pub fn with_users<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut source = Self {
            identity: Identity::new([("directory", "one")]),
            groups: Vec::new(),
            accounts: BTreeMap::new(),
            edges: BTreeSet::new(),
            deleted: BTreeSet::new(),
            out_of_scope: BTreeSet::new(),
            hidden: BTreeSet::new(),
            skipped: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            issues: Vec::new(),
            loses_pages: false,
            faults: Faults::never(),
            reading: VecDeque::new(),
        };
        source.add_group(Self::sync_group(), Self::SYNC_GROUP);
        source.add_group(Self::rotation_group(), Self::ROTATION_GROUP);
        for (index, name) in names.into_iter().enumerate() {
            let id = Self::user(index + 1);
            source.accounts.insert(id, account(id, name));
            source.join(Self::sync_group(), id);
        }
        source
    }

    /// The id of the n-th user.
    pub fn user(n: usize) -> ObjectId {
        object(n as u128)
    }

    pub fn sync_group() -> ObjectId {
        object(0xff00_0001)
    }

    pub fn rotation_group() -> ObjectId {
        object(0xff00_0002)
    }

    pub fn add_group(&mut self, id: ObjectId, name: &str) {
        self.groups.push(Group {
            id,
            sid: None,
            name: name.to_owned(),
            dn: String::new(),
        });
    }

    pub fn remove_group(&mut self, id: ObjectId) {
        self.groups.retain(|group| group.id != id);
        self.edges.retain(|edge| edge.group != id);
    }

    pub fn rename_group(&mut self, id: ObjectId, name: &str) {
        let groups = self.groups.iter_mut().filter(|group| group.id == id);
        groups.for_each(|group| name.clone_into(&mut group.name));
    }

    pub fn join(&mut self, group: ObjectId, member: ObjectId) {
        self.edges.insert(Edge { group, member });
    }

    pub fn leave(&mut self, group: ObjectId, member: ObjectId) {
        self.edges.remove(&Edge { group, member });
    }

    /// Deletes an account; the directory takes it out of its groups.
    pub fn delete(&mut self, id: ObjectId) {
        self.accounts.remove(&id);
        self.edges.retain(|edge| edge.member != id);
        self.deleted.insert(id);
    }

    /// Changes one account.
    pub fn change(&mut self, id: ObjectId, change: impl FnOnce(&mut Account)) {
        if let Some(account) = self.accounts.get_mut(&id) {
            change(account);
        }
    }

    pub fn failing(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    fn shown(&self, account: &Account) -> Account {
        let mut account = account.clone();
        for attribute in &self.unreadable {
            account.set_attribute(*attribute, None);
        }
        account
    }

    fn pages(&self) -> VecDeque<Reading> {
        const SIZE: usize = 2;
        let absent = |id: &ObjectId| {
            [&self.out_of_scope, &self.hidden, &self.skipped]
                .iter()
                .any(|set| set.contains(id))
        };
        let accounts: Vec<Account> = self
            .accounts
            .values()
            .filter(|account| !absent(&account.id))
            .map(|account| self.shown(account))
            .collect();
        let edges: Vec<Edge> = self.edges.iter().copied().collect();
        let pages = accounts.chunks(SIZE).map(|accounts| Page {
            accounts: accounts.to_vec(),
            ..Page::default()
        });
        let pages = pages.chain(edges.chunks(SIZE).map(|edges| Page {
            edges: edges.to_vec(),
            ..Page::default()
        }));
        let last = Page {
            groups: self.groups.clone(),
            issues: self.issues.clone(),
            ..Page::default()
        };
        let completion = Completion {
            cursor: None,
            accounts: accounts.len() as u64,
            groups: self.groups.len() as u64,
            edges: edges.len() as u64,
        };
        pages
            .skip(usize::from(self.loses_pages))
            .chain([last])
            .map(Reading::Page)
            .chain([Reading::Complete(completion)])
            .collect()
    }

    fn whereabouts_of(&self, id: ObjectId) -> Whereabouts {
        match self.accounts.get(&id) {
            Some(_) if self.hidden.contains(&id) => Whereabouts::Gone,
            Some(_) if self.out_of_scope.contains(&id) => Whereabouts::OutOfScope,
            Some(account) => Whereabouts::Present(Box::new(self.shown(account))),
            None if self.deleted.contains(&id) => Whereabouts::Deleted,
            None => Whereabouts::Gone,
        }
    }
}

impl Source for FakeSource {
    type Error = FakeError;

    async fn identify(&mut self) -> Result<Identity, FakeError> {
        self.faults.step(|| Ok(self.identity.clone()))
    }

    async fn resolve(&mut self, group: GroupRef<'_>) -> Result<Resolved, FakeError> {
        self.faults.step(|| {
            let is_meant = |found: &&Group| match group {
                GroupRef::Name(name) => found.name == name,
                GroupRef::Pinned(id) => found.id == id,
            };
            let found: Vec<&Group> = self.groups.iter().filter(is_meant).collect();
            Ok(match found.as_slice() {
                [] => Resolved::Missing,
                [group] => Resolved::Found {
                    id: group.id,
                    name: group.name.clone(),
                },
                several => Resolved::Ambiguous(several.len()),
            })
        })
    }

    async fn begin(&mut self, _: &Read) -> Result<(), FakeError> {
        self.reading = self.faults.step(|| Ok(self.pages()))?;
        Ok(())
    }

    async fn next(&mut self) -> Result<Reading, FakeError> {
        let reading = self.reading.pop_front();
        // A read that was not begun has no end.
        self.faults
            .step(|| reading.ok_or(FakeError::Injected { transient: false }))
    }

    async fn whereabouts(
        &mut self,
        ids: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Whereabouts)>, FakeError> {
        self.faults.step(|| {
            let found = ids.iter().map(|id| (*id, self.whereabouts_of(*id)));
            Ok(found.collect())
        })
    }

    async fn readable(
        &mut self,
        ids: &[ObjectId],
        attributes: &[Attribute],
    ) -> Result<Vec<(ObjectId, Vec<Attribute>)>, FakeError> {
        self.faults.step(|| {
            let readable = attributes
                .iter()
                .filter(|attribute| !self.unreadable.contains(attribute));
            let readable: Vec<Attribute> = readable.copied().collect();
            Ok(ids.iter().map(|id| (*id, readable.clone())).collect())
        })
    }
}

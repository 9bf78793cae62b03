//! What one domain controller holds, and the indices it is found by.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::link::Links;
use super::object::{Birth, Id, Meta, Object, Partition, Values};
use crate::clock::Clock;
use crate::dn;
use crate::schema::{Attr, Class, Syntax};
use crate::security::{self, Ace, Descriptor};
use crate::sid::Sid;

/// What all domain controllers of a domain have in common.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) dns_name: String,
    pub(crate) netbios_name: String,
    pub(crate) sid: Sid,
    pub(crate) clock: Clock,
    /// Whether what is deleted keeps its attributes (the Recycle Bin).
    pub(crate) recycle_bin: bool,
    next_guid: AtomicU64,
    next_rid: AtomicU32,
}

impl Domain {
    pub(crate) fn new(dns_name: &str, netbios_name: &str, clock: Clock, recycle_bin: bool) -> Self {
        let digest = Sha256::digest(dns_name.as_bytes());
        let part = |at: usize| {
            let bytes = digest.get(at..at + 4).and_then(|part| part.try_into().ok());
            u32::from_le_bytes(bytes.unwrap_or_default()) >> 1
        };
        Self {
            dns_name: dns_name.to_lowercase(),
            netbios_name: netbios_name.to_uppercase(),
            sid: Sid::new(&[21, part(0), part(4), part(8)]),
            clock,
            recycle_bin,
            next_guid: AtomicU64::new(1),
            next_rid: AtomicU32::new(1103),
        }
    }

    /// The same for the same domain and the same order of making: a simulation can be repeated.
    pub(crate) fn next_guid(&self) -> u128 {
        let number = self.next_guid.fetch_add(1, Ordering::Relaxed);
        let mut digest = Sha256::new();
        digest.update(self.dns_name.as_bytes());
        digest.update(number.to_le_bytes());
        let digest = digest.finalize();
        let bytes = digest.first_chunk::<16>().copied().unwrap_or_default();
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .as_u128()
    }

    pub(crate) fn next_rid(&self) -> u32 {
        self.next_rid.fetch_add(1, Ordering::Relaxed)
    }
}

/// When, and as the how manieth change, something is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) usn: u64,
    pub(crate) now: i64,
}

impl Stamp {
    /// Of what is written here and now, after it was last written as told.
    pub(crate) fn after(self, before: Option<&Meta>) -> Meta {
        Meta {
            version: before.map_or(0, |meta| meta.version) + 1,
            origin: 0,
            origin_usn: self.usn,
            usn: self.usn,
            time: self.now,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) domain: Arc<Domain>,
    /// Of the domain controllers that this one has heard of; itself first.
    pub(crate) origins: Vec<Uuid>,
    pub(crate) host: String,
    pub(crate) site_dn: String,
    usn: u64,
    objects: Vec<Object>,
    by_guid: HashMap<u128, Id>,
    by_sid: HashMap<Sid, Id>,
    by_logon: HashMap<String, Id>,
    by_upn: HashMap<String, Id>,
    children: BTreeMap<(Option<Id>, String), Id>,
    /// In the order of their last change.
    by_usn: BTreeMap<u64, Id>,
    pub(crate) links: Links,
    pub(crate) access: HashMap<Id, Descriptor>,
    /// How far each other domain controller has been followed, by its own count.
    pub(crate) followed: HashMap<Uuid, u64>,
}

impl Replica {
    pub(crate) fn new(domain: Arc<Domain>, host: &str, invocation: Uuid) -> Self {
        Self {
            domain,
            origins: vec![invocation],
            host: host.to_owned(),
            site_dn: String::new(),
            usn: 12_000,
            objects: Vec::new(),
            by_guid: HashMap::new(),
            by_sid: HashMap::new(),
            by_logon: HashMap::new(),
            by_upn: HashMap::new(),
            children: BTreeMap::new(),
            by_usn: BTreeMap::new(),
            links: Links::default(),
            access: HashMap::new(),
            followed: HashMap::new(),
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.domain.clock.now()
    }

    pub(crate) fn highest_usn(&self) -> u64 {
        self.usn
    }

    pub(crate) fn invocation(&self) -> Uuid {
        self.origins.first().copied().unwrap_or_default()
    }

    /// As after a restore from a backup: what was written before was written by another.
    pub(crate) fn renew_invocation(&mut self) {
        let fresh = Uuid::from_u128(self.domain.next_guid());
        self.origins.insert(0, fresh);
        for object in &mut self.objects {
            object.shift_origins();
        }
        self.links.shift_origins();
    }

    pub(crate) fn origin(&mut self, invocation: Uuid) -> u16 {
        let place = self.origins.iter().position(|known| *known == invocation);
        let place = place.unwrap_or_else(|| {
            self.origins.push(invocation);
            self.origins.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    /// A new change.
    pub(crate) fn stamp(&mut self) -> Stamp {
        self.usn += 1;
        Stamp {
            usn: self.usn,
            now: self.now(),
        }
    }

    pub(crate) fn object(&self, id: Id) -> &Object {
        // An `Id` is given out for an object that is there, and objects are never taken away.
        #[expect(
            clippy::indexing_slicing,
            reason = "an id is of an object of this replica"
        )]
        &self.objects[id.0 as usize]
    }

    pub(crate) fn object_mut(&mut self, id: Id) -> &mut Object {
        #[expect(
            clippy::indexing_slicing,
            reason = "an id is of an object of this replica"
        )]
        &mut self.objects[id.0 as usize]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..u32::try_from(self.objects.len()).unwrap_or(u32::MAX)).map(Id)
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = (Id, &Object)> {
        self.ids()
            .zip(&self.objects)
            .filter(|(_, object)| !object.is_void)
    }

    /// Those changed after `usn`, in the order of their change.
    pub(crate) fn changed_after(&self, usn: u64) -> impl Iterator<Item = (u64, Id)> {
        self.by_usn.range(usn + 1..).map(|(usn, id)| (*usn, *id))
    }

    pub(crate) fn by_guid(&self, guid: u128) -> Option<Id> {
        self.by_guid.get(&guid).copied()
    }

    pub(crate) fn by_sid(&self, sid: &Sid) -> Option<Id> {
        self.by_sid.get(sid).copied()
    }

    pub(crate) fn by_logon(&self, name: &str) -> Option<Id> {
        self.by_logon.get(&dn::key(name)).copied()
    }

    pub(crate) fn by_upn(&self, name: &str) -> Option<Id> {
        self.by_upn.get(&dn::key(name)).copied()
    }

    pub(crate) fn children(&self, parent: Id) -> impl Iterator<Item = Id> {
        self.children
            .range((Some(parent), String::new())..)
            .take_while(move |((of, _), _)| *of == Some(parent))
            .map(|(_, child)| *child)
    }

    fn child(&self, parent: Option<Id>, class: Class, name: &str) -> Option<Id> {
        self.children
            .get(&(parent, child_key(class.naming(), name)))
            .copied()
    }

    pub(crate) fn sid_of(&self, id: Id) -> Option<Sid> {
        Sid::from_bytes(self.object(id).stored(Attr::OBJECT_SID).first()?)
    }

    /// The object with this name, whoever may see it.
    pub(crate) fn by_dn(&self, text: &str) -> Option<Id> {
        self.by_parts(&dn::parse(text)?)
    }

    fn by_parts(&self, parts: &[(String, String)]) -> Option<Id> {
        let head = self.heads().into_iter().find_map(|head| {
            let named = dn::parse(&self.dn(head))?;
            let above = parts.len().checked_sub(named.len())?;
            let tail = parts.get(above..)?;
            let same = tail.iter().zip(&named).all(|(a, b)| same_part(a, b));
            same.then_some((head, above))
        });
        let (mut id, above) = head?;
        for (attribute, value) in parts.get(..above)?.iter().rev() {
            let attribute = Attr::find(attribute)?;
            id = *self
                .children
                .get(&(Some(id), child_key(attribute, value)))?;
        }
        Some(id)
    }

    /// The roots of the partitions, the deepest first.
    pub(crate) fn heads(&self) -> Vec<Id> {
        let mut heads: Vec<_> = [
            Partition::Schema,
            Partition::Configuration,
            Partition::Domain,
        ]
        .into_iter()
        .filter_map(|partition| self.head(partition))
        .collect();
        heads.dedup();
        heads
    }

    pub(crate) fn head(&self, partition: Partition) -> Option<Id> {
        let place = match partition {
            Partition::Domain => 0,
            Partition::Configuration => 1,
            Partition::Schema => 2,
        };
        (self.objects.len() > place).then_some(Id(u32::try_from(place).ok()?))
    }

    pub(crate) fn dn(&self, id: Id) -> String {
        let mut text = String::new();
        self.write_dn(id, &mut text);
        text
    }

    fn write_dn(&self, id: Id, text: &mut String) {
        let object = self.object(id);
        if object.class == Class::DomainDns {
            let labels = self.domain.dns_name.split('.');
            let dcs: Vec<_> = labels.map(|label| format!("DC={label}")).collect();
            text.push_str(&dcs.join(","));
            return;
        }
        text.push_str(&object.class.naming().of().name.to_uppercase());
        text.push('=');
        text.push_str(&dn::escape(&object.name));
        if let Some(parent) = object.parent {
            text.push(',');
            self.write_dn(parent, text);
        }
    }

    /// The name, with the ids in front of it that the control for extended names asks for.
    pub(crate) fn extended_dn(&self, id: Id, format: i64) -> String {
        let guid = Uuid::from_u128(self.object(id).guid);
        let sid = self.sid_of(id);
        let mut text = if format == 1 {
            format!("<GUID={guid}>;")
        } else {
            format!("<GUID={}>;", hex(&guid.to_bytes_le()))
        };
        if let Some(sid) = sid {
            if format == 1 {
                text.push_str(&format!("<SID={sid}>;"));
            } else {
                text.push_str(&format!("<SID={}>;", hex(&sid.to_bytes())));
            }
        }
        self.write_dn(id, &mut text);
        text
    }

    pub(crate) fn ancestors(&self, id: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(self.object(id).parent, |above| self.object(*above).parent)
    }

    pub(crate) fn is_below(&self, id: Id, base: Id) -> bool {
        id == base || self.ancestors(id).any(|above| above == base)
    }

    /// Puts a new object in its place. The caller has seen to it that the place is free.
    pub(crate) fn insert(&mut self, birth: Birth, stamp: Stamp) -> Id {
        let id = Id(u32::try_from(self.objects.len()).unwrap_or(u32::MAX));
        self.by_guid.insert(birth.guid, id);
        let key = child_key(birth.class.naming(), &birth.name);
        self.children.insert((birth.parent, key), id);
        self.by_usn.insert(stamp.usn, id);
        self.objects.push(Object::new(birth, stamp.usn, stamp.now));
        id
    }

    pub(crate) fn is_free(&self, parent: Id, class: Class, name: &str) -> bool {
        self.child(Some(parent), class, name).is_none()
    }

    /// Another name, or another place.
    pub(crate) fn place(&mut self, id: Id, parent: Id, name: &str) {
        let (class, old) = {
            let object = self.object(id);
            (
                object.class,
                (
                    object.parent,
                    child_key(object.class.naming(), &object.name),
                ),
            )
        };
        self.children.remove(&old);
        self.children
            .insert((Some(parent), child_key(class.naming(), name)), id);
        let object = self.object_mut(id);
        object.parent = Some(parent);
        object.name = name.into();
    }

    /// Notes a change of an object without one of its attributes, as a change of its links is.
    pub(crate) fn touch(&mut self, id: Id, stamp: Stamp) {
        let before = self.object(id).usn_changed;
        self.by_usn.remove(&before);
        self.by_usn.insert(stamp.usn, id);
        let object = self.object_mut(id);
        object.usn_changed = stamp.usn;
        object.when_changed = stamp.now;
    }

    /// Notes that an attribute was written, here and now.
    pub(crate) fn mark(&mut self, id: Id, attribute: Attr, stamp: Stamp) {
        let meta = stamp.after(self.object(id).meta(attribute));
        self.object_mut(id).put_meta(attribute, meta);
        if self.object(id).usn_changed != stamp.usn {
            self.touch(id, stamp);
        }
    }

    /// Writes an attribute.
    pub(crate) fn write(&mut self, id: Id, attribute: Attr, values: Values, stamp: Stamp) {
        self.put(id, attribute, values);
        self.mark(id, attribute, stamp);
    }

    /// Writes without a word on when: of what is each domain controller's own, and of what comes from another one.
    pub(crate) fn put(&mut self, id: Id, attribute: Attr, values: Values) {
        self.unindex(id, attribute);
        self.object_mut(id).put(attribute, values);
        self.index(id, attribute);
    }

    fn unindex(&mut self, id: Id, attribute: Attr) {
        let Some(old) = self.object(id).stored(attribute).first().cloned() else {
            return;
        };
        let text = || dn::key(&String::from_utf8_lossy(&old));
        match attribute {
            Attr::SAM_ACCOUNT_NAME => remove_if(&mut self.by_logon, &text(), id),
            Attr::USER_PRINCIPAL_NAME => remove_if(&mut self.by_upn, &text(), id),
            Attr::OBJECT_SID => {
                if let Some(sid) = Sid::from_bytes(&old) {
                    remove_if(&mut self.by_sid, &sid, id);
                }
            }
            _ => {}
        }
    }

    fn index(&mut self, id: Id, attribute: Attr) {
        let object = self.object(id);
        let Some(value) = object.stored(attribute).first().cloned() else {
            return;
        };
        let text = || dn::key(&String::from_utf8_lossy(&value));
        match attribute {
            // A deleted object keeps its name, and gives it up.
            Attr::SAM_ACCOUNT_NAME if !object.is_deleted => {
                self.by_logon.insert(text(), id);
            }
            Attr::USER_PRINCIPAL_NAME if !object.is_deleted => {
                self.by_upn.insert(text(), id);
            }
            Attr::OBJECT_SID => {
                if let Some(sid) = Sid::from_bytes(&value) {
                    self.by_sid.insert(sid, id);
                }
            }
            _ => {}
        }
    }

    /// Takes a deleted object out of the names that somebody could log on by, or puts a restored one back.
    pub(crate) fn reindex(&mut self, id: Id, deleted: bool) {
        for attribute in [Attr::SAM_ACCOUNT_NAME, Attr::USER_PRINCIPAL_NAME] {
            self.unindex(id, attribute);
        }
        self.object_mut(id).is_deleted = deleted;
        for attribute in [Attr::SAM_ACCOUNT_NAME, Attr::USER_PRINCIPAL_NAME] {
            self.index(id, attribute);
        }
    }

    /// Keeps an object out of everything: it never was.
    pub(crate) fn hide(&mut self, id: Id) {
        let object = self.object(id);
        let (usn, guid) = (object.usn_changed, object.guid);
        let place = (
            object.parent,
            child_key(object.class.naming(), &object.name),
        );
        self.by_usn.remove(&usn);
        self.by_guid.remove(&guid);
        self.children.remove(&place);
        if let Some(sid) = self.sid_of(id) {
            self.by_sid.remove(&sid);
        }
        self.object_mut(id).is_void = true;
    }

    /// An object's own access list, and what comes from above.
    pub(crate) fn descriptor(&self, id: Id) -> Descriptor {
        let class = self.object(id).class;
        let mut descriptor = match self.access.get(&id) {
            Some(own) => own.clone(),
            None => security::default(&self.domain.sid, class),
        };
        if descriptor.protected {
            return descriptor;
        }
        for above in self.ancestors(id) {
            let Some(own) = self.access.get(&above) else {
                continue;
            };
            let inherited = own.aces.iter().filter_map(|ace| ace.inherited(class));
            descriptor.aces.extend(inherited);
            if own.protected {
                break;
            }
        }
        // What is denied here counts before what is allowed here; what comes from above counts after both.
        descriptor
            .aces
            .sort_by_key(|ace: &Ace| (ace.is_inherited(), ace.allow));
        descriptor
    }

    /// Whether nobody has ever said anything else than what objects have by default.
    pub(crate) fn has_default_access(&self, id: Id) -> bool {
        !self.access.contains_key(&id)
            && self
                .ancestors(id)
                .all(|above| !self.access.contains_key(&above))
    }
}

fn remove_if<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Id>, key: &K, id: Id) {
    if map.get(key) == Some(&id) {
        map.remove(key);
    }
}

fn child_key(attribute: Attr, name: &str) -> String {
    format!("{}={}", attribute.of().name, dn::key(name))
}

fn same_part(a: &(String, String), b: &(String, String)) -> bool {
    a.0.eq_ignore_ascii_case(&b.0) && dn::key(&a.1) == dn::key(&b.1)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value as the syntax writes it.
pub(crate) fn text(value: impl ToString) -> Values {
    vec![value.to_string().into_bytes().into_boxed_slice()]
}

pub(crate) fn bytes(value: Vec<u8>) -> Values {
    vec![value.into_boxed_slice()]
}

/// Whether a value is one of its attribute's syntax.
pub(crate) fn fits(attribute: Attr, value: &[u8]) -> bool {
    let text = std::str::from_utf8(value).ok();
    match attribute.of().syntax {
        Syntax::Text | Syntax::Oid => text.is_some_and(|text| !text.is_empty()),
        Syntax::Int => text.is_some_and(|text| text.parse::<i64>().is_ok()),
        Syntax::Bool => matches!(text, Some("TRUE" | "FALSE")),
        Syntax::Time => text.is_some_and(|text| text.ends_with('Z')),
        Syntax::Dn => text.is_some(),
        Syntax::Sid => Sid::from_bytes(value).is_some(),
        Syntax::Octets | Syntax::Sd => true,
    }
}

//! Walking a group's members, nested groups included, as the sync will see them.

use std::collections::{HashSet, VecDeque};

use directory::{ObjectId, Sid};
use ldap3::Scope;

use crate::access::ATTRIBUTES;
use crate::control;
use crate::entry;
use crate::error::Error;
use crate::filter;
use crate::identity::Identity;
use crate::member::{self, Member};
use crate::object::Object;
use crate::page::{Next, Pager};
use crate::range::{self, Ranges};
use crate::session::{Query, Session};

/// Members resolved in one search.
const BATCH: usize = 100;

/// What was met on the way.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// People, each once.
    pub(crate) people: HashSet<ObjectId>,
    /// Nested groups.
    pub(crate) groups: usize,
    /// Members the bind account may not see: a member that was deleted is in no group.
    pub(crate) hidden: usize,
    /// Members of other domains.
    pub(crate) foreign: usize,
    /// Computers, contacts and the like.
    pub(crate) others: usize,
}

struct Walk<'s, F> {
    session: &'s Session,
    identity: &'s Identity,
    nested: bool,
    walked: Walked,
    seen: HashSet<ObjectId>,
    groups: VecDeque<(ObjectId, Option<u32>)>,
    each: F,
}

impl Session {
    /// Calls `each` with every person in the group: its sAMAccountName and what a judgement of rights needs.
    pub(crate) async fn walk(
        &self,
        identity: &Identity,
        group: &directory::Group,
        nested: bool,
        each: impl FnMut(ObjectId, &Object) + Send,
    ) -> Result<Walked, Error> {
        let mut walk = Walk {
            session: self,
            identity,
            nested,
            walked: Walked::default(),
            seen: HashSet::from([group.id]),
            groups: VecDeque::from([(group.id, rid(identity, group.sid.as_ref()))]),
            each,
        };
        while let Some((group, rid)) = walk.groups.pop_front() {
            walk.direct_members(group).await?;
            if let Some(rid) = rid {
                walk.primary_members(rid).await?;
            }
        }
        Ok(walk.walked)
    }
}

impl<F: FnMut(ObjectId, &Object) + Send> Walk<'_, F> {
    async fn direct_members(&mut self, group: ObjectId) -> Result<(), Error> {
        let mut ranges = Ranges::from_start(group, range::WINDOW);
        while let Some(values) = ranges.next(self.session).await? {
            let mut ids = Vec::with_capacity(values.len());
            for value in values {
                match std::str::from_utf8(&value).map_or(Member::Unresolvable, member::decode) {
                    Member::Object(id) if self.seen.insert(id) => ids.push(id),
                    Member::Object(_) | Member::WellKnown => {}
                    Member::Foreign { .. } => self.walked.foreign += 1,
                    Member::Unresolvable => self.walked.hidden += 1,
                }
            }
            for batch in ids.chunks(BATCH) {
                self.resolve(batch).await?;
            }
        }
        Ok(())
    }

    async fn resolve(&mut self, ids: &[ObjectId]) -> Result<(), Error> {
        let mut attributes = ATTRIBUTES.to_vec();
        attributes.push("sAMAccountName");
        let answer = self
            .session
            .search(Query {
                what: "read the members of a group",
                base: &self.identity.naming_context,
                scope: Scope::Subtree,
                filter: &filter::any_of(ids),
                attributes: &attributes,
                controls: vec![control::security_descriptor()],
            })
            .await?;
        self.walked.hidden += ids.len().saturating_sub(answer.objects.len());
        for object in &answer.objects {
            self.add(object);
        }
        Ok(())
    }

    /// People whose primary group this is: they are not in its member attribute.
    async fn primary_members(&mut self, rid: u32) -> Result<(), Error> {
        let mut attributes: Vec<String> = ATTRIBUTES.iter().map(ToString::to_string).collect();
        attributes.push("sAMAccountName".to_owned());
        let mut pager = Pager {
            what: "read the primary members of a group",
            base: self.identity.naming_context.clone(),
            filter: format!("(&(objectCategory=person)(objectClass=user)(primaryGroupID={rid}))"),
            attributes,
            controls: vec![control::security_descriptor()],
            size: 500,
            next: Next::First,
        };
        while let Some(objects) = pager.next(self.session).await? {
            for object in &objects {
                if entry::object_id(object).is_some_and(|id| self.seen.insert(id)) {
                    self.add(object);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, object: &Object) {
        let Some(id) = entry::object_id(object) else {
            self.walked.hidden += 1;
            return;
        };
        let is = |class: &str| {
            object
                .texts("objectClass")
                .any(|found| found.eq_ignore_ascii_case(class))
        };
        if is("group") {
            self.walked.groups += 1;
            if self.nested {
                let sid = object
                    .bytes("objectSid")
                    .and_then(|bytes| Sid::from_bytes(bytes).ok());
                self.groups
                    .push_back((id, rid(self.identity, sid.as_ref())));
            }
        } else if is("user") && !is("computer") {
            self.walked.people.insert(id);
            (self.each)(id, object);
        } else {
            self.walked.others += 1;
        }
    }
}

fn rid(identity: &Identity, sid: Option<&Sid>) -> Option<u32> {
    let sid = sid?;
    (sid.domain().as_ref() == Some(&identity.domain_sid))
        .then(|| sid.rid())
        .flatten()
}

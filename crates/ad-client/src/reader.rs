//! The full read: every group, every membership edge, every person in scope, in pages, with proof at the end that nothing
//! was left out.

use std::collections::{HashMap, VecDeque};

use directory::{Account, Edge, Group, ObjectId, Sid};

use crate::control;
use crate::entry::{self, Person};
use crate::error::Error;
use crate::identity::Identity;
use crate::issue::{Issue, IssueKind};
use crate::member::{self, Member};
use crate::page::{Next, Pager};
use crate::range::{self, Ranges};
use crate::session::Session;

mod probe;
mod scope;
mod whereabouts;

use scope::Bases;
pub use scope::{ReadScope, ScopeError};
pub use whereabouts::Whereabouts;

/// A group page is small, because each group brings up to [`range::WINDOW`] members with it.
const GROUP_PAGE: u16 = 50;

/// Part of a directory. A group comes before or with its members; an edge may be given twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub groups: Vec<Group>,
    pub accounts: Vec<Account>,
    /// Direct membership, primary groups among it. A member may lie outside the scope, or be no person.
    pub edges: Vec<Edge>,
    pub issues: Vec<Issue>,
}

/// That a read was complete: success on every page, every range and cursor finished, one domain controller all along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub pages: u64,
    pub groups: u64,
    pub accounts: u64,
    pub edges: u64,
    /// Objects seen that could not even be identified. While there is one, the absence of another proves nothing.
    pub unidentified: u64,
    /// The position to read changes from: of this domain controller, before the first page.
    pub highest_usn: u64,
    pub invocation: uuid::Uuid,
    pub domain_controller: String,
}

/// A full read under way.
#[derive(Debug)]
pub struct Read {
    session: Session,
    identity: Identity,
    bases: Bases,
    filter: String,
    /// Attributes the administrator's filter compares.
    compared: Vec<String>,
    page_size: u16,
    range_window: usize,
    context: entry::Context,
    stage: Stage,
    /// Groups whose members did not fit into one answer.
    unfinished: VecDeque<Ranges>,
    /// Primary groups are told by relative id: which group that is.
    groups_by_rid: HashMap<u32, ObjectId>,
    warnings: Vec<Issue>,
    proof: Proof,
}

#[derive(Debug)]
enum Stage {
    Groups(Pager),
    People { base: usize, pager: Pager },
    Checked,
}

impl Session {
    /// Begins a full read. The scope is checked against the directory first: an OU that doesn't exist is an error.
    pub async fn read(&self, scope: &ReadScope) -> Result<Read, Error> {
        let identity = self.identity().await?;
        let filter = scope.filter()?;
        let (bases, warnings) = scope.resolve(self, &identity).await?;
        let context = entry::Context {
            now: identity.current_time,
            admin_count_is_readable: self.admin_count_is_readable(&identity).await?,
        };
        let mut attributes: Vec<String> = entry::GROUP_ATTRIBUTES
            .iter()
            .map(ToString::to_string)
            .collect();
        attributes.push(range::option("member", 0, scope.range_window));
        let groups = Pager {
            what: "read the groups",
            base: identity.naming_context.clone(),
            filter: "(objectCategory=group)".to_owned(),
            attributes,
            controls: vec![control::extended_dn()],
            size: scope.page_size.min(GROUP_PAGE),
            next: Next::First,
        };
        Ok(Read {
            session: self.clone(),
            bases,
            filter,
            compared: scope.compared(),
            page_size: scope.page_size,
            range_window: scope.range_window,
            context,
            stage: Stage::Groups(groups),
            unfinished: VecDeque::new(),
            groups_by_rid: HashMap::new(),
            warnings,
            proof: Proof {
                pages: 0,
                groups: 0,
                accounts: 0,
                edges: 0,
                unidentified: 0,
                highest_usn: identity.highest_usn,
                invocation: identity.invocation,
                domain_controller: identity.domain_controller.clone(),
            },
            identity,
        })
    }

    /// An absent adminCount is either not set or not shown. Every domain has accounts that carry it, so seeing none of
    /// them means that it isn't shown.
    async fn admin_count_is_readable(&self, identity: &Identity) -> Result<bool, Error> {
        let mut pager = Pager {
            what: "probe adminCount",
            base: identity.naming_context.clone(),
            filter: "(&(adminCount=1)(objectSid=*))".to_owned(),
            attributes: vec!["adminCount".to_owned()],
            controls: vec![],
            size: 1,
            next: Next::First,
        };
        let first = pager.next(self).await?.unwrap_or_default();
        Ok(first
            .iter()
            .any(|object| object.text("adminCount").is_some()))
    }
}

impl Read {
    /// The directory being read. Compare it with the pinned one before staging anything.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The next page; `None` when everything was read. After an error the read is over and proves nothing.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        let mut page = Page {
            issues: std::mem::take(&mut self.warnings),
            ..Page::default()
        };
        if let Some(ranges) = self.unfinished.front_mut() {
            let group = ranges.group;
            match ranges.next(&self.session).await? {
                Some(values) => add_members(&mut page, group, &values),
                None => {
                    self.unfinished.pop_front();
                }
            }
            return Ok(Some(self.counted(page)));
        }
        match &mut self.stage {
            Stage::Groups(pager) => match pager.next(&self.session).await? {
                Some(objects) => {
                    for object in &objects {
                        self.add_group(&mut page, object);
                    }
                }
                None => self.stage = self.people(0),
            },
            Stage::People { base, pager } => match pager.next(&self.session).await? {
                Some(objects) => {
                    for object in &objects {
                        self.add_person(&mut page, object);
                    }
                }
                None if *base + 1 < self.bases.within.len() => {
                    let next = *base + 1;
                    self.stage = self.people(next);
                }
                None => {
                    self.check_server().await?;
                    self.stage = Stage::Checked;
                    return Ok(None);
                }
            },
            Stage::Checked => return Ok(None),
        }
        Ok(Some(self.counted(page)))
    }

    /// The proof that everything was read, once [`Self::next`] has given `None`.
    pub fn proof(&self) -> Result<&Proof, Error> {
        match self.stage {
            Stage::Checked => Ok(&self.proof),
            Stage::Groups(_) | Stage::People { .. } => Err(Error::Incomplete {
                what: "read the directory",
                why: "the read was ended before its last page".to_owned(),
            }),
        }
    }

    fn counted(&mut self, page: Page) -> Page {
        self.proof.pages += 1;
        self.proof.groups += page.groups.len() as u64;
        self.proof.accounts += page.accounts.len() as u64;
        self.proof.edges += page.edges.len() as u64;
        self.proof.unidentified += page
            .issues
            .iter()
            .filter(|issue| issue.object.is_none() && issue.kind != IssueKind::UnknownOu)
            .count() as u64;
        page
    }

    fn people(&self, base: usize) -> Stage {
        Stage::People {
            base,
            pager: Pager {
                what: "read the accounts",
                base: match self.bases.within.get(base) {
                    Some((_, text)) => text.clone(),
                    None => self.identity.naming_context.clone(),
                },
                filter: self.filter.clone(),
                attributes: entry::ACCOUNT_ATTRIBUTES
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                controls: vec![],
                size: self.page_size,
                next: Next::First,
            },
        }
    }

    fn add_group(&mut self, page: &mut Page, object: &crate::object::Object) {
        let group = match entry::group(object) {
            Ok(group) => group,
            Err(issue) => return page.issues.push(issue),
        };
        if let Some(rid) = self.rid_here(group.sid.as_ref()) {
            self.groups_by_rid.insert(rid, group.id);
        }
        if let Some(part) = range::part(object, "member") {
            add_members(page, group.id, part.values);
            if let Some(next) = part.next {
                self.unfinished.push_back(Ranges::after(
                    group.id,
                    next,
                    object.text("uSNChanged"),
                    self.range_window,
                ));
            }
        }
        page.groups.push(group);
    }

    fn add_person(&self, page: &mut Page, object: &crate::object::Object) {
        if self.bases.leaves_out(&object.dn) {
            return;
        }
        match entry::person(object, self.context) {
            Person::Account {
                account,
                primary_group,
            } => {
                let group = primary_group.and_then(|rid| self.groups_by_rid.get(&rid));
                page.edges.extend(group.map(|group| Edge {
                    group: *group,
                    member: account.id,
                }));
                page.accounts.push(*account);
            }
            Person::Other => {}
            Person::Issue(issue) => page.issues.push(issue),
        }
    }

    /// The relative id, of a group of this domain and not of BUILTIN.
    fn rid_here(&self, sid: Option<&Sid>) -> Option<u32> {
        let sid = sid?;
        (sid.domain().as_ref() == Some(&self.identity.domain_sid))
            .then(|| sid.rid())
            .flatten()
    }

    /// Behind a load balancer or after a restore another database may have answered in the middle.
    async fn check_server(&self) -> Result<(), Error> {
        if self.session.current_invocation().await? == self.identity.invocation {
            return Ok(());
        }
        Err(Error::Incomplete {
            what: "read the directory",
            why: "another domain controller answered in the middle".to_owned(),
        })
    }
}

fn add_members(page: &mut Page, group: ObjectId, values: &[Vec<u8>]) {
    for value in values {
        let member = std::str::from_utf8(value).map_or(Member::Unresolvable, member::decode);
        let (kind, reason) = match member {
            Member::Object(member) => {
                page.edges.push(Edge { group, member });
                continue;
            }
            Member::WellKnown => continue,
            Member::Foreign { sid } => (
                IssueKind::ForeignMember,
                format!("its member {sid} is an account of another domain"),
            ),
            Member::Unresolvable => (
                IssueKind::UnresolvableMember,
                "one of its member values cannot be resolved".to_owned(),
            ),
        };
        page.issues.push(Issue {
            kind,
            object: Some(group),
            dn: String::new(),
            reason,
        });
    }
}

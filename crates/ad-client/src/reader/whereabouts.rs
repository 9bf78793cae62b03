//! Where an account went that a read did not show. To be asked before anybody is removed.

use directory::{Account, ObjectId};
use ldap3::Scope;

use super::Read;
use crate::control;
use crate::entry::{self, Person};
use crate::error::Error;
use crate::issue::{Issue, IssueKind};
use crate::session::{Query, Session};

const WHAT: &str = "find out where an object went";

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// There, and in scope: it came, or came back, while the read ran.
    Present(Box<Account>),
    /// There, outside the scope: moved to another OU, or no longer matching the filter, or no person.
    OutOfScope,
    /// There, but it can't be read, or what the filter compares can't.
    Unreadable(Issue),
    /// In the Deleted Objects container: a restore can bring it back.
    Deleted,
    /// Neither alive nor deleted to be seen, and no group holds it: deleted, with the bind account not seeing deleted
    /// objects, or recycled.
    Gone,
    /// It exists, or the directory refuses to say: a group still holds it, and yet it isn't shown.
    Hidden,
}

impl Read {
    /// Where each of the objects is, in the order asked, for the scope of this read.
    pub async fn whereabouts(
        &self,
        ids: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Whereabouts)>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.push((*id, self.whereabouts_of(*id).await?));
        }
        Ok(found)
    }

    async fn whereabouts_of(&self, id: ObjectId) -> Result<Whereabouts, Error> {
        let base = format!("<GUID={id}>");
        let mut attributes = entry::ACCOUNT_ATTRIBUTES.to_vec();
        attributes.push("isDeleted");
        let found = self
            .session
            .object(WHAT, &base, &attributes, vec![control::show_deleted()])
            .await;
        let object = match found {
            Ok(Some(object)) => object,
            Ok(None)
                if self
                    .session
                    .is_in_a_group(&self.identity.naming_context, id)
                    .await? =>
            {
                return Ok(Whereabouts::Hidden);
            }
            Ok(None) => return Ok(Whereabouts::Gone),
            Err(Error::Refused { code: 50, .. }) => return Ok(Whereabouts::Hidden),
            Err(error) => return Err(error),
        };
        if object.is_true("isDeleted") {
            return Ok(Whereabouts::Deleted);
        }
        if !self.bases.hold(&object.dn) {
            return Ok(Whereabouts::OutOfScope);
        }
        // What it is comes before whether it matches: an object whose attributes are hidden matches no filter.
        let account = match entry::person(&object, self.context) {
            Person::Account { account, .. } => account,
            Person::Other => return Ok(Whereabouts::OutOfScope),
            Person::Issue(issue) => {
                return Ok(Whereabouts::Unreadable(Issue {
                    object: Some(id),
                    ..issue
                }));
            }
        };
        if self.session.matches(&base, &self.filter).await? {
            return Ok(Whereabouts::Present(account));
        }
        let hidden = self
            .session
            .hidden_attribute(&self.identity, id, &self.compared)
            .await?;
        Ok(match hidden {
            None => Whereabouts::OutOfScope,
            Some(name) => Whereabouts::Unreadable(Issue {
                kind: IssueKind::Unreadable,
                object: Some(id),
                dn: object.dn,
                reason: format!("its `{name}`, which the filter compares, cannot be read"),
            }),
        })
    }
}

impl Session {
    async fn matches(&self, base: &str, filter: &str) -> Result<bool, Error> {
        let query = Query {
            what: WHAT,
            base,
            scope: Scope::Base,
            filter,
            attributes: &["1.1"],
            controls: vec![],
        };
        match self.search(query).await {
            Ok(answer) => Ok(!answer.objects.is_empty()),
            Err(Error::NoSuchObject { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A deleted object is in no group: the directory drops its links with it. One that is, but can't be seen, is
    /// hidden.
    async fn is_in_a_group(&self, naming_context: &str, id: ObjectId) -> Result<bool, Error> {
        let query = Query {
            what: WHAT,
            base: naming_context,
            scope: Scope::Subtree,
            filter: &format!("(&(objectCategory=group)(member=<GUID={id}>))"),
            attributes: &["1.1"],
            controls: vec![],
        };
        Ok(!self.search(query).await?.objects.is_empty())
    }
}

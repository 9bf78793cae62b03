//! Looking single things up: a group by name or id, and whether deleted objects are seen.

use directory::{Group, ObjectId};
use ldap3::Scope;

use crate::control;
use crate::entry;
use crate::error::Error;
use crate::filter;
use crate::page::{Next, Pager};
use crate::session::{Query, Session};

/// What a group's name names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupMatch {
    None,
    One(Group),
    /// Several groups: their distinguished names.
    Ambiguous(Vec<String>),
}

impl Session {
    /// Finds a group by sAMAccountName, cn or name.
    pub async fn group_by_name(
        &self,
        naming_context: &str,
        name: &str,
    ) -> Result<GroupMatch, Error> {
        let name = filter::escape(name);
        let mut pager = Pager {
            what: "look a group up by name",
            base: naming_context.to_owned(),
            filter: format!(
                "(&(objectCategory=group)(|(sAMAccountName={name})(cn={name})(name={name})))"
            ),
            attributes: entry::GROUP_ATTRIBUTES
                .iter()
                .map(ToString::to_string)
                .collect(),
            controls: vec![],
            size: 100,
            next: Next::First,
        };
        let mut groups = Vec::new();
        while let Some(page) = pager.next(self).await? {
            groups.extend(page.iter().filter_map(|object| entry::group(object).ok()));
        }
        let mut groups = groups.into_iter();
        Ok(match (groups.next(), groups.next()) {
            (None, _) => GroupMatch::None,
            (Some(group), None) => GroupMatch::One(group),
            (Some(first), Some(second)) => GroupMatch::Ambiguous(
                [first, second]
                    .into_iter()
                    .chain(groups)
                    .map(|group| group.dn)
                    .collect(),
            ),
        })
    }

    /// Finds a group by its id. Deleted, or no group: `None`.
    pub async fn group_by_id(&self, id: ObjectId) -> Result<Option<Group>, Error> {
        let query = Query {
            what: "look a group up by id",
            base: &format!("<GUID={id}>"),
            scope: Scope::Base,
            filter: "(objectCategory=group)",
            attributes: entry::GROUP_ATTRIBUTES,
            controls: vec![],
        };
        match self.search(query).await {
            Ok(answer) => Ok(answer
                .objects
                .first()
                .and_then(|object| entry::group(object).ok())),
            Err(Error::NoSuchObject { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the bind account sees deleted objects. One that may not is told nothing at all: no rows, and no error.
    /// The container itself is listed to everybody, so it counts as seen only when its attributes are.
    pub async fn sees_deleted_objects(&self, naming_context: &str) -> Result<bool, Error> {
        // The container by its well-known id: its name may be in another language.
        let base = format!("<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,{naming_context}>");
        let query = Query {
            what: "look into the Deleted Objects container",
            base: &base,
            scope: Scope::Base,
            filter: "(objectClass=*)",
            attributes: &["objectClass"],
            controls: vec![control::show_deleted()],
        };
        match self.search(query).await {
            Ok(answer) => Ok(answer
                .objects
                .iter()
                .any(|object| object.text("objectClass").is_some())),
            Err(Error::NoSuchObject { .. } | Error::Refused { code: 50, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

//! A look at a scope without reading it.

use super::{ReadScope, entry};
use crate::error::Error;
use crate::identity::Identity;
use crate::issue::IssueKind;
use crate::page::{Next, Pager};
use crate::session::Session;

/// What a look at a scope showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// Whether at least one person is in it.
    pub(crate) anybody: bool,
    /// OUs to leave out that don't exist.
    pub(crate) unknown_ous: Vec<String>,
    /// Attributes of the filter the schema doesn't hold. A directory answers such a filter with nobody, and no error.
    pub(crate) unknown_attributes: Vec<String>,
}

impl ReadScope {
    pub(crate) async fn probe(
        &self,
        session: &Session,
        identity: &Identity,
    ) -> Result<Probe, Error> {
        let filter = self.filter()?;
        let (bases, warnings) = self.resolve(session, identity).await?;
        let names = self.compared();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let schema = session.attribute_schema(identity, &names).await?;
        let mut anybody = false;
        for (_, base) in &bases.within {
            let mut pager = Pager {
                what: "look for people",
                base: base.clone(),
                filter: filter.clone(),
                attributes: entry::ACCOUNT_ATTRIBUTES
                    .iter()
                    .take(2)
                    .map(ToString::to_string)
                    .collect(),
                controls: vec![],
                size: 20,
                next: Next::First,
            };
            let page = pager.next(session).await?.unwrap_or_default();
            anybody |= page.iter().any(|object| !bases.leaves_out(&object.dn));
        }
        Ok(Probe {
            anybody,
            unknown_ous: warnings
                .into_iter()
                .filter(|issue| issue.kind == IssueKind::UnknownOu)
                .map(|issue| issue.dn)
                .collect(),
            unknown_attributes: names
                .into_iter()
                .filter(|name| !schema.contains_key(&name.to_ascii_lowercase()))
                .map(str::to_owned)
                .collect(),
        })
    }
}

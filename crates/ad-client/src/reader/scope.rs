//! Which part of a directory is read.

use crate::dn::{Dn, DnError};
use crate::error::Error;
use crate::filter::{FilterError, UserFilter};
use crate::identity::Identity;
use crate::issue::{Issue, IssueKind};
use crate::range;
use crate::session::Session;

/// Which people are read. Groups are read from everywhere: a member's group may lie in any OU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadScope {
    /// Where people are; the whole domain when absent.
    pub base_dn: Option<String>,
    /// Only people below these, if any are given. They lie within `base_dn`.
    pub include_ous: Vec<String>,
    /// Nobody below these.
    pub exclude_ous: Vec<String>,
    /// Only people that match.
    pub user_filter: Option<UserFilter>,
    /// People a page, at most 1000.
    pub page_size: u16,
    /// Members asked for with each group. Smaller only to test.
    pub range_window: usize,
}

impl Default for ReadScope {
    fn default() -> Self {
        Self {
            base_dn: None,
            include_ous: Vec::new(),
            exclude_ous: Vec::new(),
            user_filter: None,
            page_size: 500,
            range_window: range::WINDOW,
        }
    }
}

/// Why a scope does not fit the directory.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    #[error("the scope names something that is no distinguished name")]
    Dn(#[from] DnError),
    #[error("the scope's filter cannot be used")]
    Filter(#[from] FilterError),
    #[error("`{dn}` does not exist in the directory, or the account used to log on may not see it")]
    NotFound { dn: String },
    #[error("`{dn}` does not lie within the base `{base}`")]
    Outside { dn: String, base: String },
}

impl ScopeError {
    pub fn what_to_do(&self) -> String {
        match self {
            Self::Dn(_) => "Correct it; the form is OU=Staff,DC=corp,DC=example,DC=com.".to_owned(),
            Self::Filter(_) => "Correct the filter.".to_owned(),
            Self::NotFound { dn } => format!(
                "Correct `{dn}` in the domain's settings. Nothing was read, so nobody was removed."
            ),
            Self::Outside { .. } => "Widen the base DN, or remove the OU.".to_owned(),
        }
    }
}

/// A scope that was found in the directory.
#[derive(Debug)]
pub(super) struct Bases {
    /// Bases to search, none within another.
    pub(super) within: Vec<(Dn, String)>,
    without: Vec<Dn>,
}

impl Bases {
    /// Whether something found below a base lies in an OU to leave out.
    pub(super) fn leaves_out(&self, dn: &str) -> bool {
        !self.without.is_empty()
            && Dn::parse(dn).is_ok_and(|dn| self.without.iter().any(|ou| dn.is_within(ou)))
    }

    pub(super) fn hold(&self, dn: &str) -> bool {
        let below = |dn: &Dn| self.within.iter().any(|(base, _)| dn.is_within(base));
        Dn::parse(dn).is_ok_and(|dn| below(&dn)) && !self.leaves_out(dn)
    }
}

impl ReadScope {
    /// Selects people: without the category, `objectClass=user` would match computers too.
    pub(super) fn filter(&self) -> Result<String, ScopeError> {
        let own = self.user_filter.as_ref().map_or("", UserFilter::as_str);
        Ok(format!("(&(objectCategory=person)(objectClass=user){own})"))
    }

    /// Attributes the administrator's filter compares.
    pub(super) fn compared(&self) -> Vec<String> {
        self.user_filter
            .as_ref()
            .map(UserFilter::attributes)
            .unwrap_or_default()
    }

    pub(super) async fn resolve(
        &self,
        session: &Session,
        identity: &Identity,
    ) -> Result<(Bases, Vec<Issue>), Error> {
        let root = find(session, &identity.naming_context).await?;
        let base = match &self.base_dn {
            Some(base) => found(find(session, base).await?, base)?,
            None => found(root.clone(), &identity.naming_context)?,
        };
        if let Some(root) = &root
            && !base.0.is_within(&root.0)
        {
            return Err(outside(&base.1, &root.1));
        }
        let mut within: Vec<(Dn, String)> = Vec::new();
        for ou in &self.include_ous {
            let ou = found(find(session, ou).await?, ou)?;
            if !ou.0.is_within(&base.0) {
                return Err(outside(&ou.1, &base.1));
            }
            within.push(ou);
        }
        if within.is_empty() {
            within.push(base);
        }
        // Below another one it would be read twice. Equal ones were spelled by the directory, so they are equal now.
        within.sort_by_key(|(_, text)| text.len());
        let mut bases: Vec<(Dn, String)> = Vec::new();
        for ou in within {
            if !bases.iter().any(|base| ou.0.is_within(&base.0)) {
                bases.push(ou);
            }
        }
        let mut without = Vec::new();
        let mut warnings = Vec::new();
        for ou in &self.exclude_ous {
            match find(session, ou).await? {
                Some((dn, _)) => without.push(dn),
                // Nobody can be in it. Said, not fatal: removing an OU must not stop the sync that left it out.
                None => warnings.push(Issue {
                    kind: IssueKind::UnknownOu,
                    object: None,
                    dn: ou.clone(),
                    reason: "it is to be left out, but does not exist".to_owned(),
                }),
            }
        }
        let within = bases;
        Ok((Bases { within, without }, warnings))
    }
}

/// The name as the directory spells it.
async fn find(session: &Session, dn: &str) -> Result<Option<(Dn, String)>, Error> {
    Dn::parse(dn).map_err(ScopeError::from)?;
    let object = session
        .object("look an OU up", dn, &["objectClass"], vec![])
        .await?;
    object
        .map(|object| {
            let parsed = Dn::parse(&object.dn).map_err(ScopeError::from)?;
            Ok((parsed, object.dn))
        })
        .transpose()
}

fn found(dn: Option<(Dn, String)>, asked: &str) -> Result<(Dn, String), ScopeError> {
    dn.ok_or_else(|| ScopeError::NotFound {
        dn: asked.to_owned(),
    })
}

fn outside(dn: &str, base: &str) -> Error {
    Error::Scope(ScopeError::Outside {
        dn: dn.to_owned(),
        base: base.to_owned(),
    })
}

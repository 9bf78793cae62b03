//! Active Directory as the steps of a run read it.

use ad_client::access::Access;
use ad_client::{GroupMatch, IssueKind, ReadScope, Session};
use api::directory::v1 as proto;
use connector::{Failure, FailureReason, Readable, Reader};
use directory::{Attribute, ObjectId};
use sync::{
    Completion, GroupRef, Identity, Issue, IssueCode, Page, Read, Reading, Resolved, Source,
    Whereabouts,
};

use crate::explain::error;

/// One domain, through one domain controller.
#[derive(Debug)]
pub(crate) struct AdSource {
    session: Session,
    identity: ad_client::Identity,
    scope: ReadScope,
    read: Option<ad_client::Read>,
}

impl AdSource {
    pub(crate) fn new(session: Session, identity: ad_client::Identity, scope: ReadScope) -> Self {
        Self {
            session,
            identity,
            scope,
            read: None,
        }
    }

    fn reading(&mut self) -> Result<&mut ad_client::Read, Failure> {
        self.read.as_mut().ok_or_else(|| {
            let message = "the directory was asked for a page before a read was begun";
            Failure::lasting(FailureReason::Internal, message, "Report this.")
        })
    }
}

impl AdSource {
    /// A directory answers a filter over an attribute it doesn't know with nobody, and no error.
    async fn filter_is_understood(&self) -> Result<(), Failure> {
        let Some(filter) = &self.scope.user_filter else {
            return Ok(());
        };
        let names = filter.attributes();
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let schema = self.session.attribute_schema(&self.identity, &asked).await;
        let schema = schema.map_err(error)?;
        let unknown: Vec<&str> = asked
            .into_iter()
            .filter(|name| !schema.contains_key(*name))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Failure::lasting(
            FailureReason::FilterInvalid,
            format!(
                "the directory's schema has no attribute {}, which the filter asks for",
                unknown.join(", ")
            ),
            "Correct the filter in the domain's settings. Nobody was removed.",
        ))
    }
}

/// The directory as it is shown to people.
pub(crate) fn shown(identity: &ad_client::Identity) -> proto::DirectoryIdentity {
    let mut suffixes: Vec<String> = identity
        .upn_suffixes
        .iter()
        .chain([&identity.dns_domain])
        .map(|suffix| suffix.to_ascii_lowercase())
        .collect();
    suffixes.sort_unstable();
    suffixes.dedup();
    proto::DirectoryIdentity {
        directory_id: identity.domain_guid.to_string(),
        security_identifier: identity.domain_sid.to_string(),
        dns_name: identity.dns_domain.clone(),
        netbios_name: identity.netbios_name.clone().unwrap_or_default(),
        proven_mail_suffixes: suffixes,
    }
}

impl Source for AdSource {
    type Error = Failure;

    async fn identify(&mut self) -> Result<Identity, Failure> {
        Ok(Identity::new([
            ("domain GUID", self.identity.domain_guid.to_string()),
            ("domain SID", self.identity.domain_sid.to_string()),
        ]))
    }

    async fn resolve(&mut self, group: GroupRef<'_>) -> Result<Resolved, Failure> {
        let found = match group {
            GroupRef::Name(name) => {
                let context = &self.identity.naming_context;
                let found = self.session.group_by_name(context, name).await;
                match found.map_err(error)? {
                    GroupMatch::None => None,
                    GroupMatch::One(group) => Some(group),
                    GroupMatch::Ambiguous(groups) => {
                        return Ok(Resolved::Ambiguous(groups.len()));
                    }
                }
            }
            GroupRef::Pinned(id) => self.session.group_by_id(id).await.map_err(error)?,
        };
        Ok(match found {
            Some(group) => Resolved::Found {
                id: group.id,
                name: group.name,
            },
            None => Resolved::Missing,
        })
    }

    async fn begin(&mut self, _: &Read) -> Result<(), Failure> {
        let read = self.session.read(&self.scope).await.map_err(error)?;
        if !read.identity().is_same_directory(&self.identity) {
            return Err(Failure::passing(
                FailureReason::ReadIncomplete,
                "another directory answered in the middle",
                "Check what the domain's servers stand for: all must be of one domain.",
            ));
        }
        self.read = Some(read);
        self.filter_is_understood().await
    }

    async fn next(&mut self) -> Result<Reading, Failure> {
        let read = self.reading()?;
        Ok(match read.next().await.map_err(error)? {
            Some(page) => Reading::Page(Page {
                accounts: page.accounts,
                groups: page.groups,
                edges: page.edges,
                issues: page.issues.into_iter().map(issue).collect(),
            }),
            None => {
                let proof = read.proof().map_err(error)?;
                // Whoever logs on is somebody: an empty scope is a mistake in the settings, not an empty company.
                if proof.accounts == 0 {
                    return Err(Failure::lasting(
                        FailureReason::ScopeEmpty,
                        "nobody is in the domain's scope: its base, organizational units and filter leave no one",
                        "Correct the scope in the domain's settings. Nobody was removed.",
                    ));
                }
                Reading::Complete(Completion {
                    cursor: None,
                    accounts: proof.accounts,
                    groups: proof.groups,
                    edges: proof.edges,
                })
            }
        })
    }

    async fn whereabouts(
        &mut self,
        ids: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Whereabouts)>, Failure> {
        use ad_client::Whereabouts as Found;
        let read = self.reading()?;
        let unidentified = read.proof().map_err(error)?.unidentified;
        let found = read.whereabouts(ids).await.map_err(error)?;
        let told = found.into_iter().map(|(id, found)| {
            let told = match found {
                Found::Present(account) => Whereabouts::Present(account),
                Found::OutOfScope => Whereabouts::OutOfScope,
                Found::Deleted => Whereabouts::Deleted,
                // It may be one of those that were seen without their id.
                Found::Gone if unidentified > 0 => Whereabouts::Unknown(format!(
                    "{unidentified} objects withhold even their id from the account used to log on"
                )),
                Found::Gone => Whereabouts::Gone,
                Found::Unreadable(issue) => Whereabouts::Unknown(issue.reason),
                Found::Hidden => Whereabouts::Unknown(
                    "it exists, but the account used to log on may not see it".to_owned(),
                ),
            };
            (id, told)
        });
        Ok(told.collect())
    }

    async fn readable(
        &mut self,
        ids: &[ObjectId],
        attributes: &[Attribute],
    ) -> Result<Vec<(ObjectId, Vec<Attribute>)>, Failure> {
        let judged = self.session.readable(&self.identity, ids, attributes).await;
        let readable = judged.map_err(error)?.into_iter().map(|judged| {
            let granted = judged.attributes.into_iter();
            let granted = granted.filter(|(_, access)| *access == Access::Granted);
            (
                judged.object,
                granted.map(|(attribute, _)| attribute).collect(),
            )
        });
        Ok(readable.collect())
    }
}

impl Reader for AdSource {
    async fn members_readable(
        &mut self,
        groups: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Readable)>, Failure> {
        let mut all = Vec::with_capacity(groups.len());
        for group in groups {
            let access = self.session.members_readable(&self.identity, *group).await;
            let readable = match access.map_err(error)? {
                Access::Granted => Readable::Yes,
                Access::Denied => Readable::No,
                Access::Unknown(_) => Readable::Unknown,
            };
            all.push((*group, readable));
        }
        Ok(all)
    }
}

fn issue(found: ad_client::Issue) -> Issue {
    let code = match found.kind {
        IssueKind::Unreadable => IssueCode::Unreadable,
        IssueKind::Conflict => IssueCode::Duplicate,
        IssueKind::ForeignMember => IssueCode::OutsideScope,
        IssueKind::UnresolvableMember => IssueCode::Malformed,
        IssueKind::UnknownOu => IssueCode::Inconsistent,
    };
    Issue {
        object: found.object,
        code,
        reason: found.reason,
    }
}

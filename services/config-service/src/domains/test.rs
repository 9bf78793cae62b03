//! What a connection test is made with: saved or not, checked before a connector sees it.

use api::config::v1::{Domain, TestDomainRequest, test_domain_request::Subject};
use api::connector::v1::TestConnectionRequest;
use directory::DirectoryKind;

use super::{By, DomainError, Domains, Secret, domain_message, domain_name};
use crate::audit::Outcome;
use crate::domains::read::domain_id;
use crate::store::{self, DomainRow};
use crate::validate;

/// A test to be run.
pub(crate) struct Test {
    pub(crate) kind: DirectoryKind,
    domain: Domain,
    secret: Option<Secret>,
}

impl Test {
    /// Moves the secret into the request, which the caller drops when it is sent.
    pub(crate) fn into_request(self) -> TestConnectionRequest {
        TestConnectionRequest {
            domain: Some(self.domain),
            credentials: self.secret.map(Secret::into_inner),
        }
    }
}

impl Domains {
    /// Resolves what to test, and audits that it is tested: with the saved credentials, a test is a use of them.
    pub(crate) async fn prepare_test(
        &self,
        by: &By,
        mut request: TestDomainRequest,
        administrator: bool,
    ) -> Result<Test, DomainError> {
        let given = request.credentials.take().map(Secret::new);
        let unsaved = given.is_some() || matches!(request.subject, Some(Subject::Domain(_)));
        let mut tx = self.db.begin().await?;
        if unsaved && !administrator {
            let record = by
                .record_of("domain.test", "domains/-")
                .outcome(Outcome::Denied);
            store::append(&mut tx, record).await?;
            tx.commit().await?;
            return Err(DomainError::UnsavedTest);
        }
        let (domain, kind, saved) = match request.subject {
            Some(Subject::Name(name)) => {
                let row = self.live(&mut tx, &domain_id("name", &name)?).await?;
                (domain_message(&row), row.kind, Some(row))
            }
            Some(Subject::Domain(domain)) => {
                let saved = match domain.name.as_str() {
                    "" => None,
                    name => store::domain(&mut tx, &domain_id("domain.name", name)?).await?,
                };
                let (domain, kind) = unsaved_settings(domain, saved.as_ref())?;
                (domain, kind, saved)
            }
            None => {
                return Err(DomainError::invalid(
                    "name",
                    "is empty; name a saved domain, or give settings",
                ));
            }
        };
        let secret = match (given, &saved) {
            (Some(secret), _) => {
                validate::credentials::check("credentials", secret.expose(), kind, by.now)
                    .map_err(DomainError::Invalid)?;
                Some(secret)
            }
            (None, Some(row)) if row.deleted.is_none() => self
                .open(&mut tx, &row.id)
                .await?
                .map(|opened| opened.secret),
            (None, _) => None,
        };
        let mut record = by
            .record_of("domain.test", &domain.name)
            .detail("unsaved", unsaved);
        if let Some(row) = &saved {
            record = record.detail("credential_version", row.credential.version);
        }
        store::append(&mut tx, record).await?;
        tx.commit().await?;
        Ok(Test {
            kind,
            domain,
            secret,
        })
    }
}

/// Settings that aren't saved, checked as if they were to be. The saved credentials go with them only to the directory
/// they were given for.
fn unsaved_settings(
    domain: Domain,
    saved: Option<&DomainRow>,
) -> Result<(Domain, DirectoryKind), DomainError> {
    let id = match &saved {
        Some(row) => row.id.to_string(),
        None => "unsaved".to_owned(),
    };
    let settings = validate::domain::normalize(&id, domain.clone())?;
    let Some(row) = saved else {
        let name = if domain.name.is_empty() {
            "domains/unsaved".to_owned()
        } else {
            domain.name
        };
        return Ok((Domain { name, ..settings }, DirectoryKind::ActiveDirectory));
    };
    if directory_name(&settings) != directory_name(&row.settings) {
        return Err(DomainError::Immutable(vec![validate::Violation {
            field: "domain.active_directory.domain_name".into(),
            problem: "isn't the saved domain's; test another directory without a name".into(),
        }]));
    }
    let message = domain_message(row);
    let tested = Domain {
        name: domain_name(&row.id),
        credential_status: message.credential_status,
        identity: message.identity,
        pinned_sync_group: message.pinned_sync_group,
        pinned_rotation_group: message.pinned_rotation_group,
        group_revision: message.group_revision,
        ..settings
    };
    Ok((tested, row.kind))
}

fn directory_name(settings: &Domain) -> Option<&str> {
    use api::config::v1::domain::Directory;
    match settings.directory.as_ref()? {
        Directory::ActiveDirectory(settings) => Some(&settings.domain_name),
        Directory::Entra(settings) => Some(&settings.tenant_id),
    }
}

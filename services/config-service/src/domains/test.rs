//! What a connection test is made with: saved or not, checked before a connector sees it.

use api::config::v1::{Domain, TestDomainRequest, test_domain_request::Subject};
use api::connector::v1::TestConnectionRequest;
use directory::DirectoryKind;
use storage::Transaction;

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
        let settings_unsaved = matches!(request.subject, Some(Subject::Domain(_)));
        let unsaved = given.is_some() || settings_unsaved;
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
            (None, Some(row)) if row.deleted.is_none() => {
                let opened = self.open(&mut tx, &row.id).await?;
                if opened.is_some() && !same_way(&domain, &row.settings) {
                    return self.refuse_elsewhere(tx, by, &domain.name).await;
                }
                opened.map(|opened| opened.secret)
            }
            (None, _) => None,
        };
        let mut record = by
            .record_of("domain.test", &domain.name)
            .detail("unsaved", unsaved);
        if settings_unsaved {
            record = record.detail("servers", servers(&domain).join(" "));
        }
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

impl Domains {
    async fn refuse_elsewhere(
        &self,
        mut tx: Transaction,
        by: &By,
        name: &str,
    ) -> Result<Test, DomainError> {
        let record = by
            .record_of("domain.test", name)
            .outcome(Outcome::Denied)
            .detail("unsaved", true);
        store::append(&mut tx, record).await?;
        tx.commit().await?;
        Err(DomainError::invalid(
            "credentials",
            "are absent, and the saved ones aren't sent to servers, or trusted to authorities, that aren't saved: give \
             the credentials for this test, or save the settings first",
        ))
    }
}

/// Whether credentials go where they go by the saved settings: to the same servers, secured in the same way. Else a test,
/// which leaves no trace in the settings, would hand them to whoever the request names.
fn same_way(tested: &Domain, saved: &Domain) -> bool {
    use api::config::v1::domain::Directory;
    match (&tested.directory, &saved.directory) {
        (Some(Directory::ActiveDirectory(tested)), Some(Directory::ActiveDirectory(saved))) => {
            let is_saved = |server| saved.servers.contains(server);
            tested.servers.is_empty() == saved.servers.is_empty()
                && tested.servers.iter().all(is_saved)
                && tested.start_tls == saved.start_tls
                && tested.ca_bundle_pem == saved.ca_bundle_pem
        }
        (Some(Directory::Entra(tested)), Some(Directory::Entra(saved))) => tested == saved,
        _ => false,
    }
}

fn servers(domain: &Domain) -> &[String] {
    use api::config::v1::domain::Directory;
    match &domain.directory {
        Some(Directory::ActiveDirectory(settings)) => &settings.servers,
        Some(Directory::Entra(_)) | None => &[],
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

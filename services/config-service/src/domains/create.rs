//! Adding a domain.

use std::time::Duration;

use api::config::v1::{
    CreateDomainRequest, CredentialKind, CredentialState, Domain, create_domain_request::Logon,
    domain::Directory,
};
use directory::{DirectoryKind, DomainId};
use prost::Message as _;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{By, DomainError, Domains, Secret, domain_message};
use crate::store::{self, AnsweredRequest, CredentialRow, DomainRow};
use crate::validate::{self, Violations};

/// How long a repeated request gets the first one's answer.
pub(crate) const REMEMBERED: Duration = Duration::from_hours(24 * 7);

/// A request, checked.
struct Wanted {
    row: DomainRow,
    secret: Option<Secret>,
    request: Option<(Uuid, [u8; 32])>,
}

impl Domains {
    pub(crate) async fn create(
        &self,
        by: &By,
        mut request: CreateDomainRequest,
    ) -> Result<Domain, DomainError> {
        let secret = take_secret(&mut request);
        let validate_only = request.validate_only;
        let wanted = check(by, request, secret)?;

        let mut tx = self.db.begin().await?;
        if let Some((id, fingerprint)) = &wanted.request
            && let Some(answered) = store::answered_request(&mut tx, &id.to_string()).await?
        {
            return repeated(&answered, fingerprint);
        }
        let id = wanted.row.id.clone();
        if let Some(existing) = store::domain(&mut tx, &id).await? {
            return Err(match existing.deleted {
                None => DomainError::Exists(id),
                Some(_) => DomainError::ExistsDeleted(id),
            });
        }
        let message = domain_message(&wanted.row);
        if validate_only {
            return Ok(message);
        }
        store::insert_domain(&mut tx, &wanted.row).await?;
        if let Some(secret) = &wanted.secret {
            self.seal(&mut tx, &id, wanted.row.credential.version, secret)
                .await?;
        }
        if let Some((request, fingerprint)) = &wanted.request {
            let answered = AnsweredRequest {
                fingerprint: fingerprint.to_vec(),
                response: message.encode_to_vec(),
            };
            store::insert_request(&mut tx, &request.to_string(), &answered, by.now).await?;
        }
        let mut record = by
            .record("domain.create", &id)
            .detail("credentials", wanted.row.credential.state.as_str_name());
        record.details.extend(super::changes::between(
            &Domain::default(),
            &wanted.row.settings,
        ));
        self.changed(
            &mut tx,
            &wanted.row,
            "domain",
            "created",
            Vec::new(),
            record,
        )
        .await?;
        tx.commit().await?;
        Ok(message)
    }
}

/// The answer to a request that was answered before.
fn repeated(answered: &AnsweredRequest, fingerprint: &[u8; 32]) -> Result<Domain, DomainError> {
    if answered.fingerprint != fingerprint {
        return Err(DomainError::RequestIdReused);
    }
    Domain::decode(answered.response.as_slice())
        .map_err(|_| store::StoreError::corrupt("answered request", "of CreateDomain").into())
}

/// Takes the credentials out of the request, into what wipes them.
fn take_secret(request: &mut CreateDomainRequest) -> Option<Secret> {
    match &mut request.logon {
        Some(Logon::Credentials(credentials)) => {
            // What stays behind says that there were some, and of no kind.
            Some(Secret::new(std::mem::take(credentials)))
        }
        Some(Logon::SkipCredentials(_)) | None => None,
    }
}

fn check(
    by: &By,
    request: CreateDomainRequest,
    secret: Option<Secret>,
) -> Result<Wanted, DomainError> {
    let mut violations = Violations::default();
    let parsed: Result<DomainId, String> = request
        .domain_id
        .parse()
        .map_err(|error: directory::DomainIdError| error.to_string());
    let id = violations.check("domain_id", parsed);
    let request_id = if request.request_id.is_empty() {
        None
    } else {
        let parsed = Uuid::try_parse(&request.request_id)
            .map_err(|_| "is not a UUID; make a new one for each request".into());
        violations.check("request_id", parsed)
    };
    // The secret is not part of it: a stored hash of a password would let it be guessed.
    let fingerprint: [u8; 32] = Sha256::digest(request.encode_to_vec()).into();

    let domain = request.domain.unwrap_or_default();
    let kind = match &domain.directory {
        Some(Directory::Entra(_)) => DirectoryKind::EntraId,
        Some(Directory::ActiveDirectory(_)) | None => DirectoryKind::ActiveDirectory,
    };
    match (&request.logon, &secret) {
        (Some(Logon::Credentials(_)), Some(secret)) => {
            violations.extend(validate::credentials::check(
                "credentials",
                secret.expose(),
                kind,
                by.now,
            ));
        }
        (Some(Logon::SkipCredentials(true)), _) => {}
        (Some(Logon::SkipCredentials(false)), _) => {
            violations.add(
                "skip_credentials",
                "is false; leave it out and give credentials, or set it to true",
            );
        }
        (Some(Logon::Credentials(_)) | None, _) => violations.add(
            "credentials",
            "are absent; give them, or skip them explicitly: sync and rotation stay off then",
        ),
    }
    let settings = match validate::domain::normalize(&request.domain_id, domain) {
        Ok(settings) => Some(settings),
        Err(validate::domain::Refusal::Invalid(more)) => {
            violations.extend(Err(more));
            None
        }
        Err(refusal @ validate::domain::Refusal::EntraNotYet) => return Err(refusal.into()),
    };
    violations.into_result().map_err(DomainError::Invalid)?;
    // Both are there: what is not was complained of.
    let (Some(id), Some(settings)) = (id, settings) else {
        return Err(DomainError::invalid(
            "domain",
            "is absent; give the settings",
        ));
    };
    let credential = CredentialRow {
        state: if secret.is_some() {
            CredentialState::Set
        } else {
            CredentialState::Skipped
        },
        kind: secret
            .as_ref()
            .map_or(CredentialKind::Unspecified, Secret::kind),
        version: 1,
        changed_by: by.actor.clone(),
        changed: by.now,
        expires: super::credentials::expires(secret.as_ref()),
    };
    Ok(Wanted {
        row: DomainRow {
            id,
            kind,
            settings,
            revision: 1,
            group_revision: 1,
            pinned: None,
            credential,
            removal_changed: by.now,
            created: by.now,
            updated: by.now,
            deleted: None,
            purges: None,
        },
        secret,
        request: request_id.map(|id| (id, fingerprint)),
    })
}

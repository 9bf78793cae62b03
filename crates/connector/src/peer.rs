//! config-service, asked for domains and their credentials.

use api::config::v1 as proto;
use api::config::v1::credential_service_client::CredentialServiceClient;
use api::config::v1::domain_service_client::DomainServiceClient;
use api::name::DomainName;
use directory::{DirectoryKind, DomainId};
use runtime::Channel;
use tonic::{Code, Status};

use crate::configured::{Configured, kind_of};
use crate::credentials::{Credentials, Keyring};
use crate::failure::{Failure, FailureReason};

/// What the connector asks of config-service.
#[derive(Debug)]
pub(crate) struct Peer {
    channel: Channel,
    kind: DirectoryKind,
    batch: u32,
    keyring: Keyring,
}

/// The domains of this connector's kind.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) domains: Vec<Configured>,
    /// Names of records that this version cannot read: they are there, and not to be taken for gone.
    pub(crate) unreadable: Vec<String>,
}

const PAGE: i32 = 200;

impl Peer {
    pub(crate) fn new(channel: Channel, kind: DirectoryKind, batch: u32) -> Self {
        Self {
            channel,
            kind,
            batch,
            keyring: Keyring::default(),
        }
    }

    /// Every domain of this connector's kind, deleted ones too.
    pub(crate) async fn domains(&self) -> Result<Listed, Status> {
        let mut client = DomainServiceClient::new(self.channel.clone());
        let mut listed = Listed::default();
        let mut page_token = String::new();
        loop {
            let page = client
                .list_domains(proto::ListDomainsRequest {
                    page_size: PAGE,
                    page_token,
                    show_deleted: true,
                })
                .await?
                .into_inner();
            for domain in page.domains {
                let name = domain.name.clone();
                match self.read(domain) {
                    Read::Ours(domain) => listed.domains.push(*domain),
                    Read::Unreadable => listed.unreadable.push(name),
                    Read::Others => {}
                }
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(listed);
            }
        }
    }

    /// One domain, if there is one of this kind.
    pub(crate) async fn domain(&self, domain: &DomainId) -> Result<Option<Configured>, Status> {
        let mut client = DomainServiceClient::new(self.channel.clone());
        let request = proto::GetDomainRequest {
            name: DomainName(domain.clone()).to_string(),
        };
        match client.get_domain(request).await {
            Ok(domain) => Ok(match self.read(domain.into_inner()) {
                Read::Ours(domain) => Some(*domain),
                Read::Unreadable | Read::Others => None,
            }),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    fn read(&self, domain: proto::Domain) -> Read {
        match kind_of(&domain) {
            Some(kind) if kind == self.kind => {}
            Some(_) => return Read::Others,
            // Of a kind this version does not know.
            None => return Read::Unreadable,
        }
        match Configured::parse(domain, self.batch) {
            Ok(configured) => Read::Ours(Box::new(configured)),
            Err(error) => {
                tracing::warn!(%error, "left out a domain whose record cannot be read: {error}");
                Read::Unreadable
            }
        }
    }

    /// The domain's credentials, asked for once a version.
    pub(crate) async fn credentials(&self, domain: &Configured) -> Result<Credentials, Failure> {
        if let Some(credentials) = self.keyring.get(&domain.id, domain.credentials_version) {
            return Ok(credentials);
        }
        let mut client = CredentialServiceClient::new(self.channel.clone());
        let request = proto::GetCredentialRequest {
            domain: DomainName(domain.id.clone()).to_string(),
        };
        let answer = match client.get_credential(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(unavailable(&status)),
        };
        let credentials = answer
            .credentials
            .and_then(Credentials::from_proto)
            .ok_or_else(|| unavailable(&Status::internal("it answered without credentials")))?;
        self.keyring
            .put(&domain.id, answer.version, credentials.clone());
        Ok(credentials)
    }

    /// Forgets credentials that are not the present ones.
    pub(crate) fn keep_only(&self, domain: &Configured) {
        let version = domain
            .off_because()
            .is_none()
            .then_some(domain.credentials_version);
        self.keyring.keep_only(&domain.id, version);
    }
}

/// What a record turned out to be.
enum Read {
    Ours(Box<Configured>),
    Unreadable,
    /// Another connector's.
    Others,
}

fn unavailable(status: &Status) -> Failure {
    let message = format!(
        "config-service did not hand out the domain's credentials: {}",
        status.message()
    );
    let code = status.code();
    if matches!(code, Code::FailedPrecondition | Code::NotFound) {
        let remedy = "Set the domain's credentials.";
        return Failure::lasting(FailureReason::CredentialsMissing, message, remedy);
    }
    if matches!(code, Code::PermissionDenied | Code::Unauthenticated) {
        let remedy = "Check the connector's own certificate.";
        return Failure::lasting(FailureReason::CredentialsUnavailable, message, remedy);
    }
    let remedy = "Check that config-service runs and can be reached. It is tried again by itself.";
    Failure::passing(FailureReason::CredentialsUnavailable, message, remedy)
}

//! The part of config-service that connectors speak to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::config::v1 as proto;
use api::config::v1::credential_service_server::CredentialService;
use api::config::v1::domain_service_server::DomainService;
use futures::stream::BoxStream;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

/// Domains and credentials in memory. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct FakeConfig(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    domains: BTreeMap<String, proto::Domain>,
    credentials: BTreeMap<String, proto::Credentials>,
    handed_out: u32,
    held: Option<Arc<Held>>,
}

/// Answers of config-service that are on their way until they are let go.
#[derive(Debug)]
pub struct Held {
    made: Semaphore,
    gone: Semaphore,
}

impl Held {
    /// Waits until one more answer is on its way.
    pub async fn until_made(&self) {
        if let Ok(permit) = self.made.acquire().await {
            permit.forget();
        }
    }

    /// Lets this many answers arrive, now or when they are made.
    pub fn let_go(&self, answers: usize) {
        self.gone.add_permits(answers);
    }

    async fn travel(&self) {
        self.made.add_permits(1);
        if let Ok(permit) = self.gone.acquire().await {
            permit.forget();
        }
    }
}

impl FakeConfig {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a domain or replaces it.
    pub fn set(&self, domain: proto::Domain) {
        self.state().domains.insert(domain.name.clone(), domain);
    }

    pub fn change(&self, id: &str, change: impl FnOnce(&mut proto::Domain)) {
        if let Some(domain) = self.state().domains.get_mut(&format!("domains/{id}")) {
            change(domain);
        }
    }

    /// Knows a domain no more.
    pub fn purge(&self, id: &str) {
        self.state().domains.remove(&format!("domains/{id}"));
    }

    /// Gives a domain a new version of its credentials.
    pub fn set_credentials(&self, id: &str, logon_name: &str, password: &str) {
        let kind = proto::credentials::Kind::ActiveDirectory(proto::ActiveDirectoryCredentials {
            logon_name: logon_name.to_owned(),
            password: password.to_owned(),
        });
        let credentials = proto::Credentials {
            kind: Some(kind),
            expire_time: None,
        };
        let name = format!("domains/{id}");
        self.state().credentials.insert(name, credentials);
        self.status(id, proto::CredentialState::Set);
    }

    pub fn remove_credentials(&self, id: &str) {
        self.state().credentials.remove(&format!("domains/{id}"));
        self.status(id, proto::CredentialState::Removed);
    }

    fn status(&self, id: &str, state: proto::CredentialState) {
        self.change(id, |domain| {
            let status = domain.credential_status.get_or_insert_default();
            status.version += 1;
            status.state = state.into();
        });
    }

    /// From now on, a list of domains is made when it is asked for, and arrives when it is let go.
    pub fn hold_lists(&self) -> Arc<Held> {
        let held = Arc::new(Held {
            made: Semaphore::new(0),
            gone: Semaphore::new(0),
        });
        self.state().held = Some(Arc::clone(&held));
        held
    }

    /// How often credentials were asked for.
    pub fn handed_out(&self) -> u32 {
        self.state().handed_out
    }
}

fn not_played<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not played"))
}

#[tonic::async_trait]
impl CredentialService for FakeConfig {
    async fn get_credential(
        &self,
        request: Request<proto::GetCredentialRequest>,
    ) -> Result<Response<proto::GetCredentialResponse>, Status> {
        let name = request.into_inner().domain;
        let mut state = self.state();
        state.handed_out += 1;
        let credentials = state.credentials.get(&name).cloned();
        let credentials =
            credentials.ok_or_else(|| Status::failed_precondition("no credentials are set"))?;
        let status = state
            .domains
            .get(&name)
            .and_then(|domain| domain.credential_status.clone());
        Ok(Response::new(proto::GetCredentialResponse {
            credentials: Some(credentials),
            version: status.unwrap_or_default().version,
            expire_time: None,
        }))
    }
}

#[tonic::async_trait]
impl DomainService for FakeConfig {
    type TestDomainStream = BoxStream<'static, Result<proto::TestDomainResponse, Status>>;

    async fn get_domain(
        &self,
        request: Request<proto::GetDomainRequest>,
    ) -> Result<Response<proto::Domain>, Status> {
        let name = request.into_inner().name;
        let domain = self.state().domains.get(&name).cloned();
        domain
            .map(Response::new)
            .ok_or_else(|| Status::not_found("no such domain"))
    }

    async fn list_domains(
        &self,
        request: Request<proto::ListDomainsRequest>,
    ) -> Result<Response<proto::ListDomainsResponse>, Status> {
        // One a page, so that paging is always exercised.
        let after = request.into_inner().page_token;
        let (domain, next, held) = {
            let state = self.state();
            let mut rest = state.domains.values().filter(|domain| domain.name > after);
            let domain = rest.next().cloned();
            let next = match (&domain, rest.next()) {
                (Some(domain), Some(_)) => domain.name.clone(),
                _ => String::new(),
            };
            (domain, next, state.held.clone())
        };
        if let Some(held) = held {
            held.travel().await;
        }
        Ok(Response::new(proto::ListDomainsResponse {
            domains: domain.into_iter().collect(),
            next_page_token: next,
        }))
    }

    async fn create_domain(
        &self,
        _: Request<proto::CreateDomainRequest>,
    ) -> Result<Response<proto::Domain>, Status> {
        not_played()
    }

    async fn update_domain(
        &self,
        _: Request<proto::UpdateDomainRequest>,
    ) -> Result<Response<proto::Domain>, Status> {
        not_played()
    }

    async fn delete_domain(
        &self,
        _: Request<proto::DeleteDomainRequest>,
    ) -> Result<Response<proto::Domain>, Status> {
        not_played()
    }

    async fn undelete_domain(
        &self,
        _: Request<proto::UndeleteDomainRequest>,
    ) -> Result<Response<proto::Domain>, Status> {
        not_played()
    }

    async fn set_credentials(
        &self,
        _: Request<proto::SetCredentialsRequest>,
    ) -> Result<Response<proto::Domain>, Status> {
        not_played()
    }

    async fn remove_credentials(
        &self,
        _: Request<proto::RemoveCredentialsRequest>,
    ) -> Result<Response<proto::Domain>, Status> {
        not_played()
    }

    async fn test_domain(
        &self,
        _: Request<proto::TestDomainRequest>,
    ) -> Result<Response<Self::TestDomainStream>, Status> {
        not_played()
    }

    async fn get_passwordless_settings(
        &self,
        _: Request<proto::GetPasswordlessSettingsRequest>,
    ) -> Result<Response<proto::PasswordlessSettings>, Status> {
        not_played()
    }

    async fn update_passwordless_settings(
        &self,
        _: Request<proto::UpdatePasswordlessSettingsRequest>,
    ) -> Result<Response<proto::PasswordlessSettings>, Status> {
        not_played()
    }
}

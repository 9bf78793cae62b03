use api::config::v1::domain_service_server::DomainService;
use api::config::v1::{
    CreateDomainRequest, DeleteDomainRequest, Domain, GetDomainRequest,
    GetPasswordlessSettingsRequest, ListDomainsRequest, ListDomainsResponse, PasswordlessSettings,
    RemoveCredentialsRequest, SetCredentialsRequest, TestDomainRequest, TestDomainResponse,
    UndeleteDomainRequest, UpdateDomainRequest, UpdatePasswordlessSettingsRequest,
    set_credentials_request::Logon,
};
use api::rotation::v1::GetDomainRotationRequest;
use api::rotation::v1::rotation_service_client::RotationServiceClient;
use futures::StreamExt as _;
use runtime::auth::Role;
use runtime::grpc::{Failure, Reason};
use runtime::{Caller, Channel, SharedClock};
use tonic::{Request, Response, Status};

use super::{Answers, by, status};
use crate::audit::Record;
use crate::connectors::{Connectors, handed_on};
use crate::domains::{By, DomainError, Domains, Secret, domain_id};
use crate::log::Log;

pub(crate) struct DomainHandler {
    pub(crate) domains: Domains,
    pub(crate) connectors: Connectors,
    pub(crate) rotation: Option<Channel>,
    pub(crate) clock: SharedClock,
    pub(crate) log: Log,
    /// Rings the relay after a change.
    pub(crate) relay: events::Waker,
    /// Rings the worker: a change may have asked for work.
    pub(crate) worker: crate::worker::Bell,
}

impl DomainHandler {
    /// A domain is not deleted while a password of it is on its way. Where nobody can say, it isn't either.
    async fn no_open_rotations(&self, domain: &str) -> Result<(), Failure> {
        let Some(channel) = self.rotation.clone() else {
            return Ok(());
        };
        let request = GetDomainRotationRequest {
            domain: domain.to_owned(),
        };
        let answer = RotationServiceClient::new(channel)
            .get_domain_rotation(request)
            .await;
        match answer.map(Response::into_inner) {
            Ok(rotation) if rotation.open_rotations > 0 => Err(Failure::new(
                Reason::OpenRotations,
                format!(
                    "{} passwords of the domain are on their way to their keys; see hes rotation list, and delete it when \
                     they have arrived, or release them",
                    rotation.open_rotations
                ),
            )
            .with("domain", domain)),
            Ok(_) => Ok(()),
            Err(status) if status.code() == tonic::Code::NotFound => Ok(()),
            Err(status) => {
                tracing::warn!(error = %status.message(), "rotation-scheduler doesn't answer");
                Err(Failure::new(
                    Reason::ServiceUnavailable,
                    "rotation-scheduler doesn't answer, so nobody can say whether passwords of the domain are on their \
                     way; see that it runs, then try again",
                )
                .with("service", "rotation-scheduler"))
            }
        }
    }

    /// The answer to a change; an attempt that failed is audited here. One that only
    /// asked whether it would do is none.
    async fn changed<T>(
        &self,
        attempt: Option<Record>,
        result: Result<T, DomainError>,
    ) -> Result<Response<T>, Status> {
        match result {
            Ok(answer) => {
                self.relay.wake();
                self.worker.ring();
                Ok(Response::new(answer))
            }
            Err(error) => Err(match attempt {
                Some(attempt) => self.log.failed(attempt, status(error)).await,
                None => status(error),
            }),
        }
    }

    async fn set(&self, by: &By, request: SetCredentialsRequest) -> Result<Domain, DomainError> {
        // Taken first, so that it is wiped whatever else is wrong.
        let (secret, skip) = match request.logon {
            Some(Logon::Credentials(credentials)) => (Some(Secret::new(credentials)), false),
            Some(Logon::SkipCredentials(skip)) => (None, skip),
            None => (None, false),
        };
        let id = domain_id("name", &request.name)?;
        match (secret, skip) {
            (Some(secret), _) => self.domains.set_credentials(by, &id, secret).await,
            (None, true) => self.domains.skip_credentials(by, &id).await,
            (None, false) => Err(DomainError::invalid(
                "credentials",
                "are absent; give them, or skip them explicitly",
            )),
        }
    }
}

#[tonic::async_trait]
impl DomainService for DomainHandler {
    async fn create_domain(
        &self,
        request: Request<CreateDomainRequest>,
    ) -> Result<Response<Domain>, Status> {
        let by = by(&request, &self.clock);
        let request = request.into_inner();
        let attempt = (!request.validate_only)
            .then(|| by.record_of("domain.create", &format!("domains/{}", request.domain_id)));
        self.changed(attempt, self.domains.create(&by, request).await)
            .await
    }

    async fn get_domain(
        &self,
        request: Request<GetDomainRequest>,
    ) -> Result<Response<Domain>, Status> {
        let id = domain_id("name", &request.get_ref().name).map_err(status)?;
        let domain = self.domains.get(&id).await.map_err(status)?;
        Ok(Response::new(domain))
    }

    async fn list_domains(
        &self,
        request: Request<ListDomainsRequest>,
    ) -> Result<Response<ListDomainsResponse>, Status> {
        let answer = self.domains.list(request.get_ref()).await.map_err(status)?;
        Ok(Response::new(answer))
    }

    async fn update_domain(
        &self,
        request: Request<UpdateDomainRequest>,
    ) -> Result<Response<Domain>, Status> {
        let by = by(&request, &self.clock);
        let request = request.into_inner();
        let name = request.domain.as_ref().map(|domain| domain.name.as_str());
        let attempt = (!request.validate_only)
            .then(|| by.record_of("domain.update", name.unwrap_or_default()));
        self.changed(attempt, self.domains.update(&by, request).await)
            .await
    }

    async fn delete_domain(
        &self,
        request: Request<DeleteDomainRequest>,
    ) -> Result<Response<Domain>, Status> {
        let by = by(&request, &self.clock);
        let DeleteDomainRequest { name, etag } = request.into_inner();
        let id = domain_id("name", &name).map_err(status)?;
        let attempt = Some(by.record_of("domain.delete", &name));
        if let Err(failure) = self.no_open_rotations(&name).await {
            let record = by.record_of("domain.delete", &name);
            return Err(self.log.failed(record, failure.into()).await);
        }
        self.changed(attempt, self.domains.delete(&by, &id, &etag).await)
            .await
    }

    async fn undelete_domain(
        &self,
        request: Request<UndeleteDomainRequest>,
    ) -> Result<Response<Domain>, Status> {
        let by = by(&request, &self.clock);
        let id = domain_id("name", &request.get_ref().name).map_err(status)?;
        let attempt = Some(by.record_of("domain.undelete", &request.get_ref().name));
        self.changed(attempt, self.domains.undelete(&by, &id).await)
            .await
    }

    async fn set_credentials(
        &self,
        request: Request<SetCredentialsRequest>,
    ) -> Result<Response<Domain>, Status> {
        let by = by(&request, &self.clock);
        let request = request.into_inner();
        let attempt = Some(by.record_of("credentials.set", &request.name));
        self.changed(attempt, self.set(&by, request).await).await
    }

    async fn remove_credentials(
        &self,
        request: Request<RemoveCredentialsRequest>,
    ) -> Result<Response<Domain>, Status> {
        let by = by(&request, &self.clock);
        let id = domain_id("name", &request.get_ref().name).map_err(status)?;
        let attempt = Some(by.record_of("credentials.remove", &request.get_ref().name));
        self.changed(attempt, self.domains.remove_credentials(&by, &id).await)
            .await
    }

    type TestDomainStream = Answers<TestDomainResponse>;

    async fn test_domain(
        &self,
        request: Request<TestDomainRequest>,
    ) -> Result<Response<Self::TestDomainStream>, Status> {
        let by = by(&request, &self.clock);
        let administrator = Caller::of(&request).has_role(Role::Administrator);
        let test = self
            .domains
            .prepare_test(&by, request.into_inner(), administrator)
            .await
            .map_err(status)?;
        let mut client = self.connectors.client(test.kind).map_err(status)?;
        let answers = client
            .test_connection(test.into_request())
            .await
            .map_err(handed_on)?;
        let checks = answers.into_inner().map(|answer| match answer {
            Ok(answer) => Ok(TestDomainResponse {
                check: answer.check,
            }),
            Err(status) => Err(handed_on(status)),
        });
        Ok(Response::new(checks.boxed()))
    }

    async fn get_passwordless_settings(
        &self,
        request: Request<GetPasswordlessSettingsRequest>,
    ) -> Result<Response<PasswordlessSettings>, Status> {
        let settings = self
            .domains
            .passwordless(&request.get_ref().name)
            .await
            .map_err(status)?;
        Ok(Response::new(settings))
    }

    async fn update_passwordless_settings(
        &self,
        request: Request<UpdatePasswordlessSettingsRequest>,
    ) -> Result<Response<PasswordlessSettings>, Status> {
        let by = by(&request, &self.clock);
        let request = request.into_inner();
        let settings = request.passwordless_settings.as_ref();
        let name = settings.map(|settings| settings.name.as_str());
        let attempt = (!request.validate_only)
            .then(|| by.record_of("passwordless.update", name.unwrap_or_default()));
        self.changed(
            attempt,
            self.domains.update_passwordless(&by, request).await,
        )
        .await
    }
}

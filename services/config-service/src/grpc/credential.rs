use api::config::v1::credential_service_server::CredentialService;
use api::config::v1::{GetCredentialRequest, GetCredentialResponse};
use api::convert::time;
use runtime::{Caller, SharedClock};
use tonic::{Request, Response, Status};

use super::{by, status};
use crate::domains::{Domains, Secret, domain_id};

pub(crate) struct CredentialHandler {
    pub(crate) domains: Domains,
    pub(crate) clock: SharedClock,
}

#[tonic::async_trait]
impl CredentialService for CredentialHandler {
    async fn get_credential(
        &self,
        request: Request<GetCredentialRequest>,
    ) -> Result<Response<GetCredentialResponse>, Status> {
        let by = by(&request, &self.clock);
        let caller = match Caller::of(&request) {
            Caller::Service(name) => name.as_str().to_owned(),
            // The access rule lets no person in; whoever comes here all the same is of no kind.
            other @ (Caller::Anonymous | Caller::Administrator | Caller::Person { .. }) => {
                other.to_string()
            }
        };
        let id = domain_id("domain", &request.get_ref().domain).map_err(status)?;
        let opened = self
            .domains
            .fetch_credential(&by, &caller, &id)
            .await
            .map_err(status)?;
        Ok(Response::new(GetCredentialResponse {
            credentials: Some(Secret::into_inner(opened.secret)),
            version: opened.version,
            expire_time: opened.expires.map(time::to_proto),
        }))
    }
}

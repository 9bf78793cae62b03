use std::time::Duration;

use api::config::v1::status_service_server::StatusService;
use api::config::v1::{GetStatusRequest, GetStatusResponse};
use api::connector::v1::GetServiceStatusRequest;
use api::convert::status::standing;
use api::rotation::v1::rotation_service_client::RotationServiceClient;
use api::status::v1::ServiceStatus;
use events::Standing;
use futures::future::join_all;
use runtime::Channel;
use tonic::{Request, Response, Status};

use crate::NAME;
use crate::connectors::{Client, Connectors};

/// How long a connector may take to say how it stands.
const PATIENCE: Duration = Duration::from_secs(8);

/// Needs no database: what is wrong with it is what is asked.
pub(crate) struct StatusHandler {
    pub(crate) standing: Standing,
    pub(crate) connectors: Connectors,
    pub(crate) rotation: Option<Channel>,
    pub(crate) instance: String,
}

#[tonic::async_trait]
impl StatusService for StatusHandler {
    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let others = self.connectors.named();
        let others = others.into_iter().map(|(name, client)| ask(name, client));
        let (own, others, rotation) = tokio::join!(
            self.standing.components(),
            join_all(others),
            ask_rotation(self.rotation.clone())
        );
        let own = own
            .into_iter()
            .map(|component| (component.name, component.problem));
        let services = std::iter::once(standing(NAME, &self.instance, own))
            .chain(others)
            .chain(rotation);
        Ok(Response::new(GetStatusResponse {
            services: services.collect(),
        }))
    }
}

async fn ask_rotation(channel: Option<Channel>) -> Option<ServiceStatus> {
    let mut client = RotationServiceClient::new(channel?);
    let mut request = Request::new(api::rotation::v1::GetServiceStatusRequest {});
    request.set_timeout(PATIENCE);
    let answer = client.get_service_status(request).await;
    Some(answered("rotation-scheduler", answer))
}

async fn ask(service: &str, mut client: Client) -> ServiceStatus {
    let mut request = Request::new(GetServiceStatusRequest {});
    request.set_timeout(PATIENCE);
    let answer = client.get_service_status(request).await;
    answered(service, answer)
}

fn answered(service: &str, answer: Result<Response<ServiceStatus>, Status>) -> ServiceStatus {
    match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) => ServiceStatus {
            service: service.to_owned(),
            error: format!("no replica answers: {}", status.message()),
            ..ServiceStatus::default()
        },
    }
}

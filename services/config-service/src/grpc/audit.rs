use api::config::v1::audit_service_server::AuditService;
use api::config::v1::{
    ExportAuditLogRequest, ExportAuditLogResponse, ListAuditEventsRequest, ListAuditEventsResponse,
    VerifyAuditLogRequest, VerifyAuditLogResponse,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tonic::{Request, Response, Status};

use super::{Answers, status};
use crate::log::Log;

pub(crate) struct AuditHandler(pub(crate) Log);

#[tonic::async_trait]
impl AuditService for AuditHandler {
    async fn list_audit_events(
        &self,
        request: Request<ListAuditEventsRequest>,
    ) -> Result<Response<ListAuditEventsResponse>, Status> {
        let answer = self.0.list(request.get_ref()).await.map_err(status)?;
        Ok(Response::new(answer))
    }

    async fn verify_audit_log(
        &self,
        _request: Request<VerifyAuditLogRequest>,
    ) -> Result<Response<VerifyAuditLogResponse>, Status> {
        let answer = self.0.verify().await.map_err(status)?;
        Ok(Response::new(answer))
    }

    type ExportAuditLogStream = Answers<ExportAuditLogResponse>;

    async fn export_audit_log(
        &self,
        request: Request<ExportAuditLogRequest>,
    ) -> Result<Response<Self::ExportAuditLogStream>, Status> {
        let before_first = request.get_ref().from_sequence.max(1) - 1;
        let parts = stream::try_unfold((self.0.clone(), before_first), async |(log, after)| {
            let part = log.part(after).await.map_err(status)?;
            let last = part.last().map(|event| event.sequence);
            Ok::<_, Status>(last.map(|last| (part, (log, last))))
        });
        let answers = parts
            .map_ok(|part| stream::iter(part.into_iter().map(Ok)))
            .try_flatten()
            .map_ok(|event| ExportAuditLogResponse {
                audit_event: Some(event),
            });
        Ok(Response::new(answers.boxed()))
    }
}

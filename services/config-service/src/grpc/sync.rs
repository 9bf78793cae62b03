use api::connector::v1::sync_service_server::SyncService;
use api::connector::v1::{
    ApproveSyncRunRequest, GetSyncRunRequest, GetSyncStateRequest, ListPlanItemsRequest,
    ListPlanItemsResponse, ListSyncRunsRequest, ListSyncRunsResponse, RejectSyncRunRequest,
    StartSyncRequest, SyncRun, SyncState, WatchSyncRunRequest, WatchSyncRunResponse,
};
use futures::{StreamExt as _, TryStreamExt as _};
use runtime::SharedClock;
use tonic::{Request, Response, Status};

use super::{Answers, by};
use crate::connectors::handed_on;
use crate::facade::Facade;

pub(crate) struct SyncHandler {
    pub(crate) facade: Facade,
    pub(crate) clock: SharedClock,
}

#[tonic::async_trait]
impl SyncService for SyncHandler {
    async fn start_sync(
        &self,
        request: Request<StartSyncRequest>,
    ) -> Result<Response<SyncRun>, Status> {
        let by = by(&request, &self.clock);
        self.facade
            .start(by, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_sync_run(
        &self,
        request: Request<GetSyncRunRequest>,
    ) -> Result<Response<SyncRun>, Status> {
        self.facade
            .get(&request.get_ref().name)
            .await
            .map(Response::new)
    }

    async fn list_sync_runs(
        &self,
        request: Request<ListSyncRunsRequest>,
    ) -> Result<Response<ListSyncRunsResponse>, Status> {
        self.facade
            .list(request.into_inner())
            .await
            .map(Response::new)
    }

    async fn list_plan_items(
        &self,
        request: Request<ListPlanItemsRequest>,
    ) -> Result<Response<ListPlanItemsResponse>, Status> {
        self.facade
            .plan_items(request.into_inner())
            .await
            .map(Response::new)
    }

    type WatchSyncRunStream = Answers<WatchSyncRunResponse>;

    async fn watch_sync_run(
        &self,
        request: Request<WatchSyncRunRequest>,
    ) -> Result<Response<Self::WatchSyncRunStream>, Status> {
        let answers = self.facade.watch(request.into_inner()).await?;
        Ok(Response::new(answers.map_err(handed_on).boxed()))
    }

    async fn approve_sync_run(
        &self,
        request: Request<ApproveSyncRunRequest>,
    ) -> Result<Response<SyncRun>, Status> {
        let by = by(&request, &self.clock);
        self.facade
            .approve(by, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn reject_sync_run(
        &self,
        request: Request<RejectSyncRunRequest>,
    ) -> Result<Response<SyncRun>, Status> {
        let by = by(&request, &self.clock);
        self.facade
            .reject(by, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_sync_state(
        &self,
        request: Request<GetSyncStateRequest>,
    ) -> Result<Response<SyncState>, Status> {
        self.facade
            .state(request.into_inner())
            .await
            .map(Response::new)
    }
}

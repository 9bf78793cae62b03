//! A connector that remembers what it was asked, and can be told to fail.

use std::pin::Pin;
use std::sync::Mutex;

use api::connector::v1::connector_service_server::ConnectorService;
use api::connector::v1::{
    ApproveSyncRunRequest, GetServiceStatusRequest, GetSyncRunRequest, GetSyncStateRequest,
    ListPlanItemsRequest, ListPlanItemsResponse, ListSyncRunsRequest, ListSyncRunsResponse,
    RejectSyncRunRequest, StartSyncRequest, StreamAccountsRequest, StreamAccountsResponse, SyncRun,
    SyncState, TestConnectionRequest, TestConnectionResponse, WatchSyncRunRequest,
    WatchSyncRunResponse,
};
use api::directory::v1::{Account, Check, DirectoryPinned, Grade};
use api::status::v1::ServiceStatus;
use futures::{Stream, stream};
use tonic::{Request, Response, Status};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[derive(Default)]
pub(crate) struct FakeConnector {
    pub(crate) tests: Mutex<Vec<TestConnectionRequest>>,
    pub(crate) requested_by: Mutex<Vec<String>>,
    pub(crate) accounts: Mutex<Vec<Account>>,
    pub(crate) pinned: Mutex<Option<DirectoryPinned>>,
    pub(crate) failure: Mutex<Option<Status>>,
}

pub(crate) const RUN: &str = "8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e";

impl FakeConnector {
    pub(crate) fn then_fail(&self, status: Status) {
        *self.failure.lock().unwrap() = Some(status);
    }

    fn answer<T>(&self, value: T) -> Result<Response<T>, Status> {
        match self.failure.lock().unwrap().clone() {
            Some(status) => Err(status),
            None => Ok(Response::new(value)),
        }
    }

    fn run(domain: &str) -> SyncRun {
        SyncRun {
            name: format!("{domain}/syncRuns/{RUN}"),
            ..Default::default()
        }
    }

    fn asked(&self, by: String) {
        self.requested_by.lock().unwrap().push(by);
    }
}

fn all<T: Send + 'static>(answers: Vec<T>) -> Answers<T> {
    Box::pin(stream::iter(answers.into_iter().map(Ok)))
}

#[tonic::async_trait]
impl ConnectorService for FakeConnector {
    type TestConnectionStream = Answers<TestConnectionResponse>;

    async fn test_connection(
        &self,
        request: Request<TestConnectionRequest>,
    ) -> Result<Response<Self::TestConnectionStream>, Status> {
        self.tests.lock().unwrap().push(request.into_inner());
        let check = |id: &str, grade: Grade| TestConnectionResponse {
            check: Some(Check {
                id: id.into(),
                grade: grade.into(),
                ..Default::default()
            }),
        };
        self.answer(all(vec![
            check("tcp", Grade::Ok),
            check("tls", Grade::Failed),
        ]))
    }

    async fn get_service_status(
        &self,
        _: Request<GetServiceStatusRequest>,
    ) -> Result<Response<ServiceStatus>, Status> {
        self.answer(ServiceStatus {
            service: "ad-connector".to_owned(),
            ..Default::default()
        })
    }

    async fn start_sync(
        &self,
        request: Request<StartSyncRequest>,
    ) -> Result<Response<SyncRun>, Status> {
        let request = request.into_inner();
        self.asked(request.requested_by);
        self.answer(Self::run(&request.domain))
    }

    async fn get_sync_run(
        &self,
        request: Request<GetSyncRunRequest>,
    ) -> Result<Response<SyncRun>, Status> {
        if !request.get_ref().name.ends_with(RUN) {
            return Err(Status::not_found("no such run"));
        }
        self.answer(Self::run("domains/corp"))
    }

    async fn list_sync_runs(
        &self,
        request: Request<ListSyncRunsRequest>,
    ) -> Result<Response<ListSyncRunsResponse>, Status> {
        let parent = match request.get_ref().parent.as_str() {
            "domains/-" => "domains/corp",
            parent => parent,
        };
        self.answer(ListSyncRunsResponse {
            sync_runs: vec![Self::run(parent)],
            next_page_token: String::new(),
        })
    }

    async fn list_plan_items(
        &self,
        _request: Request<ListPlanItemsRequest>,
    ) -> Result<Response<ListPlanItemsResponse>, Status> {
        self.answer(ListPlanItemsResponse::default())
    }

    type WatchSyncRunStream = Answers<WatchSyncRunResponse>;

    async fn watch_sync_run(
        &self,
        _request: Request<WatchSyncRunRequest>,
    ) -> Result<Response<Self::WatchSyncRunStream>, Status> {
        let answer = WatchSyncRunResponse {
            sync_run: Some(Self::run("domains/corp")),
        };
        self.answer(all(vec![answer.clone(), answer]))
    }

    async fn approve_sync_run(
        &self,
        request: Request<ApproveSyncRunRequest>,
    ) -> Result<Response<SyncRun>, Status> {
        self.asked(request.into_inner().requested_by);
        self.answer(Self::run("domains/corp"))
    }

    async fn reject_sync_run(
        &self,
        request: Request<RejectSyncRunRequest>,
    ) -> Result<Response<SyncRun>, Status> {
        self.asked(request.into_inner().requested_by);
        self.answer(Self::run("domains/corp"))
    }

    async fn get_sync_state(
        &self,
        request: Request<GetSyncStateRequest>,
    ) -> Result<Response<SyncState>, Status> {
        self.answer(SyncState {
            domain: request.into_inner().domain,
            ..Default::default()
        })
    }

    type StreamAccountsStream = Answers<StreamAccountsResponse>;

    async fn stream_accounts(
        &self,
        _request: Request<StreamAccountsRequest>,
    ) -> Result<Response<Self::StreamAccountsStream>, Status> {
        let accounts = self.accounts.lock().unwrap().clone();
        let pinned = self.pinned.lock().unwrap().clone();
        let pinned = pinned.map(|pinned| StreamAccountsResponse {
            pinned: Some(pinned),
            ..StreamAccountsResponse::default()
        });
        let accounts = accounts.into_iter().map(|account| StreamAccountsResponse {
            account: Some(account),
            ..StreamAccountsResponse::default()
        });
        let answers = pinned.into_iter().chain(accounts).collect();
        self.answer(all(answers))
    }
}

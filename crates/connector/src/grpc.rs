//! The contract of both connectors, over the store and the workers. A handler decodes, calls, encodes; work lives in the
//! workers and never in a handler's future, which a client's cancel drops (O4).

mod error;
mod page;
mod password;
mod stream;

use std::sync::Arc;

use api::connector::v1 as proto;
use api::connector::v1::connector_service_server::ConnectorService;
use api::convert::status::standing;
use api::convert::time;
use api::name::{DomainName, SyncRunName};
use api::status::v1::ServiceStatus;
use directory::DomainId;
use events::Standing;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use runtime::grpc::{Failure, Reason};
use sync::RunId;
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub(crate) use password::PasswordCalls;

use crate::configured::kind_of;
use crate::credentials::Credentials;
use crate::source::Directory;
use crate::store::{Asked, Decided, NewRun, Run};
use crate::supervisor::{Seat, Supervisor};
use error::{internal, no_domain, no_run, not_held, off};
use page::{Page, size};

/// The service.
pub(crate) struct Connector<D> {
    pub(crate) supervisor: Arc<Supervisor<D>>,
    pub(crate) standing: Standing,
    /// The service's name.
    pub(crate) name: &'static str,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl<D: Directory> ConnectorService for Connector<D> {
    type TestConnectionStream = BoxStream<'static, Result<proto::TestConnectionResponse, Status>>;
    type WatchSyncRunStream = BoxStream<'static, Result<proto::WatchSyncRunResponse, Status>>;
    type StreamAccountsStream = BoxStream<'static, Result<proto::StreamAccountsResponse, Status>>;

    async fn test_connection(
        &self,
        request: Request<proto::TestConnectionRequest>,
    ) -> Answer<Self::TestConnectionStream> {
        let request = request.into_inner();
        let domain = request
            .domain
            .ok_or_else(|| Failure::invalid("domain", "is required"))?;
        if kind_of(&domain) != Some(self.supervisor.directory.kind()) {
            let problem = "is of another kind than this connector tests";
            return Err(Failure::invalid("domain.directory", problem).into());
        }
        let credentials = request.credentials.and_then(Credentials::from_proto);
        let checks = self.supervisor.directory.test(domain, credentials);
        let answer = checks.map(|check| Ok(proto::TestConnectionResponse { check: Some(check) }));
        Ok(Response::new(answer.boxed()))
    }

    async fn start_sync(
        &self,
        request: Request<proto::StartSyncRequest>,
    ) -> Answer<proto::SyncRun> {
        let request = request.into_inner();
        let domain = domain_id("domain", &request.domain)?;
        let request_id = match request.request_id.as_str() {
            "" => None,
            id => Some(
                Uuid::try_parse(id)
                    .map_err(|_| Failure::invalid("request_id", "must be a UUID"))?,
            ),
        };
        let seat = self.seat(&domain).await?;
        if let Some(failure) = seat.configured.borrow().off_because() {
            return Err(off(&domain, &failure));
        }
        let asked = self
            .supervisor
            .store
            .ask(&NewRun {
                domain: domain.clone(),
                mode: match request.mode() {
                    proto::SyncMode::Unspecified => proto::SyncMode::Auto,
                    mode @ (proto::SyncMode::Auto
                    | proto::SyncMode::Delta
                    | proto::SyncMode::Full) => mode,
                },
                dry_run: request.validate_only,
                requested_by: request.requested_by,
                request_id,
            })
            .await
            .map_err(internal)?;
        seat.wake.notify_one();
        match asked {
            Asked::Queued(run) | Asked::Already(run) => Ok(Response::new(run.message)),
            Asked::Reused => Err(Failure::new(
                Reason::RequestIdReused,
                "this request id was used for another sync: use a fresh one",
            )
            .into()),
        }
    }

    async fn get_sync_run(
        &self,
        request: Request<proto::GetSyncRunRequest>,
    ) -> Answer<proto::SyncRun> {
        let run = self.run("name", &request.into_inner().name).await?;
        Ok(Response::new(run.message))
    }

    async fn list_sync_runs(
        &self,
        request: Request<proto::ListSyncRunsRequest>,
    ) -> Answer<proto::ListSyncRunsResponse> {
        let request = request.into_inner();
        let domain = match request.parent.as_str() {
            "domains/-" => None,
            parent => Some(domain_id("parent", parent)?),
        };
        let limit = size(request.page_size)?;
        let after: Option<Uuid> = Page::read(&request.parent, &request.page_token)?;
        let page = self
            .supervisor
            .store
            .runs(domain.as_ref(), after.map(RunId), limit)
            .await
            .map_err(internal)?;
        let last = page.items.last().map(|run| run.id.0);
        Ok(Response::new(proto::ListSyncRunsResponse {
            next_page_token: Page::write(&request.parent, last, page.more),
            sync_runs: page.items.into_iter().map(|run| run.message).collect(),
        }))
    }

    async fn list_plan_items(
        &self,
        request: Request<proto::ListPlanItemsRequest>,
    ) -> Answer<proto::ListPlanItemsResponse> {
        let request = request.into_inner();
        let limit = size(request.page_size)?;
        let after: Option<i64> = Page::read(&request.parent, &request.page_token)?;
        let run = self.run("parent", &request.parent).await?;
        let page = self
            .supervisor
            .store
            .items(&run, after.unwrap_or(0), limit)
            .await
            .map_err(internal)?;
        let last = page.items.last().map(|item| item.number);
        Ok(Response::new(proto::ListPlanItemsResponse {
            next_page_token: Page::write(&request.parent, last, page.more),
            plan_items: page.items,
        }))
    }

    async fn watch_sync_run(
        &self,
        request: Request<proto::WatchSyncRunRequest>,
    ) -> Answer<Self::WatchSyncRunStream> {
        let run = self.run("name", &request.into_inner().name).await?;
        let moves = stream::moves(self.supervisor.store.clone(), run);
        let answer = moves.map_ok(|run| proto::WatchSyncRunResponse {
            sync_run: Some(run),
        });
        Ok(Response::new(answer.boxed()))
    }

    async fn approve_sync_run(
        &self,
        request: Request<proto::ApproveSyncRunRequest>,
    ) -> Answer<proto::SyncRun> {
        let request = request.into_inner();
        self.decide(&request.name, true, &request.requested_by)
            .await
    }

    async fn reject_sync_run(
        &self,
        request: Request<proto::RejectSyncRunRequest>,
    ) -> Answer<proto::SyncRun> {
        let request = request.into_inner();
        self.decide(&request.name, false, &request.requested_by)
            .await
    }

    async fn get_sync_state(
        &self,
        request: Request<proto::GetSyncStateRequest>,
    ) -> Answer<proto::SyncState> {
        let domain = domain_id("domain", &request.into_inner().domain)?;
        let seat = self.seat(&domain).await?;
        let paused = seat.configured.borrow().off_because();
        let store = &self.supervisor.store;
        let schedule = store.schedule(&domain).await.map_err(internal)?;
        let schedule = schedule.ok_or_else(|| no_domain(&domain))?;
        let last_success = match schedule.last_success {
            Some(run) => store.run(run).await.map_err(internal)?,
            None => None,
        };
        let newest = store.last_run(&domain).await.map_err(internal)?;
        let people = store.people(&domain).await.map_err(internal)?;
        let now = self.supervisor.clock.now();
        let lag = schedule.last_success_at.map(|at| now.duration_since(at));
        Ok(Response::new(proto::SyncState {
            domain: DomainName(domain).to_string(),
            last_success: last_success.map(|run| run.message),
            last_run: newest.map(|run| run.message),
            next_run_time: schedule
                .next_run_at
                .filter(|_| paused.is_none())
                .map(time::to_proto),
            paused_reason: paused.map(|failure| failure.message).unwrap_or_default(),
            consecutive_failures: schedule.consecutive_failures.try_into().unwrap_or(i32::MAX),
            members: people.members,
            lag: lag.map(|lag| prost_types::Duration {
                seconds: lag.as_secs(),
                nanos: lag.subsec_nanos(),
            }),
        }))
    }

    async fn get_service_status(
        &self,
        _request: Request<proto::GetServiceStatusRequest>,
    ) -> Answer<ServiceStatus> {
        let components = self.standing.components().await.into_iter();
        Ok(Response::new(standing(
            self.name,
            &self.supervisor.instance,
            components.map(|component| (component.name, component.problem)),
        )))
    }

    async fn stream_accounts(
        &self,
        request: Request<proto::StreamAccountsRequest>,
    ) -> Answer<Self::StreamAccountsStream> {
        let domain = domain_id("domain", &request.into_inner().domain)?;
        let mut snapshot = self
            .supervisor
            .store
            .snapshot(&domain)
            .await
            .map_err(internal)?;
        if snapshot.is_none() {
            // Added a moment ago, perhaps.
            self.seat(&domain).await?;
            snapshot = self
                .supervisor
                .store
                .snapshot(&domain)
                .await
                .map_err(internal)?;
        }
        let mut snapshot = snapshot.ok_or_else(|| no_domain(&domain))?;
        let read_time = Some(time::to_proto(self.supervisor.clock.now()));
        let pinned = snapshot
            .take_pinned()
            .map(|pinned| proto::StreamAccountsResponse {
                pinned: Some(pinned),
                read_time,
                account: None,
            });
        let accounts =
            stream::accounts(snapshot).map_ok(move |account| proto::StreamAccountsResponse {
                account: Some(account),
                read_time,
                pinned: None,
            });
        let answer = futures::stream::iter(pinned.map(Ok)).chain(accounts);
        Ok(Response::new(answer.boxed()))
    }
}

impl<D: Directory> Connector<D> {
    /// The domain's settings and worker, as config-service has them this moment.
    async fn seat(&self, domain: &DomainId) -> Result<Arc<Seat>, Status> {
        let found = self
            .supervisor
            .look_up(domain)
            .await
            .map_err(error::look_up)?;
        found.ok_or_else(|| no_domain(domain))
    }

    async fn run(&self, field: &'static str, name: &str) -> Result<Run, Status> {
        let name: SyncRunName = name
            .parse()
            .map_err(|error| Failure::invalid(field, format!("{error}")))?;
        let run = self
            .supervisor
            .store
            .run(RunId(name.run))
            .await
            .map_err(internal)?;
        run.filter(|run| {
            name.domain
                .as_ref()
                .is_none_or(|domain| *domain == run.domain)
        })
        .ok_or_else(|| no_run(&name))
    }

    async fn decide(&self, name: &str, approve: bool, by: &str) -> Answer<proto::SyncRun> {
        let run = self.run("name", name).await?;
        // While sync is off an approved plan could only fail; held, it waits.
        if approve
            && let Some(seat) = self.supervisor.seat(&run.domain)
            && let Some(failure) = seat.configured.borrow().off_because()
        {
            return Err(off(&run.domain, &failure));
        }
        let decided = self.supervisor.store.decide(run.id, approve, by).await;
        match decided.map_err(internal)? {
            Decided::Done(run) => {
                let run = *run;
                if let Some(seat) = self.supervisor.seat(&run.domain) {
                    seat.wake.notify_one();
                }
                Ok(Response::new(run.message))
            }
            Decided::NotHeld(state) => Err(not_held(&run, state)),
        }
    }
}

fn domain_id(field: &'static str, name: &str) -> Result<DomainId, Status> {
    let DomainName(domain) = name
        .parse()
        .map_err(|error| Failure::invalid(field, format!("{error}")))?;
    Ok(domain)
}

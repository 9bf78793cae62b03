//! Syncs of all domains, for people: says who asks, picks the connector by the domain's kind, hands on, audits.
//!
//! What changes something is handed to the [`Desk`]: a client that goes away cancels its call's future, and must not
//! cancel the audit of what the connector was already told (O4).

mod desk;
mod merge;

use api::connector::v1::{
    ApproveSyncRunRequest, GetSyncRunRequest, GetSyncStateRequest, ListPlanItemsRequest,
    ListPlanItemsResponse, ListSyncRunsRequest, ListSyncRunsResponse, RejectSyncRunRequest,
    StartSyncRequest, SyncRun, SyncState, WatchSyncRunRequest, WatchSyncRunResponse,
};
use api::name::{DomainName, SyncRunName};
use directory::DomainId;
use runtime::grpc::{Failure, Reason};
use tonic::{Code, Status, Streaming};

pub(crate) use desk::{Desk, desk};

use crate::audit::{Outcome, Record};
use crate::connectors::{Client, Connectors, handed_on};
use crate::domains::{By, Domains};
use crate::store;

#[derive(Clone)]
pub(crate) struct Facade {
    pub(crate) domains: Domains,
    pub(crate) connectors: Connectors,
    pub(crate) desk: Desk,
}

impl Facade {
    pub(crate) async fn start(
        &self,
        by: By,
        mut request: StartSyncRequest,
    ) -> Result<SyncRun, Status> {
        request.requested_by.clone_from(&by.actor);
        let record = by
            .record_of("sync.start", &request.domain)
            .detail("mode", request.mode().as_str_name())
            .detail("dry_run", request.validate_only);
        let facade = self.clone();
        self.audited(record, async move {
            let mut client = facade.of_domain("domain", &request.domain).await?;
            client
                .start_sync(request)
                .await
                .map(tonic::Response::into_inner)
        })
        .await
    }

    pub(crate) async fn approve(
        &self,
        by: By,
        mut request: ApproveSyncRunRequest,
    ) -> Result<SyncRun, Status> {
        request.requested_by.clone_from(&by.actor);
        let record = by.record_of("sync.approve", &request.name);
        let facade = self.clone();
        self.audited(record, async move {
            let (mut client, name) = facade.holding(&request.name).await?;
            request.name = name;
            client
                .approve_sync_run(request)
                .await
                .map(tonic::Response::into_inner)
        })
        .await
    }

    pub(crate) async fn reject(
        &self,
        by: By,
        mut request: RejectSyncRunRequest,
    ) -> Result<SyncRun, Status> {
        request.requested_by.clone_from(&by.actor);
        let record = by.record_of("sync.reject", &request.name);
        let facade = self.clone();
        self.audited(record, async move {
            let (mut client, name) = facade.holding(&request.name).await?;
            request.name = name;
            client
                .reject_sync_run(request)
                .await
                .map(tonic::Response::into_inner)
        })
        .await
    }

    pub(crate) async fn get(&self, name: &str) -> Result<SyncRun, Status> {
        let parsed = run_name("name", name)?;
        match &parsed.domain {
            Some(domain) => {
                let mut client = self.of(domain).await?;
                let request = GetSyncRunRequest {
                    name: name.to_owned(),
                };
                client
                    .get_sync_run(request)
                    .await
                    .map(tonic::Response::into_inner)
                    .map_err(handed_on)
            }
            None => self.find(name).await.map(|(_, run)| run),
        }
    }

    pub(crate) async fn list(
        &self,
        request: ListSyncRunsRequest,
    ) -> Result<ListSyncRunsResponse, Status> {
        if request.parent == "domains/-" {
            return merge::list(self.connectors.all(), request).await;
        }
        let mut client = self.of_domain("parent", &request.parent).await?;
        client
            .list_sync_runs(request)
            .await
            .map(tonic::Response::into_inner)
            .map_err(handed_on)
    }

    pub(crate) async fn plan_items(
        &self,
        mut request: ListPlanItemsRequest,
    ) -> Result<ListPlanItemsResponse, Status> {
        let (mut client, name) = self.holding_field("parent", &request.parent).await?;
        request.parent = name;
        client
            .list_plan_items(request)
            .await
            .map(tonic::Response::into_inner)
            .map_err(handed_on)
    }

    pub(crate) async fn watch(
        &self,
        request: WatchSyncRunRequest,
    ) -> Result<Streaming<WatchSyncRunResponse>, Status> {
        let (mut client, name) = self.holding(&request.name).await?;
        client
            .watch_sync_run(WatchSyncRunRequest { name })
            .await
            .map(tonic::Response::into_inner)
            .map_err(handed_on)
    }

    pub(crate) async fn state(&self, request: GetSyncStateRequest) -> Result<SyncState, Status> {
        let mut client = self.of_domain("domain", &request.domain).await?;
        client
            .get_sync_state(request)
            .await
            .map(tonic::Response::into_inner)
            .map_err(handed_on)
    }

    /// Does it and audits how it ended, whether or not the caller still waits.
    async fn audited<F>(&self, record: Record, work: F) -> Result<SyncRun, Status>
    where
        F: Future<Output = Result<SyncRun, Status>> + Send + 'static,
    {
        let db = self.domains.db.clone();
        let job = async move {
            let result = work.await.map_err(handed_on);
            let record = match &result {
                Ok(run) => record.detail("run", &run.name),
                Err(status) => {
                    let reason = Reason::of(status).map_or("UNKNOWN", Reason::name);
                    record.outcome(Outcome::Failed).detail("reason", reason)
                }
            };
            let audited: store::Result<()> = async {
                let mut tx = db.begin().await?;
                store::append(&mut tx, record).await?;
                Ok(tx.commit().await?)
            }
            .await;
            match (result, audited) {
                (result, Ok(())) => result,
                // Done, and not audited: the caller must not take it for an ordinary success.
                (_, Err(error)) => Err(Failure::from(error).into_status()),
            }
        };
        self.desk.hand_in(job).await
    }

    async fn of_domain(&self, field: &str, name: &str) -> Result<Client, Status> {
        let DomainName(id) = name.parse().map_err(|error: api::name::NameError| {
            Failure::invalid(field, error.to_string()).into_status()
        })?;
        self.of(&id).await
    }

    async fn of(&self, id: &DomainId) -> Result<Client, Status> {
        let row = self
            .domains
            .row(id)
            .await
            .map_err(|error| Failure::from(error).into_status())?;
        self.connectors
            .client(row.kind)
            .map_err(Failure::into_status)
    }

    /// The connector that holds a run, and the run's full name.
    async fn holding(&self, name: &str) -> Result<(Client, String), Status> {
        self.holding_field("name", name).await
    }

    async fn holding_field(&self, field: &str, name: &str) -> Result<(Client, String), Status> {
        let parsed = run_name(field, name)?;
        match &parsed.domain {
            Some(domain) => Ok((self.of(domain).await?, name.to_owned())),
            None => self
                .find(name)
                .await
                .map(|(client, run)| (client, run.name)),
        }
    }

    /// Asks each connector for a run of any domain.
    async fn find(&self, name: &str) -> Result<(Client, SyncRun), Status> {
        let mut absent = None;
        for mut client in self.connectors.all() {
            let request = GetSyncRunRequest {
                name: name.to_owned(),
            };
            match client.get_sync_run(request).await {
                Ok(run) => return Ok((client, run.into_inner())),
                Err(status) if status.code() == Code::NotFound => {}
                // Another connector may have it all the same.
                Err(status) => absent = Some(handed_on(status)),
            }
        }
        Err(absent.unwrap_or_else(|| {
            Failure::new(
                Reason::NotFound,
                format!("there is no sync run `{name}`; list the runs"),
            )
            .into_status()
        }))
    }
}

fn run_name(field: &str, name: &str) -> Result<SyncRunName, Status> {
    name.parse().map_err(|error: api::name::NameError| {
        Failure::invalid(field, error.to_string()).into_status()
    })
}

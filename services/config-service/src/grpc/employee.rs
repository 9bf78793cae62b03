use api::config::v1::employee_service_server::EmployeeService;
use api::config::v1::{
    DecideLinkProposalRequest, Employee, GetEmployeeRequest, LinkEmployeesRequest, LinkProposal,
    ListEmployeesRequest, ListEmployeesResponse, ListLinkProposalsRequest,
    ListLinkProposalsResponse, StreamEmployeesRequest, StreamEmployeesResponse,
    UnlinkAccountRequest, WatchEmployeesRequest, WatchEmployeesResponse,
};
use api::convert::time;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use runtime::SharedClock;
use runtime::grpc::{Failure, Reason};
use tokio_stream::wrappers::BroadcastStream;
use tonic::{Request, Response, Status};

use super::{Answers, by, now, status};
use crate::employees::{Employees, Told, account_key, employee_id, proposal_id};
use crate::log::Log;

pub(crate) struct EmployeeHandler {
    pub(crate) employees: Employees,
    pub(crate) clock: SharedClock,
    pub(crate) log: Log,
}

#[tonic::async_trait]
impl EmployeeService for EmployeeHandler {
    async fn list_employees(
        &self,
        request: Request<ListEmployeesRequest>,
    ) -> Result<Response<ListEmployeesResponse>, Status> {
        let answer = self
            .employees
            .list(request.get_ref())
            .await
            .map_err(status)?;
        Ok(Response::new(answer))
    }

    async fn get_employee(
        &self,
        request: Request<GetEmployeeRequest>,
    ) -> Result<Response<Employee>, Status> {
        let id = employee_id("name", &request.get_ref().name).map_err(status)?;
        let employee = self.employees.get(id).await.map_err(status)?;
        Ok(Response::new(employee))
    }

    type WatchEmployeesStream = Answers<WatchEmployeesResponse>;

    async fn watch_employees(
        &self,
        _request: Request<WatchEmployeesRequest>,
    ) -> Result<Response<Self::WatchEmployeesStream>, Status> {
        let changes = BroadcastStream::new(self.employees.watch()).map(|change| match change {
            Ok(Told::Changed(employee)) => Ok(WatchEmployeesResponse {
                employee: Some(Employee::clone(&employee)),
            }),
            Ok(Told::Gap) | Err(_) => Err(status(Failure::new(
                Reason::WatchLagged,
                "changes came faster than they were read, and some were missed; take a snapshot and watch again",
            ))),
        });
        // The first error ends the stream: behind it there is a hole.
        let mut broken = false;
        let changes = changes.take_while(move |change| {
            let goes_on = !broken;
            broken = change.is_err();
            std::future::ready(goes_on)
        });
        Ok(Response::new(changes.boxed()))
    }

    type StreamEmployeesStream = Answers<StreamEmployeesResponse>;

    async fn stream_employees(
        &self,
        _request: Request<StreamEmployeesRequest>,
    ) -> Result<Response<Self::StreamEmployeesStream>, Status> {
        let read_time = time::to_proto(now(&self.clock));
        let start = (self.employees.clone(), String::new());
        let parts = stream::try_unfold(start, async |(employees, after)| {
            let part = employees.part(&after).await.map_err(status)?;
            let last = part.last().map(|(id, _)| id.clone());
            Ok::<_, Status>(last.map(|last| (part, (employees, last))))
        });
        let answers = parts
            .map_ok(|part| stream::iter(part.into_iter().map(Ok)))
            .try_flatten()
            .map_ok(move |(_, employee)| StreamEmployeesResponse {
                employee: Some(employee),
                read_time: Some(read_time),
            });
        Ok(Response::new(answers.boxed()))
    }

    async fn link_employees(
        &self,
        request: Request<LinkEmployeesRequest>,
    ) -> Result<Response<Employee>, Status> {
        let by = by(&request, &self.clock);
        let kept = employee_id("name", &request.get_ref().name).map_err(status)?;
        let gone = employee_id("other", &request.get_ref().other).map_err(status)?;
        if let Err(error) = self.employees.link(&by, kept, gone).await {
            let attempt = by
                .record_of("employee.link", &request.get_ref().name)
                .detail("other", gone);
            return Err(self.log.failed(attempt, status(error)).await);
        }
        let employee = self.employees.get(kept).await.map_err(status)?;
        Ok(Response::new(employee))
    }

    async fn unlink_account(
        &self,
        request: Request<UnlinkAccountRequest>,
    ) -> Result<Response<Employee>, Status> {
        let by = by(&request, &self.clock);
        let from = employee_id("name", &request.get_ref().name).map_err(status)?;
        let account = account_key("account", &request.get_ref().account).map_err(status)?;
        let id = match self.employees.unlink(&by, from, &account).await {
            Ok(id) => id,
            Err(error) => {
                let attempt = by
                    .record_of("employee.unlink", &request.get_ref().name)
                    .detail("account", &account);
                return Err(self.log.failed(attempt, status(error)).await);
            }
        };
        let employee = self.employees.get(id).await.map_err(status)?;
        Ok(Response::new(employee))
    }

    async fn list_link_proposals(
        &self,
        request: Request<ListLinkProposalsRequest>,
    ) -> Result<Response<ListLinkProposalsResponse>, Status> {
        let answer = self
            .employees
            .proposals(request.get_ref())
            .await
            .map_err(status)?;
        Ok(Response::new(answer))
    }

    async fn decide_link_proposal(
        &self,
        request: Request<DecideLinkProposalRequest>,
    ) -> Result<Response<LinkProposal>, Status> {
        let by = by(&request, &self.clock);
        let id = proposal_id("name", &request.get_ref().name).map_err(status)?;
        let accept = request.get_ref().accept;
        match self.employees.decide(&by, id, accept).await {
            Ok(proposal) => Ok(Response::new(proposal)),
            Err(error) => {
                let action = if accept { "link.accept" } else { "link.reject" };
                let attempt = by.record_of(action, &request.get_ref().name);
                Err(self.log.failed(attempt, status(error)).await)
            }
        }
    }
}

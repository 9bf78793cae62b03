//! What administrators ask of rotations.

mod forecast;
mod now;
mod standing;

use api::convert::status::standing;
use api::convert::time;
use api::name::{AccountName, DomainName, EmployeeName, RotationName};
use api::rotation::v1 as proto;
use api::rotation::v1::rotate_now_request::Whose;
use api::rotation::v1::rotation_service_server::RotationService;
use api::status::v1::ServiceStatus;
use directory::DomainId;
use events::Standing;
use rotation::Event;
use runtime::grpc::{Failure, Page, PageError, Reason};
use secrecy::ExposeSecret as _;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{actor, status, unavailable};
use crate::announce::{self, Record};
use crate::ledger::Ledger;
use crate::message;
use crate::store::{self, DomainRow, Filter};

/// Every domain.
const ALL: &str = "domains/-";

pub(crate) struct RotationHandler {
    pub(crate) ledger: Ledger,
    pub(crate) standing: Standing,
    pub(crate) instance: String,
}

#[tonic::async_trait]
impl RotationService for RotationHandler {
    async fn list_rotations(
        &self,
        request: Request<proto::ListRotationsRequest>,
    ) -> Result<Response<proto::ListRotationsResponse>, Status> {
        let request = request.into_inner();
        let domain = match request.domain.as_str() {
            "" | ALL => String::new(),
            name => domain_id("domain", name)?.to_string(),
        };
        let employee = match request.employee.as_str() {
            "" => String::new(),
            name => employee_id("employee", name)?.to_string(),
        };
        let filter = match request.filter() {
            proto::RotationFilter::Unspecified | proto::RotationFilter::Open => Filter::Open,
            proto::RotationFilter::Held => Filter::Held,
            proto::RotationFilter::All => Filter::All,
        };
        let query = [
            "rotations",
            &domain,
            &employee,
            request.filter().as_str_name(),
        ];
        let page = Page::asked(&query, request.page_size, &request.page_token).map_err(status)?;
        let behind = position(&page.after, (i64::MAX, "~"))?;
        let mut reader = self.ledger.db.single().await.map_err(unavailable)?;
        let asked = (domain.as_str(), employee.as_str(), filter);
        let rows = store::rotations_page(&mut reader, asked, behind, page.limit())
            .await
            .map_err(status)?;
        let (rows, next_page_token) = page.cut(rows, |row| {
            format!("{}/{}", row.created.as_microsecond(), row.id)
        });
        Ok(Response::new(proto::ListRotationsResponse {
            rotations: rows.iter().map(message::rotation).collect(),
            next_page_token,
        }))
    }

    async fn get_rotation(
        &self,
        request: Request<proto::GetRotationRequest>,
    ) -> Result<Response<proto::Rotation>, Status> {
        let id = rotation_id(&request.get_ref().name)?;
        let mut reader = self.ledger.db.single().await.map_err(unavailable)?;
        let row = store::rotation(&mut reader, id).await.map_err(status)?;
        let row = row.ok_or_else(|| no_rotation(id))?;
        Ok(Response::new(message::rotation(&row)))
    }

    async fn rotate_now(
        &self,
        request: Request<proto::RotateNowRequest>,
    ) -> Result<Response<proto::RotateNowResponse>, Status> {
        let actor = actor(&request);
        match request.into_inner().whose {
            Some(Whose::Employee(name)) => {
                let employee = employee_id("employee", &name)?;
                self.rotate_employee(&actor, employee).await
            }
            Some(Whose::Domain(name)) => {
                let domain = domain_id("domain", &name)?;
                self.rotate_domain(&actor, &domain).await
            }
            None => Err(Failure::invalid("whose", "is required").into()),
        }
        .map(Response::new)
    }

    async fn pause_domain(
        &self,
        request: Request<proto::PauseDomainRequest>,
    ) -> Result<Response<proto::PauseDomainResponse>, Status> {
        let actor = actor(&request);
        let domains = self
            .pause(&request.get_ref().domain, &actor, Some(&actor))
            .await?;
        Ok(Response::new(proto::PauseDomainResponse { domains }))
    }

    async fn resume_domain(
        &self,
        request: Request<proto::ResumeDomainRequest>,
    ) -> Result<Response<proto::ResumeDomainResponse>, Status> {
        let actor = actor(&request);
        let domains = self.pause(&request.get_ref().domain, &actor, None).await?;
        Ok(Response::new(proto::ResumeDomainResponse { domains }))
    }

    async fn resume_rotation(
        &self,
        request: Request<proto::ResumeRotationRequest>,
    ) -> Result<Response<proto::Rotation>, Status> {
        let actor = actor(&request);
        let id = rotation_id(&request.get_ref().name)?;
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
        let mut row = self.ledger.load(&mut tx, id).await.map_err(status)?;
        self.ledger
            .step(&mut tx, &mut row, Event::Resume, now)
            .await
            .map_err(status)?;
        let account = AccountName(row.account.clone());
        let record = Record::new(&actor, "rotation.resume", account).detail("rotation", id);
        announce::audit(&mut tx, &self.ledger.ids, now, record)
            .await
            .map_err(status)?;
        tx.commit().await.map_err(unavailable)?;
        self.ledger.ring(&row);
        Ok(Response::new(message::rotation(&row)))
    }

    async fn release_rotation(
        &self,
        request: Request<proto::ReleaseRotationRequest>,
    ) -> Result<Response<proto::ReleaseRotationResponse>, Status> {
        let actor = actor(&request);
        let request = request.into_inner();
        let id = rotation_id(&request.name)?;
        let reason = request.reason.trim();
        if !(3..=200).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
            let problem = "is required: 3 to 200 characters, for the audit log";
            return Err(Failure::invalid("reason", problem).into());
        }
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
        let mut row = self.ledger.load(&mut tx, id).await.map_err(status)?;
        // Opened before it moves: the step that hands it out destroys it.
        let value = self.ledger.open(&row).await;
        let is_proven = self
            .ledger
            .step(&mut tx, &mut row, Event::Release, now)
            .await;
        let (Ok(value), Ok(_)) = (value, is_proven) else {
            drop(tx);
            return Err(Failure::new(
                Reason::NothingToRelease,
                "there is nothing to hand out: the rotation has no password that may be live, or it was handed out before",
            )
            .with("rotation", id)
            .into());
        };
        let account = AccountName(row.account.clone());
        let record = Record::new(&actor, "rotation.release", account)
            .detail("rotation", id)
            .detail("reason", reason);
        announce::audit(&mut tx, &self.ledger.ids, now, record)
            .await
            .map_err(status)?;
        // Audited and noted before it leaves: a password that is handed out twice is worse than one that is handed out
        // not at all, and a key that comes still gets it.
        tx.commit().await.map_err(unavailable)?;
        self.ledger.ring(&row);
        Ok(Response::new(proto::ReleaseRotationResponse {
            proven: row.rotation.is_over(),
            rotation: Some(message::rotation(&row)),
            value: value.expose_secret().to_owned(),
        }))
    }

    async fn forecast_domain(
        &self,
        request: Request<proto::ForecastDomainRequest>,
    ) -> Result<Response<proto::ForecastDomainResponse>, Status> {
        let request = request.into_inner();
        let domain = domain_id("domain", &request.domain)?;
        let days = u32::try_from(request.days)
            .map_err(|_| Failure::invalid("days", "must not be negative"))?;
        let query = ["forecast", domain.as_str(), &days.to_string()];
        let page = Page::asked(&query, request.page_size, &request.page_token).map_err(status)?;
        let now = self.ledger.now();
        let mut reader = self.ledger.db.read().await.map_err(unavailable)?;
        known(store::domain(&mut reader, &domain).await, &domain)?;
        let (forecasts, next_page_token) = self
            .forecast(&mut reader, &domain, days, &page, now)
            .await?;
        Ok(Response::new(proto::ForecastDomainResponse {
            forecasts,
            next_page_token,
            forecast_time: Some(time::to_proto(now)),
        }))
    }

    async fn get_domain_rotation(
        &self,
        request: Request<proto::GetDomainRotationRequest>,
    ) -> Result<Response<proto::DomainRotation>, Status> {
        let domain = domain_id("domain", &request.get_ref().domain)?;
        let mut reader = self.ledger.db.read().await.map_err(unavailable)?;
        let row = known(store::domain(&mut reader, &domain).await, &domain)?;
        let answer = self.domain_rotation(&mut reader, &row).await?;
        Ok(Response::new(answer))
    }

    async fn get_service_status(
        &self,
        _: Request<proto::GetServiceStatusRequest>,
    ) -> Result<Response<ServiceStatus>, Status> {
        let components = self.standing.components().await;
        let components = components
            .into_iter()
            .map(|component| (component.name, component.problem));
        Ok(Response::new(standing(
            crate::NAME,
            &self.instance,
            components,
        )))
    }
}

impl RotationHandler {
    /// Pauses, or with `None` ends the pause and closes the breaker.
    async fn pause(
        &self,
        name: &str,
        actor: &str,
        by: Option<&str>,
    ) -> Result<Vec<proto::DomainRotation>, Status> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
        let rows = if name == ALL {
            store::put_pause_of_all(&mut tx, by).await.map_err(status)?;
            store::domains(&mut tx).await.map_err(status)?
        } else {
            let id = domain_id("domain", name)?;
            vec![known(store::domain(&mut tx, &id).await, &id)?]
        };
        let action = if by.is_some() {
            "rotation.pause"
        } else {
            "rotation.resume"
        };
        let record = Record::new(actor, action, name);
        announce::audit(&mut tx, &self.ledger.ids, now, record)
            .await
            .map_err(status)?;
        let mut answers = Vec::new();
        for row in rows {
            store::put_pause(&mut tx, &row.id, by)
                .await
                .map_err(status)?;
            if by.is_none() && row.breaker.is_some() {
                store::put_breaker(&mut tx, &row.id, None, now)
                    .await
                    .map_err(status)?;
            }
            let row = known(store::domain(&mut tx, &row.id).await, &row.id)?;
            let verb = if by.is_some() { "paused" } else { "resumed" };
            announce::domain(&mut tx, &self.ledger.ids, now, &row, verb)
                .await
                .map_err(status)?;
            answers.push(self.domain_rotation(&mut tx, &row).await?);
        }
        tx.commit().await.map_err(unavailable)?;
        self.ledger.bells.ring_all_domains();
        self.ledger.relay.wake();
        Ok(answers)
    }
}

/// `NUMBER/ID` out of a page token.
fn position<'a>(after: &'a str, start: (i64, &'a str)) -> Result<(i64, &'a str), Status> {
    if after.is_empty() {
        return Ok(start);
    }
    let parsed = after
        .split_once('/')
        .and_then(|(number, id)| Some((number.parse().ok()?, id)));
    parsed.ok_or_else(|| status(PageError::Token))
}

fn domain_id(field: &'static str, name: &str) -> Result<DomainId, Status> {
    let DomainName(id) = name
        .parse()
        .map_err(|error| Failure::invalid(field, format!("{error}")))?;
    Ok(id)
}

pub(super) fn employee_id(field: &'static str, name: &str) -> Result<Uuid, Status> {
    let EmployeeName(id) = name
        .parse()
        .map_err(|error| Failure::invalid(field, format!("{error}")))?;
    Ok(id)
}

fn rotation_id(name: &str) -> Result<Uuid, Status> {
    let RotationName(id) = name
        .parse()
        .map_err(|error| Failure::invalid("name", format!("{error}")))?;
    Ok(id)
}

fn no_rotation(id: Uuid) -> Status {
    Failure::new(Reason::NotFound, format!("there is no rotation `{id}`")).into()
}

fn known(row: store::Result<Option<DomainRow>>, id: &DomainId) -> Result<DomainRow, Status> {
    row.map_err(status)?.ok_or_else(|| {
        let problem = format!("there is no domain `{id}`, or it is not known to rotation yet");
        Failure::new(Reason::NotFound, problem)
            .with("domain", id)
            .into()
    })
}

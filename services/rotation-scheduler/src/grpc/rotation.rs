use std::collections::HashMap;

use api::convert::status::standing;
use api::convert::time;
use api::name::{AccountName, DomainName, EmployeeName, RotationName};
use api::rotation::v1 as proto;
use api::rotation::v1::rotate_now_request::Whose;
use api::rotation::v1::rotation_service_server::RotationService;
use api::status::v1::ServiceStatus;
use directory::DomainId;
use events::Standing;
use jiff::{SignedDuration, Timestamp};
use rotation::{Event, Opening, Schedule};
use runtime::grpc::{Failure, Page, PageError, Reason};
use secrecy::ExposeSecret as _;
use storage::{Sql, Transaction};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{actor, status, unavailable};
use crate::announce::{self, Record};
use crate::enrolment::{self, password_set};
use crate::ledger::Ledger;
use crate::message;
use crate::policy::{Policy, stop_of};
use crate::store::{self, AccountRow, DomainRow, Filter};
use crate::worker::CLOCK_SKEW;

/// Outcomes told of one request at most.
const OUTCOMES: usize = 1_000;
const BATCH: i64 = 256;
const DAY: SignedDuration = SignedDuration::from_hours(24);
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
    async fn rotate_employee(
        &self,
        actor: &str,
        employee: Uuid,
    ) -> Result<proto::RotateNowResponse, Status> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
        let accounts = store::accounts_of_employee(&mut tx, employee)
            .await
            .map_err(status)?;
        if accounts.is_empty()
            && !store::is_employee(&mut tx, employee)
                .await
                .map_err(status)?
        {
            let problem = format!(
                "there is no employee `{employee}`, or their accounts are not known here yet"
            );
            return Err(Failure::new(Reason::NotFound, problem).into());
        }
        let mut response = proto::RotateNowResponse::default();
        let mut domains = Vec::new();
        for account in accounts {
            domains.push(account.key.domain.clone());
            self.ask(&mut tx, actor, account, now, &mut response)
                .await?;
        }
        let record = Record::new(actor, "rotation.now", EmployeeName(employee))
            .detail("accounts", response.planned);
        announce::audit(&mut tx, &self.ledger.ids, now, record)
            .await
            .map_err(status)?;
        tx.commit().await.map_err(unavailable)?;
        for domain in domains {
            self.ledger.bells.ring_domain(&domain);
        }
        self.ledger.relay.wake();
        Ok(response)
    }

    async fn rotate_domain(
        &self,
        actor: &str,
        domain: &DomainId,
    ) -> Result<proto::RotateNowResponse, Status> {
        let mut response = proto::RotateNowResponse::default();
        let mut after = String::new();
        loop {
            let now = self.ledger.now();
            let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
            known(store::domain(&mut tx, domain).await, domain)?;
            if after.is_empty() {
                let record = Record::new(actor, "rotation.now", message::domain_name(domain));
                announce::audit(&mut tx, &self.ledger.ids, now, record)
                    .await
                    .map_err(status)?;
            }
            let accounts = store::accounts_of_domain(&mut tx, domain, &after, BATCH)
                .await
                .map_err(status)?;
            let is_last = i64::try_from(accounts.len()).unwrap_or(i64::MAX) < BATCH;
            if let Some(last) = accounts.last() {
                after = last.key.object.to_string();
            }
            for account in accounts {
                // Of a whole domain, those that are not in the group are no news.
                if account.enrolled.is_some() || account.not_rotated.is_some() {
                    self.ask(&mut tx, actor, account, now, &mut response)
                        .await?;
                }
            }
            tx.commit().await.map_err(unavailable)?;
            self.ledger.bells.ring_domain(domain);
            self.ledger.relay.wake();
            if is_last {
                return Ok(response);
            }
        }
    }

    /// Makes one account due now, and says what stands in the way.
    async fn ask(
        &self,
        tx: &mut Transaction,
        actor: &str,
        mut account: AccountRow,
        now: Timestamp,
        response: &mut proto::RotateNowResponse,
    ) -> Result<(), Status> {
        let domain = store::domain(tx, &account.key.domain)
            .await
            .map_err(status)?;
        let mut outcome = proto::RotateNowOutcome {
            account: AccountName(account.key.clone()).to_string(),
            rotation: account
                .open_rotation
                .map(|id| RotationName(id).to_string())
                .unwrap_or_default(),
            problem: String::new(),
        };
        let stop = domain
            .as_ref()
            .and_then(|domain| enrolment::stop(domain, &account));
        if let Some(domain) = domain.filter(|_| stop.is_none()) {
            outcome.problem = self.in_the_way(tx, &domain, &account, now).await?;
            if account.open_rotation.is_none() {
                account.asked_by = Some(actor.to_owned());
                account.due = Some(now);
                enrolment::enrol(&domain, &mut account, now);
                store::put_account(tx, &account).await.map_err(status)?;
                response.planned += 1;
            }
        } else {
            outcome.problem = match &account.not_rotated {
                Some(reason) => format!("not rotated: {reason}"),
                None if stop == domain_stop(stop) && account.state.in_rotation_group => {
                    "not rotated: the domain's rotation is off, or it has no credentials".to_owned()
                }
                None => "not rotated: it is not in the rotation group".to_owned(),
            };
        }
        if response.outcomes.len() < OUTCOMES {
            response.outcomes.push(outcome);
        }
        Ok(())
    }

    /// Why nothing happens now, besides the absence of a target.
    async fn in_the_way(
        &self,
        tx: &mut Transaction,
        domain: &DomainRow,
        account: &AccountRow,
        now: Timestamp,
    ) -> Result<String, Status> {
        if account.open_rotation.is_some() {
            return Ok("one is under way".to_owned());
        }
        if let Some(breaker) = &domain.breaker {
            return Ok(format!("the domain has stopped: {}", breaker.message));
        }
        let paused_by = match &domain.paused_by {
            Some(by) => Some(by.clone()),
            None => store::pause_of_all(tx).await.map_err(status)?,
        };
        if let Some(by) = paused_by {
            return Ok(format!("paused by {by}"));
        }
        if let Some(after) = account.next_after.filter(|after| *after > now) {
            return Ok(format!(
                "a write of the change before may still arrive until {after:.0}"
            ));
        }
        match Policy::of(&domain.settings).at(now) {
            Opening::Open { .. } => {}
            Opening::Closed { until: Some(until) } => {
                return Ok(format!("outside the domain's windows until {until:.0}"));
            }
            Opening::Closed { until: None } => {
                return Ok("outside the domain's windows".to_owned());
            }
        }
        let Some(employee) = account.employee else {
            return Ok("it belongs to no employee yet".to_owned());
        };
        let targets = store::targets_of_employee(tx, employee)
            .await
            .map_err(status)?;
        Ok(match targets.is_empty() {
            true => "the employee has no target: hes delivery target add".to_owned(),
            false => String::new(),
        })
    }

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

    async fn domain_rotation(
        &self,
        sql: &mut impl Sql,
        row: &DomainRow,
    ) -> Result<proto::DomainRotation, Status> {
        let now = self.ledger.now();
        let policy = Policy::of(&row.settings);
        let (open, changes) = match policy.at(now) {
            Opening::Open { until } => (true, Some(until)),
            Opening::Closed { until } => (false, until),
        };
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let id = &row.id;
        let pause_of_all = store::pause_of_all(sql).await.map_err(status)?;
        let paused_by = row.paused_by.clone().or(pause_of_all);
        let not_rotated = store::not_rotated(sql, id).await.map_err(status)?;
        let day_ago = now.saturating_sub(DAY).unwrap_or_default();
        let breaker = row.breaker.as_ref();
        let is_off = stop_of(&row.settings).is_some();
        Ok(proto::DomainRotation {
            domain: message::domain_name(id),
            days: match is_off {
                true => 0,
                false => i32::from(policy.schedule.days),
            },
            lead: std::time::Duration::try_from(policy.schedule.lead)
                .ok()
                .map(time::duration_to_proto),
            open,
            open_change_time: changes
                .filter(|at| at.duration_since(now) < DAY * 400)
                .map(time::to_proto),
            accounts: number(store::count_rotating(sql, id).await.map_err(status)?),
            not_rotated: not_rotated
                .into_iter()
                .map(|(reason, accounts)| proto::NotRotated {
                    reason,
                    accounts: number(accounts),
                })
                .collect(),
            under_way: number(store::count_under_way(sql, id).await.map_err(status)?),
            held: number(
                store::count_state(sql, id, "ROTATION_STATE_HELD")
                    .await
                    .map_err(status)?,
            ),
            waiting: number(
                store::count_state(sql, id, "ROTATION_STATE_PLANNED")
                    .await
                    .map_err(status)?,
            ),
            overdue: number(
                store::count_overdue(sql, id, day_ago)
                    .await
                    .map_err(status)?,
            ),
            next_due_time: store::next_due(sql, id)
                .await
                .map_err(status)?
                .map(time::to_proto),
            paused: paused_by.is_some(),
            paused_by: paused_by.unwrap_or_default(),
            breaker: breaker
                .map(|breaker| breaker.name.clone())
                .unwrap_or_default(),
            breaker_message: breaker
                .map(|breaker| breaker.message.clone())
                .unwrap_or_default(),
            breaker_time: breaker.map(|breaker| time::to_proto(breaker.since)),
            clock_skew: Some(prost_types::Duration {
                seconds: row.clock_skew.as_secs(),
                nanos: row.clock_skew.subsec_nanos(),
            }),
            open_rotations: number(store::count_with_value(sql, id).await.map_err(status)?),
            clock_skewed: row.clock_skew.abs() > CLOCK_SKEW,
        })
    }

    async fn forecast(
        &self,
        sql: &mut impl Sql,
        domain: &DomainId,
        days: u32,
        page: &Page,
        now: Timestamp,
    ) -> Result<(Vec<proto::Forecast>, String), Status> {
        let until = match days {
            0 => Timestamp::MAX,
            days => now
                .saturating_add(SignedDuration::from_hours(24 * i64::from(days)))
                .unwrap_or(Timestamp::MAX),
        };
        // First those that rotate, by time; then those that don't, by id, behind `-`.
        let mut rows = Vec::new();
        if !page.after.starts_with('-') {
            let behind = position(&page.after, (i64::MIN, ""))?;
            rows = store::forecast_due(sql, domain, behind, until, page.limit())
                .await
                .map_err(status)?;
        }
        let left = page.limit() - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if days == 0 && left > 0 {
            let after = page.after.strip_prefix('-').unwrap_or_default();
            rows.extend(
                store::forecast_not_rotated(sql, domain, after, left)
                    .await
                    .map_err(status)?,
            );
        }
        let (rows, token) = page.cut(rows, |row| match row.enrolled {
            Some(_) => format!(
                "{}/{}",
                row.due.map_or(0, Timestamp::as_microsecond),
                row.key.object
            ),
            None => format!("-{}", row.key.object),
        });
        let mut targets: HashMap<Uuid, i32> = HashMap::new();
        let mut forecasts = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(employee) = row.employee
                && !targets.contains_key(&employee)
            {
                let theirs = store::targets_of_employee(sql, employee)
                    .await
                    .map_err(status)?;
                targets.insert(employee, i32::try_from(theirs.len()).unwrap_or(i32::MAX));
            }
            forecasts.push(forecast(&row, &targets, now));
        }
        Ok((forecasts, token))
    }
}

/// The stop, where it is the domain's.
fn domain_stop(stop: Option<rotation::Stop>) -> Option<rotation::Stop> {
    stop.filter(|stop| {
        matches!(
            stop,
            rotation::Stop::NoCredentials | rotation::Stop::RotationOff
        )
    })
}

fn forecast(row: &AccountRow, targets: &HashMap<Uuid, i32>, now: Timestamp) -> proto::Forecast {
    let due = row.enrolled.map(|_| row.due.unwrap_or(now));
    let mut reason = row.not_rotated.clone().unwrap_or_default();
    if row.open_rotation.is_some() {
        reason = "under way".to_owned();
    } else if row.enrolled.is_some() && row.employee.is_none() {
        reason = "belongs to no employee yet".to_owned();
    }
    proto::Forecast {
        account: AccountName(row.key.clone()).to_string(),
        employee: row
            .employee
            .map(|employee| EmployeeName(employee).to_string())
            .unwrap_or_default(),
        logon_name: row.state.logon_name.clone(),
        due_time: due.map(time::to_proto),
        expire_time: Schedule::expires(password_set(row), row.max_age).map(time::to_proto),
        reason,
        targets: row
            .employee
            .and_then(|employee| targets.get(&employee).copied())
            .unwrap_or_default(),
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

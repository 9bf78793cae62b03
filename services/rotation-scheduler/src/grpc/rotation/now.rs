//! Making passwords due at once, and what stands in the way.

use api::name::{AccountName, EmployeeName, RotationName};
use api::rotation::v1 as proto;
use directory::DomainId;
use jiff::Timestamp;
use rotation::Opening;
use runtime::grpc::{Failure, Reason};
use storage::Transaction;
use tonic::Status;
use uuid::Uuid;

use super::{RotationHandler, known};
use crate::announce::{self, Record};
use crate::enrolment;
use crate::grpc::{status, unavailable};
use crate::message;
use crate::policy::Policy;
use crate::store::{self, AccountRow, DomainRow};

/// Outcomes told of one request at most.
const OUTCOMES: usize = 1_000;
const BATCH: i64 = 256;

impl RotationHandler {
    pub(super) async fn rotate_employee(
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

    pub(super) async fn rotate_domain(
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

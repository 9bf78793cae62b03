//! A send: recorded first, under the fence, with everything checked again; then made, once (R2).

use api::connector::v1::{RefusalReason, SetOutcome, SetRequest, SetResponse};
use api::convert::time;
use jiff::{SignedDuration, Timestamp};
use rotation::{Answer, Event, Refusal};
use secrecy::ExposeSecret as _;
use storage::lease::{self, Lease};
use tonic::{Request, Status};
use uuid::Uuid;

use super::prepare::policy_text;
use super::{CLOCK_SKEW, LOOK_AGAIN, WorkError, Worker};
use crate::connectors::{is_logon_refused, nothing_was_sent};
use crate::enrolment;
use crate::ledger::LedgerError;
use crate::policy::Policy;
use crate::store::{self, Kind, RotationRow};

/// The connector stops this part before the machine takes a send for abandoned: its clock may be a little behind ours.
const MARGIN: i32 = 3;
/// A candidate that was read for longer ago is not sent before the account was read again: its policy may have moved.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// One that was never sent is not kept longer.
const OLD: SignedDuration = SignedDuration::from_hours(24);

impl Worker {
    pub(super) async fn send(&self, id: Uuid, lease: &Lease) -> Result<(), WorkError> {
        let (seen, domain) = self.seen(id).await?;
        if seen.rotation.sends == 0 && !self.is_still_right(&seen, lease).await? {
            return Ok(());
        }
        let value = self.ledger.open(&seen).await?;
        let Some(row) = self.record(id, lease).await? else {
            return Ok(());
        };
        let within = self.ledger.rules.send_deadline / MARGIN * (MARGIN - 1);
        let deadline = row
            .rotation
            .last_send
            .unwrap_or(row.rotation.since)
            .saturating_add(within)
            .unwrap_or(Timestamp::MAX);
        let mut request = Request::new(SetRequest {
            anchor: row.anchor.clone().unwrap_or_default(),
            intent: id.to_string(),
            send_number: i32::try_from(row.rotation.sends).unwrap_or(i32::MAX),
            deadline: Some(time::to_proto(deadline)),
            value: value.expose_secret().to_owned(),
        });
        drop(value);
        if let Ok(patience) = std::time::Duration::try_from(self.ledger.rules.send_deadline) {
            request.set_timeout(patience);
        }
        let mut passwords = self.passwords(&domain)?;
        let answer = passwords
            .set(request)
            .await
            .map(tonic::Response::into_inner);
        let row = self.answered(id, lease, &answer).await?;
        if row.rotation.state == rotation::State::Acked {
            return Box::pin(self.find_out(id, lease)).await;
        }
        if matches!(&answer, Err(status) if nothing_was_sent(status))
            || matches!(&answer, Ok(answer) if answer.refusal() == RefusalReason::Unreachable)
        {
            self.turn_to_another_server(id, lease).await?;
        }
        Ok(())
    }

    /// Before the first send of a candidate that was made a while ago: the policy may have moved, and so may the password.
    async fn is_still_right(&self, seen: &RotationRow, lease: &Lease) -> Result<bool, WorkError> {
        let now = self.ledger.now();
        let age = now.duration_since(seen.prepared.unwrap_or(seen.rotation.since));
        if age < FRESH {
            return Ok(true);
        }
        let (_, domain) = self.seen(seen.id).await?;
        let is_right = age < OLD && {
            let read = self.read(seen, &domain, Vec::new()).await?;
            policy_text(read.policy.as_ref()) == seen.policy
        };
        if is_right {
            return Ok(true);
        }
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, seen.id).await?;
        self.ledger
            .step(&mut tx, &mut row, Event::Outdated, now)
            .await?;
        tx.commit().await?;
        self.ledger.ring(&row);
        Ok(false)
    }

    /// Records the send, unless something stands in its way by now. None where it does.
    async fn record(&self, id: Uuid, lease: &Lease) -> Result<Option<RotationRow>, WorkError> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        // The fence, and time enough for the send: no other replica has the domain before its deadline.
        lease::assert_held(&mut tx, lease).await?;
        lease::renew(&mut tx, lease, self.lease_ttl()).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        let mut domain = self.domain(&mut tx).await?;
        let account = store::account(&mut tx, &row.account)
            .await?
            .ok_or(LedgerError::NotFound(id))?;
        if let Some(stop) = enrolment::stop(&domain, &account) {
            self.ledger
                .step(&mut tx, &mut row, Event::Stop(stop), now)
                .await?;
            tx.commit().await?;
            self.ledger.ring(&row);
            return Ok(None);
        }
        let is_stopped = self.is_stopped(&mut tx, &mut domain, now).await?
            || domain.clock_skew.abs() > CLOCK_SKEW
            || !Policy::of(&domain.settings).is_open(now);
        let rotation = &row.rotation;
        // The gate: the key that stored the candidate is there.
        let is_there = store::is_acceptor_present(
            &mut tx,
            (row.account.domain.as_str(), row.account.object.as_uuid()),
            rotation.generation,
            rotation.candidate,
        )
        .await?;
        if is_stopped || !is_there {
            row.rotation.wake = now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
            store::put_rotation(&mut tx, &row).await?;
            tx.commit().await?;
            return Ok(None);
        }
        self.ledger
            .step(&mut tx, &mut row, Event::Send, now)
            .await?;
        tx.commit().await?;
        runtime::points::reached("send recorded");
        self.ledger.ring(&row);
        Ok(Some(row))
    }

    /// Notes what became of the send. A replica that lost the lease meanwhile notes nothing: the send stays in doubt.
    async fn answered(
        &self,
        id: Uuid,
        lease: &Lease,
        answer: &Result<SetResponse, Status>,
    ) -> Result<RotationRow, WorkError> {
        runtime::points::reached("send answered");
        let outcome = outcome(answer);
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        let subject = api::name::AccountName(row.account.clone()).to_string();
        let kind = match outcome {
            Answer::Applied => Some(Kind::Applied),
            Answer::Unknown => Some(Kind::Unknown),
            // Not the directory's refusal.
            Answer::Refused(Refusal::NotSent | Refusal::Changed) => None,
            Answer::Refused(_) => Some(Kind::Refused),
        };
        if let Some(kind) = kind {
            store::insert_incident(&mut tx, &self.domain, kind, &subject, now).await?;
        }
        if outcome == Answer::Refused(Refusal::NoRight) {
            store::insert_incident(&mut tx, &self.domain, Kind::NoRight, &subject, now).await?;
        }
        if matches!(answer, Err(status) if is_logon_refused(status)) {
            let service = crate::NAME;
            store::insert_incident(&mut tx, &self.domain, Kind::LogonRefused, service, now).await?;
        }
        self.ledger
            .step(&mut tx, &mut row, Event::Answered(outcome), now)
            .await?;
        tx.commit().await?;
        runtime::points::reached("answer noted");
        self.ledger.ring(&row);
        Ok(row)
    }

    /// The server that the candidate went to is away: the same value goes on by another one.
    pub(super) async fn turn_to_another_server(
        &self,
        id: Uuid,
        lease: &Lease,
    ) -> Result<(), WorkError> {
        let (seen, domain) = self.seen(id).await?;
        let Some(anchor) = seen.anchor.clone() else {
            return Ok(());
        };
        let read = self.read(&seen, &domain, anchor.clone()).await?;
        if read.anchor == anchor {
            return Ok(());
        }
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        if row.anchor.as_ref() == Some(&anchor) {
            row.anchor = Some(read.anchor);
            store::put_rotation(&mut tx, &row).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// What became of a send. Whatever is not certain is unknown.
fn outcome(answer: &Result<SetResponse, Status>) -> Answer {
    let answer = match answer {
        Ok(answer) => answer,
        Err(status) if nothing_was_sent(status) => return Answer::Refused(Refusal::NotSent),
        Err(_) => return Answer::Unknown,
    };
    match answer.outcome() {
        SetOutcome::Applied => Answer::Applied,
        SetOutcome::Unknown | SetOutcome::Unspecified => Answer::Unknown,
        SetOutcome::Refused => Answer::Refused(match answer.refusal() {
            RefusalReason::Policy => Refusal::Policy,
            RefusalReason::NoRight => Refusal::NoRight,
            RefusalReason::NotFound => Refusal::NotFound,
            RefusalReason::NotEligible => Refusal::NotEligible,
            RefusalReason::Changed => Refusal::Changed,
            RefusalReason::Deadline | RefusalReason::Unreachable => Refusal::NotSent,
            RefusalReason::Other => Refusal::Other,
            // Of a newer connector: that it was refused, without knowing how.
            RefusalReason::Unspecified => Refusal::Other,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_certain_is_unknown() {
        let answer = |of: SetOutcome, refusal: RefusalReason| {
            outcome(&Ok(SetResponse {
                outcome: of.into(),
                refusal: refusal.into(),
                ..SetResponse::default()
            }))
        };
        let unspecified = RefusalReason::Unspecified;
        assert_eq!(answer(SetOutcome::Applied, unspecified), Answer::Applied);
        assert_eq!(answer(SetOutcome::Unknown, unspecified), Answer::Unknown);
        // What an old or a new connector might say.
        assert_eq!(
            answer(SetOutcome::Unspecified, unspecified),
            Answer::Unknown
        );
        assert_eq!(outcome(&Err(Status::unavailable("reset"))), Answer::Unknown);
        assert_eq!(
            answer(SetOutcome::Refused, RefusalReason::Policy),
            Answer::Refused(Refusal::Policy)
        );
        assert_eq!(
            answer(SetOutcome::Refused, RefusalReason::Deadline),
            Answer::Refused(Refusal::NotSent)
        );
    }
}

//! What became of a send, by what the directory shows; and whether every domain controller shows it.

use api::connector::v1::{
    ChangeEvidence, Convergence, Match as Matched, Trial as Asked, VerifyRequest, VerifyResponse,
};
use api::name::AccountName;
use jiff::Timestamp;
use rotation::{Change, Effect, Event, Match, State, Todo, Trial};
use secrecy::ExposeSecret as _;
use storage::Transaction;
use storage::lease::{self, Lease};
use tonic::Code;
use uuid::Uuid;

use super::prepare::moment;
use super::{WorkError, Worker};
use crate::store::{self, Kind, RotationRow};

impl Worker {
    pub(super) async fn find_out(&self, id: Uuid, lease: &Lease) -> Result<(), WorkError> {
        let (seen, domain) = self.seen(id).await?;
        let trial = match seen.rotation.todo(&self.ledger.rules) {
            Todo::Verify(trial) => trial,
            Todo::AskConvergence => Trial::Never,
            Todo::Prepare
            | Todo::Offer
            | Todo::Send
            | Todo::AwaitAnswer { .. }
            | Todo::AwaitAcknowledgement
            | Todo::AwaitDecision
            | Todo::AwaitReturn
            | Todo::Nothing => return Ok(()),
        };
        let (value, asked_for) = match trial {
            Trial::Never => (None, Asked::Never),
            Trial::WhereItMayFit => (Some(self.ledger.open(&seen).await?), Asked::WhereItMayFit),
            Trial::Always => (Some(self.ledger.open(&seen).await?), Asked::Always),
        };
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let request = VerifyRequest {
            anchor: seen.anchor.clone().unwrap_or_default(),
            value: value
                .as_ref()
                .map(|value| value.expose_secret().to_owned())
                .unwrap_or_default(),
            applied_sends: number(seen.rotation.acked),
            unknown_sends: number(seen.rotation.doubtful),
            trial: asked_for.into(),
            convergence: true,
        };
        drop(value);
        // Before the question goes out: what is carried out later, the answer does not show.
        let asked = self.ledger.now();
        let answer = match self.passwords(&domain)?.verify(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                if status.code() == Code::Unavailable {
                    self.turn_to_another_server(id, lease).await?;
                }
                return Err(status.into());
            }
        };
        runtime::points::reached("verified");
        self.conclude(id, lease, &answer, (seen.rotation.state, asked))
            .await
    }

    async fn conclude(
        &self,
        id: Uuid,
        lease: &Lease,
        answer: &VerifyResponse,
        (state, asked): (State, Timestamp),
    ) -> Result<(), WorkError> {
        let (matched, change) = evidence(answer);
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        if row.rotation.state != state {
            return Ok(());
        }
        if answer.locked {
            let subject = AccountName(row.account.clone()).to_string();
            store::insert_incident(&mut tx, &self.domain, Kind::LockedOut, &subject, now).await?;
        }
        let is_committed = matches!(row.rotation.todo(&self.ledger.rules), Todo::AskConvergence);
        let is_overtaken = matches!(change, Change::Otherwise | Change::Unchanged);
        if !is_committed || is_overtaken {
            let verified = Event::Verified {
                matched,
                change,
                nowhere_else: answer.nowhere_else,
                asked,
            };
            let effects = self.ledger.step(&mut tx, &mut row, verified, now).await?;
            if effects.contains(&Effect::Promote) {
                self.learn(&mut tx, &row, answer).await?;
            }
        }
        let is_converged = match answer.convergence() {
            // One that is away gets it by replication before anybody can log on to it again.
            Convergence::Reached | Convergence::ButForThoseAway => true,
            Convergence::NotYet | Convergence::Unspecified => false,
        };
        let waits_for_it = matches!(row.rotation.todo(&self.ledger.rules), Todo::AskConvergence);
        if waits_for_it && is_converged {
            self.ledger
                .step(&mut tx, &mut row, Event::Converged, now)
                .await?;
        } else if waits_for_it && row.rotation.wake <= now && is_committed {
            self.ledger
                .step(&mut tx, &mut row, Event::Tick, now)
                .await?;
        }
        tx.commit().await?;
        runtime::points::reached("conclusion committed");
        self.ledger.ring(&row);
        Ok(())
    }

    /// What the account's password is known to be from here on (R10).
    async fn learn(
        &self,
        tx: &mut Transaction,
        row: &RotationRow,
        answer: &VerifyResponse,
    ) -> Result<(), WorkError> {
        if let Some(mut account) = store::account(tx, &row.account).await? {
            account.known_version =
                (answer.password_version != 0).then_some(answer.password_version);
            account.known_set = moment(answer.password_set_time.as_ref()).or(account.known_set);
            store::put_account(tx, &account).await?;
        }
        Ok(())
    }
}

fn evidence(answer: &VerifyResponse) -> (Match, Change) {
    let matched = match answer.r#match() {
        Matched::Right => Match::Right,
        Matched::Wrong => Match::Wrong,
        Matched::Unverifiable | Matched::Unspecified => Match::Unverifiable,
    };
    let change = match answer.change() {
        ChangeEvidence::AsSent => Change::AsSent,
        ChangeEvidence::Unchanged => Change::Unchanged,
        ChangeEvidence::Otherwise => Change::Otherwise,
        ChangeEvidence::Unknown | ChangeEvidence::Unspecified => Change::Unknown,
    };
    (matched, change)
}

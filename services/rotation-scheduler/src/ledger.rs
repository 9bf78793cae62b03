//! Where a rotation is moved: the pure machine's step and everything that has to happen with it, in one transaction.

use std::sync::Arc;

use api::name::AccountName;
use events::Waker;
use jiff::{SignedDuration, Timestamp};
use rotation::{AbortReason, Effect, Event, Rejected, Rules, State, Stop};
use runtime::{Ids, SharedClock};
use sealing::{Purpose, Record, Sealed, Sealer};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use storage::{Database, Transaction};
use uuid::Uuid;

use crate::announce::{self, Record as Audit};
use crate::bells::Bells;
use crate::enrolment;
use crate::store::{self, DeliveryRow, Kind, RotationRow, SealedValue, StoreError, TargetRow};
use crate::{metrics, names};

/// On whose behalf passwords change when they are due.
pub(crate) const ACTOR: &str = "service:rotation-scheduler";

/// What sort of secret, as part of what it is sealed to.
const KIND: &str = "password candidate";

/// How soon an account is looked at again whose rotation came to nothing.
const AFTER_NOTHING: SignedDuration = SignedDuration::from_hours(1);
/// The same where a person has to change something first.
const AFTER_REFUSAL: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) db: Database,
    pub(crate) ids: Ids,
    pub(crate) clock: SharedClock,
    pub(crate) sealer: Sealer,
    pub(crate) rules: Arc<Rules>,
    pub(crate) bells: Bells,
    pub(crate) relay: Waker,
}

/// Why a rotation was not moved. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rejected(#[from] Rejected),
    #[error("the password of rotation {0} could not be sealed or opened")]
    Sealing(Uuid, #[source] sealing::Error),
    #[error("there is no rotation {0}")]
    NotFound(Uuid),
    #[error("rotation {0} has no password any more")]
    NoValue(Uuid),
}

impl From<storage::Error> for LedgerError {
    fn from(error: storage::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Ledger {
    /// To the microsecond, as it is stored.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// The rotation as it is in this transaction.
    pub(crate) async fn load(
        &self,
        tx: &mut Transaction,
        id: Uuid,
    ) -> Result<RotationRow, LedgerError> {
        store::rotation(tx, id)
            .await?
            .ok_or(LedgerError::NotFound(id))
    }

    /// Takes an event, in the caller's transaction: ring once it is committed.
    pub(crate) async fn step(
        &self,
        tx: &mut Transaction,
        row: &mut RotationRow,
        event: Event,
        now: Timestamp,
    ) -> Result<Vec<Effect>, LedgerError> {
        let before = row.rotation.clone();
        let (next, effects) = before.step(event, now, &self.rules)?;
        row.rotation = next;
        row.revision += 1;
        for effect in &effects {
            self.carry_out(tx, row, *effect, now).await?;
        }
        if row.rotation.is_over() && !before.is_over() {
            self.end(tx, row, now).await?;
        }
        store::put_rotation(tx, row).await?;
        let moved = row.rotation.state != before.state;
        if moved || row.rotation.accepted != before.accepted || row.rotation.parked != before.parked
        {
            let verb = match moved {
                true => verb(row.rotation.state),
                false if row.rotation.accepted != before.accepted => "accepted",
                false => "parked",
            };
            announce::rotation(tx, &self.ids, now, row, verb).await?;
        }
        if moved {
            metrics::moved(row);
            self.audit_state(tx, row, now).await?;
        }
        Ok(effects)
    }

    /// Says that something was committed.
    pub(crate) fn ring(&self, row: &RotationRow) {
        self.bells.ring_domain(&row.account.domain);
        self.bells.ring_employee(row.employee);
        self.relay.wake();
    }

    async fn carry_out(
        &self,
        tx: &mut Transaction,
        row: &mut RotationRow,
        effect: Effect,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let (account, generation) = (&row.account, row.rotation.generation);
        match effect {
            Effect::Withdraw { candidate } => {
                store::withdraw_deliveries(tx, account, generation, candidate).await?;
            }
            // What is older is nobody's password any more.
            Effect::Promote => store::forget_older_deliveries(tx, account, generation).await?,
            Effect::Confirm => {
                store::confirm_deliveries(tx, account, generation, row.rotation.candidate).await?;
            }
            Effect::Destroy => row.value = None,
            Effect::Alarm(reason) => {
                metrics::alarmed(row, reason);
                tracing::warn!(
                    rotation = %row.id,
                    account = %AccountName(row.account.clone()),
                    reason = names::held(reason).as_str_name(),
                    "a rotation waits for a person: hes rotation show {}", row.id
                );
                announce::rotation(tx, &self.ids, now, row, "alarmed").await?;
            }
            Effect::TellExternalChange => {
                let subject = AccountName(row.account.clone()).to_string();
                let domain = &row.account.domain;
                store::insert_incident(tx, domain, Kind::ExternalChange, &subject, now).await?;
                announce::rotation(tx, &self.ids, now, row, "overtaken").await?;
            }
            Effect::TellOverdue => {
                announce::rotation(tx, &self.ids, now, row, "overdue").await?;
            }
        }
        Ok(())
    }

    /// The account is free for its next one.
    async fn end(
        &self,
        tx: &mut Transaction,
        row: &mut RotationRow,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        row.value = None;
        row.anchor = None;
        let Some(mut account) = store::account(tx, &row.account).await? else {
            return Ok(());
        };
        let mut next = row.rotation.next_after(&self.rules).unwrap_or(now);
        if let State::Aborted(reason) = row.rotation.state {
            let pause = match reason {
                AbortReason::Stopped(Stop::Ineligible) | AbortReason::Policy => AFTER_REFUSAL,
                AbortReason::Stopped(_)
                | AbortReason::Gone
                | AbortReason::ExternalChange
                | AbortReason::Settled => AFTER_NOTHING,
            };
            next = next.max(now.saturating_add(pause).unwrap_or(Timestamp::MAX));
        }
        account.open_rotation = None;
        account.asked_by = None;
        account.next_after = Some(next);
        if let Some(domain) = store::domain(tx, &row.account.domain).await? {
            enrolment::enrol(&domain, &mut account, now);
        }
        store::put_account(tx, &account).await?;
        Ok(())
    }

    async fn audit_state(
        &self,
        tx: &mut Transaction,
        row: &RotationRow,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let action = match row.rotation.state {
            State::Sent => "rotation.send",
            State::Committed => "rotation.commit",
            State::Closed => "rotation.close",
            State::Held(_) => "rotation.hold",
            State::Aborted(_) => "rotation.abort",
            State::Planned | State::Prepared | State::Acked | State::Unknown | State::Confirmed => {
                return Ok(());
            }
        };
        let reason = match row.rotation.state {
            State::Held(reason) => names::held(reason).as_str_name(),
            State::Aborted(reason) => names::abort(reason).as_str_name(),
            State::Planned
            | State::Prepared
            | State::Sent
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Confirmed
            | State::Closed => "",
        };
        let mut record = Audit::new(ACTOR, action, AccountName(row.account.clone()))
            .detail("rotation", row.id)
            .detail("generation", row.rotation.generation);
        if !reason.is_empty() {
            record = record.failed().detail("reason", reason);
        }
        if row.rotation.state == State::Sent {
            record = record.detail("send", row.rotation.sends);
        }
        announce::audit(tx, &self.ids, now, record).await?;
        Ok(())
    }

    /// Seals a candidate for this service's own store.
    pub(crate) async fn seal(
        &self,
        row: &RotationRow,
        candidate: u32,
        value: &SecretString,
    ) -> Result<SealedValue, LedgerError> {
        let place = place(row);
        let sealed = self
            .sealer
            .seal(
                &Record::new(&place, KIND, candidate.into()),
                value.expose_secret().as_bytes(),
            )
            .await
            .map_err(|error| LedgerError::Sealing(row.id, error))?;
        Ok(SealedValue {
            key_id: sealed.key_id().to_string(),
            sealed: sealed.to_bytes(),
        })
    }

    /// The candidate at work.
    pub(crate) async fn open(&self, row: &RotationRow) -> Result<SecretString, LedgerError> {
        let failed = |error| LedgerError::Sealing(row.id, error);
        let value = row.value.as_ref().ok_or(LedgerError::NoValue(row.id))?;
        let sealed = Sealed::from_bytes(&value.sealed).map_err(failed)?;
        let place = place(row);
        let record = Record::new(&place, KIND, row.rotation.candidate.into());
        let bytes: SecretSlice<u8> = self.sealer.open(&record, &sealed).await.map_err(failed)?;
        let text = std::str::from_utf8(bytes.expose_secret())
            .map_err(|_| StoreError::corrupt("password of rotation", row.id))?;
        Ok(SecretString::from(text))
    }

    /// Brings one value under the active key, unless it changed meanwhile.
    pub(crate) async fn rewrap(&self, id: Uuid) -> Result<(), LedgerError> {
        let mut reader = self.db.read().await?;
        let Some(row) = store::rotation(&mut reader, id).await? else {
            return Ok(());
        };
        drop(reader);
        let Some(value) = &row.value else {
            return Ok(());
        };
        let failed = |error| LedgerError::Sealing(id, error);
        let place = place(&row);
        let record = Record::new(&place, KIND, row.rotation.candidate.into());
        let sealed = Sealed::from_bytes(&value.sealed).map_err(failed)?;
        let sealed = self.sealer.rewrap(&record, &sealed).await.map_err(failed)?;
        let mut tx = self.db.begin().await?;
        let mut now = self.load(&mut tx, id).await?;
        if now.value == row.value {
            now.value = Some(SealedValue {
                key_id: sealed.key_id().to_string(),
                sealed: sealed.to_bytes(),
            });
            store::put_rotation(&mut tx, &now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// What a target is to store, sealed to it.
    pub(crate) fn delivery(
        row: &RotationRow,
        candidate: u32,
        target: &TargetRow,
        value: &SecretString,
    ) -> Result<DeliveryRow, LedgerError> {
        let (account, name) = (
            AccountName(row.account.clone()).to_string(),
            api::name::TargetName(target.id).to_string(),
        );
        let purpose = Purpose {
            account: &account,
            generation: row.rotation.generation,
            candidate,
            target: &name,
        };
        let sealed = target
            .sealing_key
            .seal(&purpose, value.expose_secret().as_bytes())
            .map_err(|error| LedgerError::Sealing(row.id, error))?;
        let confirmed = match row.rotation.state {
            State::Confirmed | State::Held(rotation::HeldReason::Unacknowledged) => true,
            State::Planned
            | State::Prepared
            | State::Sent
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Held(_)
            | State::Closed
            | State::Aborted(_) => false,
        };
        Ok(DeliveryRow {
            target: target.id,
            account: row.account.clone(),
            generation: row.rotation.generation,
            candidate,
            logon_name: row.logon_name.clone(),
            sealed: Some(sealed),
            confirmed,
            accepted: None,
            acknowledged: None,
        })
    }
}

/// What a value is sealed to, beside the candidate's number: one that was moved to another row does not open.
fn place(row: &RotationRow) -> String {
    format!("{}/{}/{}", row.directory, row.account.object, row.id)
}

/// What an event says of a state that was entered.
fn verb(state: State) -> &'static str {
    match state {
        State::Planned => "planned",
        State::Prepared => "prepared",
        State::Sent => "sent",
        State::Acked => "acked",
        State::Unknown => "doubted",
        State::Committed => "committed",
        State::Confirmed => "confirmed",
        State::Held(_) => "held",
        State::Closed => "closed",
        State::Aborted(_) => "aborted",
    }
}

//! From due to prepared: the account is read, a candidate is made for its policy, sealed, committed, and sealed to every
//! target.

use api::connector::v1::{Eligibility, PasswordPolicy, ReadRequest, ReadResponse};
use api::convert::time;
use api::name::AccountName;
use jiff::{SignedDuration, Timestamp};
use rotation::{Entropy, Event, Requirements, Stop, Unattainable, generate};
use secrecy::SecretString;
use storage::Transaction;
use storage::lease::{self, Lease};
use tracing::{info, warn};
use uuid::Uuid;

use super::{CLOCK_SKEW, WorkError, Worker};
use crate::enrolment;
use crate::ledger::{Ledger, LedgerError};
use crate::policy::Policy;
use crate::store::{self, AccountRow, DomainRow, Kind, RotationRow};

/// How long what keeps an account from being started now is waited for.
const WAIT: SignedDuration = SignedDuration::from_mins(5);
/// The same, where others go first.
const AFTER_OTHERS: SignedDuration = SignedDuration::from_secs(15);

/// The operating system's randomness, for passwords.
struct System;

impl Entropy for System {
    type Error = sealing::Error;

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), sealing::Error> {
        sealing::fill_random(bytes)
    }
}

/// What reading an account came to.
pub(super) enum Ready {
    /// It may be rotated.
    Yes,
    /// It was put off, or ended; it is committed already.
    No,
}

impl Worker {
    pub(super) async fn prepare(&self, id: Uuid, lease: &Lease) -> Result<(), WorkError> {
        let (row, domain) = self.seen(id).await?;
        let read = self.read(&row, &domain, Vec::new()).await?;
        if let Ready::No = self.judge(id, lease, &read).await? {
            return Ok(());
        }
        let policy = read.policy.unwrap_or_default();
        let requirements = Requirements {
            min_length: usize::try_from(policy.min_length).unwrap_or(usize::MAX),
            may_be_stricter: policy.may_be_stricter,
            logon_name: read.logon_name.clone(),
            display_name: read.display_name.clone(),
        };
        let value = match generate(&requirements, &mut System) {
            Ok(value) => value,
            Err(Unattainable::Entropy(error)) => {
                return Err(LedgerError::Sealing(id, error).into());
            }
            Err(error @ (Unattainable::TooLong(_) | Unattainable::Names)) => {
                warn!(rotation = %id, error = &error as &dyn std::error::Error, "no password can be made: {error}");
                return self.stop(id, lease, Stop::Ineligible).await;
            }
        };
        if policy.may_be_stricter {
            info!(rotation = %id, "the policy could not be read whole: a longer password was made");
        }
        self.commit_candidate(id, lease, &read, &value).await
    }

    /// Asks the connector how the account stands.
    pub(super) async fn read(
        &self,
        row: &RotationRow,
        domain: &DomainRow,
        previous_anchor: Vec<u8>,
    ) -> Result<ReadResponse, WorkError> {
        let request = ReadRequest {
            account: AccountName(row.account.clone()).to_string(),
            previous_anchor,
        };
        Ok(self.passwords(domain)?.read(request).await?.into_inner())
    }

    /// Whether what was read lets the rotation start. Where it does not, that is committed.
    async fn judge(
        &self,
        id: Uuid,
        lease: &Lease,
        read: &ReadResponse,
    ) -> Result<Ready, WorkError> {
        let now = self.ledger.now();
        let theirs = moment(read.directory_time.as_ref())
            .ok_or(WorkError::Answer("it has no directory time"))?;
        let skew = theirs.duration_since(now);
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        let domain = self.domain(&mut tx).await?;
        store::put_clock_skew(&mut tx, &self.domain, skew).await?;
        if skew.abs() > CLOCK_SKEW {
            warn!(
                domain = %self.domain,
                "the directory's clock is {skew:#} from this service's: nothing is changed before both agree to 5 minutes"
            );
            put_off(&mut tx, &mut row, now, WAIT).await?;
            tx.commit().await?;
            return Ok(Ready::No);
        }
        let mut account = store::account(&mut tx, &row.account)
            .await?
            .ok_or(LedgerError::NotFound(id))?;
        let event = self
            .what_stands_in_the_way(&mut tx, read, &domain, &mut account, theirs)
            .await?;
        store::put_account(&mut tx, &account).await?;
        let ready = match event {
            None => Ready::Yes,
            Some(Way::Wait(pause)) => {
                put_off(&mut tx, &mut row, now, pause).await?;
                Ready::No
            }
            Some(Way::Ends(event)) => {
                self.ledger.step(&mut tx, &mut row, event, now).await?;
                Ready::No
            }
        };
        tx.commit().await?;
        if let Ready::No = ready {
            self.ledger.ring(&row);
        }
        Ok(ready)
    }

    async fn what_stands_in_the_way(
        &self,
        tx: &mut Transaction,
        read: &ReadResponse,
        domain: &DomainRow,
        account: &mut AccountRow,
        theirs: Timestamp,
    ) -> Result<Option<Way>, WorkError> {
        let stop = |stop| Some(Way::Ends(Event::Stop(stop)));
        let way = match read.eligibility() {
            Eligibility::Eligible => None,
            // Ends by itself.
            Eligibility::Locked | Eligibility::Unknown | Eligibility::Unspecified => {
                Some(Way::Wait(WAIT))
            }
            Eligibility::Disabled => stop(Stop::Disabled),
            Eligibility::Deleted => stop(Stop::Deleted),
            Eligibility::Expired
            | Eligibility::Privileged
            | Eligibility::NotAPerson
            | Eligibility::SmartcardRequired
            | Eligibility::SyncedFromElsewhere
            | Eligibility::MustChange => stop(Stop::Ineligible),
            Eligibility::NoRight => {
                let subject = AccountName(account.key.clone()).to_string();
                let now = self.ledger.now();
                store::insert_incident(tx, &self.domain, Kind::NoRight, &subject, now).await?;
                stop(Stop::Ineligible)
            }
        };
        if way.is_some() {
            if !read.reason.is_empty() {
                info!(account = %AccountName(account.key.clone()), "not rotated now: {}", read.reason);
            }
            return Ok(way);
        }
        // R10: before anything is prepared, what the directory says is compared with what is known.
        let set = moment(read.password_set_time.as_ref());
        let was_known = account.known_version.is_some() || account.known_set.is_some();
        let is_ahead = account
            .known_version
            .is_some_and(|known| read.password_version != 0 && read.password_version > known)
            || account.known_set.is_some_and(|known| set > Some(known));
        account.known_version = (read.password_version != 0).then_some(read.password_version);
        account.known_set = set;
        account.max_age = read
            .policy
            .and_then(|policy| policy.max_age)
            .and_then(|age| {
                SignedDuration::try_from(std::time::Duration::try_from(age).ok()?).ok()
            });
        if was_known && is_ahead {
            return Ok(Some(Way::Ends(Event::Overtaken)));
        }
        // R7: by the directory's own clock, and its own record of when the password was set.
        if account.asked_by.is_none() {
            let due = Policy::of(&domain.settings).schedule.due(
                account.key.object,
                enrolment::password_set(account),
                account.max_age,
                account.enrolled.unwrap_or(theirs),
            );
            if due > theirs {
                return Ok(Some(Way::Wait(due.duration_since(theirs).max(WAIT))));
            }
        }
        Ok(None)
    }

    /// Commits the candidate's ciphertexts: the service's own, and one for each target (R1, R6).
    async fn commit_candidate(
        &self,
        id: Uuid,
        lease: &Lease,
        read: &ReadResponse,
        value: &SecretString,
    ) -> Result<(), WorkError> {
        let now = self.ledger.now();
        let policy = policy_text(read.policy.as_ref());
        let (seen, _) = self.seen(id).await?;
        let candidate = seen.rotation.candidate + 1;
        let sealed = self.ledger.seal(&seen, candidate, value).await?;
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        if row.rotation != seen.rotation {
            return Ok(());
        }
        let domain = self.domain(&mut tx).await?;
        // R2's conditions hold for a start too: nothing is offered that could not be sent.
        let account = store::account(&mut tx, &row.account)
            .await?
            .ok_or(LedgerError::NotFound(id))?;
        let is_paused = domain.paused_by.is_some() || store::pause_of_all(&mut tx).await?.is_some();
        if domain.breaker.is_some()
            || is_paused
            || enrolment::stop(&domain, &account).is_some()
            || !store::has_present_target(&mut tx, row.employee).await?
        {
            return Ok(());
        }
        // The canary goes first with each policy (R8).
        let limits = Policy::of(&domain.settings).limits;
        let proven = store::count_proven(
            &mut tx,
            &self.domain,
            &policy,
            domain.cleared,
            limits.canaries,
        )
        .await?;
        if proven < limits.canaries
            && store::count_under_way_for(&mut tx, &self.domain, &policy).await?
                >= limits.canaries - proven
        {
            put_off(&mut tx, &mut row, now, AFTER_OTHERS).await?;
            tx.commit().await?;
            return Ok(());
        }
        self.ledger
            .step(&mut tx, &mut row, Event::Prepared, now)
            .await?;
        row.value = Some(sealed);
        row.anchor = Some(read.anchor.clone());
        row.policy = policy;
        row.prepared = Some(now);
        store::put_rotation(&mut tx, &row).await?;
        for target in store::targets_of_employee(&mut tx, row.employee).await? {
            let delivery = Ledger::delivery(&row, candidate, &target, value)?;
            store::insert_delivery(&mut tx, &delivery).await?;
        }
        tx.commit().await?;
        runtime::points::reached("candidate committed");
        self.ledger.ring(&row);
        Ok(())
    }

    pub(super) async fn stop(&self, id: Uuid, lease: &Lease, stop: Stop) -> Result<(), WorkError> {
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await?;
        lease::assert_held(&mut tx, lease).await?;
        let mut row = self.ledger.load(&mut tx, id).await?;
        self.ledger
            .step(&mut tx, &mut row, Event::Stop(stop), now)
            .await?;
        tx.commit().await?;
        self.ledger.ring(&row);
        Ok(())
    }
}

/// What keeps a rotation from starting.
enum Way {
    Wait(SignedDuration),
    Ends(Event),
}

async fn put_off(
    tx: &mut Transaction,
    row: &mut RotationRow,
    now: Timestamp,
    pause: SignedDuration,
) -> Result<(), WorkError> {
    row.rotation.wake = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
    store::put_rotation(tx, row).await?;
    Ok(())
}

pub(super) fn moment(given: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    time::from_proto("time", given?).ok()
}

/// Which policy it is, so that a candidate is not sent under another one, and each has its canaries.
pub(super) fn policy_text(policy: Option<&PasswordPolicy>) -> String {
    let policy = policy.copied().unwrap_or_default();
    format!(
        "length {}, complexity {}, age {}{}",
        policy.min_length,
        policy.complexity,
        policy.max_age.map_or(0, |age| age.seconds),
        if policy.may_be_stricter {
            ", or stricter"
        } else {
            ""
        }
    )
}

//! Accounts that are due become rotations, and some of them are let in.

use api::name::AccountName;
use jiff::{SignedDuration, Timestamp};
use rotation::{Admission, Rotation};
use storage::Transaction;
use tracing::warn;

use super::{BATCH, WorkError, Worker};
use crate::announce;
use crate::policy::Policy;
use crate::store::{self, AccountRow, DomainRow, RotationRow};

/// How soon an account is looked at again that another record's rotation has.
const AFTER_CONFLICT: SignedDuration = SignedDuration::from_hours(1);

impl Worker {
    /// Makes a rotation of each account that is due.
    pub(super) async fn plan(
        &self,
        tx: &mut Transaction,
        domain: &DomainRow,
        now: Timestamp,
    ) -> Result<(), WorkError> {
        // Before the first success nobody knows which directory it is, and two records of one would rotate it twice.
        let Some(directory) = &domain.directory else {
            return Ok(());
        };
        for mut account in store::accounts_to_plan(tx, &self.domain, now, BATCH).await? {
            self.plan_one(tx, directory, &mut account, now).await?;
        }
        Ok(())
    }

    async fn plan_one(
        &self,
        tx: &mut Transaction,
        directory: &str,
        account: &mut AccountRow,
        now: Timestamp,
    ) -> Result<(), WorkError> {
        let Some(employee) = account.employee else {
            return Ok(());
        };
        let generation = account.password_generation + 1;
        let row = RotationRow {
            id: self.ledger.ids.uuid_at(now),
            directory: directory.to_owned(),
            account: account.key.clone(),
            employee,
            logon_name: account.state.logon_name.clone(),
            asked_by: account.asked_by.clone(),
            revision: 1,
            created: now,
            rotation: Rotation::planned(generation, now),
            anchor: None,
            policy: String::new(),
            prepared: None,
            value: None,
        };
        if store::insert_rotation(tx, &row).await? {
            account.open_rotation = Some(row.id);
            account.due = None;
            account.password_generation = generation;
            announce::rotation(tx, &self.ledger.ids, now, &row, "planned").await?;
        } else {
            warn!(
                account = %AccountName(account.key.clone()),
                "another domain record of the same directory has a rotation of this account that has not ended"
            );
            account.next_after = now.checked_add(AFTER_CONFLICT).ok();
            account.due = account.next_after;
        }
        store::put_account(tx, account).await?;
        Ok(())
    }

    /// How many rotations may be started now.
    pub(super) async fn room(
        &self,
        tx: &mut Transaction,
        domain: &DomainRow,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<u32, WorkError> {
        let hour_ago = now
            .saturating_sub(SignedDuration::from_hours(1))
            .unwrap_or(Timestamp::MIN);
        let limits = &policy.limits;
        let id = &self.domain;
        let admission = Admission {
            accounts: store::count_rotating(tx, id).await?,
            under_way: store::count_under_way(tx, id).await?,
            started: store::count_prepared_since(tx, id, hour_ago).await?,
            proven: store::count_proven(tx, id, "", domain.cleared, limits.canaries).await?,
            stopped: false,
        };
        Ok(admission.room(limits))
    }
}

//! What an operator watches of rotations. Every replica tells the same of what the database holds.

use jiff::{SignedDuration, Timestamp};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use rotation::HeldReason;
use storage::Database;

use crate::names;
use crate::store::{self, RotationRow};

const MOVED: &str = "hes_rotations_moved_total";
const ALARMS: &str = "hes_rotation_alarms_total";
const ACCOUNTS: &str = "hes_rotation_accounts";
const OPEN: &str = "hes_rotations_open";
const STOPPED: &str = "hes_rotation_stopped";
const OVERDUE: &str = "hes_rotations_overdue";

pub(crate) fn describe() {
    describe_counter!(
        MOVED,
        Unit::Count,
        "Rotations that entered a state, by domain and state"
    );
    describe_counter!(
        ALARMS,
        Unit::Count,
        "Calls for a person, by domain and reason"
    );
    describe_gauge!(ACCOUNTS, Unit::Count, "Accounts that rotate, by domain");
    describe_gauge!(
        OPEN,
        Unit::Count,
        "Rotations that have not ended, by domain and state"
    );
    describe_gauge!(
        STOPPED,
        Unit::Count,
        "1 where a breaker, a pause or a wrong clock stops a domain, by domain and cause"
    );
    describe_gauge!(
        OVERDUE,
        Unit::Count,
        "Rotations due for more than a day that no key came for, by domain"
    );
}

pub(crate) fn moved(row: &RotationRow) {
    counter!(
        MOVED,
        "domain" => row.account.domain.to_string(),
        "state" => names::state(row.rotation.state).as_str_name()
    )
    .increment(1);
}

pub(crate) fn alarmed(row: &RotationRow, reason: HeldReason) {
    counter!(
        ALARMS,
        "domain" => row.account.domain.to_string(),
        "reason" => names::held(reason).as_str_name()
    )
    .increment(1);
}

pub(crate) async fn tell(db: &Database, now: Timestamp, skew: SignedDuration) -> store::Result<()> {
    let mut reader = db.read().await?;
    for domain in store::domains(&mut reader).await? {
        let name = domain.id.to_string();
        let accounts = store::count_rotating(&mut reader, &domain.id).await?;
        gauge!(ACCOUNTS, "domain" => name.clone()).set(f64::from(accounts));
        for state in [
            "ROTATION_STATE_PLANNED",
            "ROTATION_STATE_UNKNOWN",
            "ROTATION_STATE_CONFIRMED",
            "ROTATION_STATE_HELD",
        ] {
            let count = store::count_state(&mut reader, &domain.id, state).await?;
            gauge!(OPEN, "domain" => name.clone(), "state" => state).set(f64::from(count));
        }
        let day = now
            .saturating_sub(SignedDuration::from_hours(24))
            .unwrap_or(now);
        let overdue = store::count_overdue(&mut reader, &domain.id, day).await?;
        gauge!(OVERDUE, "domain" => name.clone()).set(f64::from(overdue));
        for (cause, holds) in [
            ("breaker", domain.breaker.is_some()),
            ("pause", domain.paused_by.is_some()),
            ("clock", domain.clock_skew.abs() > skew),
        ] {
            gauge!(STOPPED, "domain" => name.clone(), "cause" => cause)
                .set(f64::from(u8::from(holds)));
        }
    }
    Ok(())
}

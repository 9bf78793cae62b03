//! What an operator watches: lag, people, plans, held runs.

use directory::DomainId;
use jiff::Timestamp;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::store::{self, Run, Store};

/// What each is, for whoever scrapes them.
pub(crate) fn describe() {
    describe_gauge!(
        "hes_sync_accounts",
        Unit::Count,
        "Accounts known of a domain, by presence: member, rotation_only, left or deleted"
    );
    describe_gauge!(
        "hes_sync_held_runs",
        Unit::Count,
        "Plans that wait for a person to decide"
    );
    describe_gauge!(
        "hes_sync_consecutive_failures",
        Unit::Count,
        "Syncs of a domain that failed since one last ended well"
    );
    describe_gauge!(
        "hes_sync_last_success_timestamp_seconds",
        Unit::Seconds,
        "When the newest sync of a domain that ended well began to read, in seconds since 1970"
    );
    describe_counter!(
        "hes_sync_runs_total",
        Unit::Count,
        "Sync runs that reached a state they stay in, by that state"
    );
    describe_histogram!(
        "hes_sync_run_duration_seconds",
        Unit::Seconds,
        "How long sync runs took"
    );
    describe_gauge!(
        "hes_sync_plan_items",
        Unit::Count,
        "Items of a domain's newest plan, by class"
    );
}

/// People by presence, the age of the last good read, and plans that wait.
pub(crate) async fn people(store: &Store, domain: &DomainId) -> Result<(), store::Error> {
    let people = store.people(domain).await?;
    for (presence, count) in [
        ("member", people.members),
        ("rotation_only", people.rotation_only),
        ("left", people.left),
        ("deleted", people.deleted),
    ] {
        gauge!("hes_sync_accounts", "domain" => domain.to_string(), "presence" => presence)
            .set(count as f64);
    }
    let held = store.held(domain).await?;
    gauge!("hes_sync_held_runs", "domain" => domain.to_string()).set(held as f64);
    if let Some(schedule) = store.schedule(domain).await? {
        gauge!("hes_sync_consecutive_failures", "domain" => domain.to_string())
            .set(f64::from(schedule.consecutive_failures));
        if let Some(at) = schedule.last_success_at {
            // A time and not an age: an age that nobody updates would look young for ever.
            gauge!("hes_sync_last_success_timestamp_seconds", "domain" => domain.to_string())
                .set(at.as_second() as f64);
        }
    }
    Ok(())
}

/// A run reached a state it stays in.
pub(crate) fn run(run: &Run, started: Timestamp, now: Timestamp) {
    let domain = run.domain.to_string();
    counter!("hes_sync_runs_total", "domain" => domain.clone(), "state" => run.state.name())
        .increment(1);
    let took = now.duration_since(started).as_secs_f64().max(0.0);
    histogram!("hes_sync_run_duration_seconds", "domain" => domain.clone()).record(took);
    let plan = run.message.plan.unwrap_or_default();
    for (class, items) in [
        ("join", plan.joins),
        ("return", plan.returns),
        ("update", plan.updates),
        ("disable", plan.disables),
        ("enable", plan.enables),
        ("leave", plan.leaves),
        ("delete", plan.deletes),
    ] {
        gauge!("hes_sync_plan_items", "domain" => domain.clone(), "class" => class)
            .set(items as f64);
    }
}

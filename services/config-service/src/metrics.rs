//! What an operator watches of people. Every replica tells the same, since it is what the database holds.

use metrics::{Unit, describe_gauge, gauge};
use storage::{Database, Sql as _, params};

use crate::store;

const EMPLOYEES: &str = "hes_employees";
const PROPOSALS: &str = "hes_link_proposals";

pub(crate) fn describe() {
    describe_gauge!(
        EMPLOYEES,
        Unit::Count,
        "Employees, by state: active or inactive"
    );
    describe_gauge!(
        PROPOSALS,
        Unit::Count,
        "Links between accounts that wait for a person to decide"
    );
}

pub(crate) async fn tell(db: &Database) -> store::Result<()> {
    let mut reader = db.read().await?;
    for (state, active) in [("active", true), ("inactive", false)] {
        let row = reader
            .query_one(
                "SELECT COUNT(*) AS count FROM employee WHERE active = $1",
                params![active],
            )
            .await?;
        gauge!(EMPLOYEES, "state" => state).set(row.get::<u64>("count")? as f64);
    }
    let open = i64::from(i32::from(api::config::v1::LinkProposalState::Open));
    let row = reader
        .query_one(
            "SELECT COUNT(*) AS count FROM link_proposal WHERE state = $1",
            params![open],
        )
        .await?;
    gauge!(PROPOSALS).set(row.get::<u64>("count")? as f64);
    Ok(())
}

//! `docs/reasons.md` lists every reason a program may be told, and no other: programs are written against it.
#![expect(clippy::unwrap_used, reason = "what tests share fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use connector::FailureReason;
use directory::Attribute;
use runtime::grpc::Reason as CallReason;
use sync::{
    GroupRole, IssueCode,
    guard::{Limits, Measure, Reason as HoldReason},
};

const PAGE: &str = include_str!("../../../docs/reasons.md");

/// The first cell of each row of a section's table, and the other cells.
fn documented(section: &str) -> BTreeMap<String, Vec<String>> {
    let section = PAGE.split(&format!("\n## {section}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let name = cells.next().unwrap().trim_matches('`').to_owned();
        (name, cells.map(str::to_owned).collect())
    })
    .collect()
}

fn is_complete<'a>(section: &str, names: impl IntoIterator<Item = &'a str>) {
    let rows = documented(section);
    let written: BTreeSet<_> = rows.keys().map(String::as_str).collect();
    assert_eq!(written, names.into_iter().collect(), "in `{section}`");
    for (name, cells) in rows {
        assert!(
            cells.len() >= 2 && cells.iter().all(|cell| !cell.is_empty()),
            "`{name}` lacks its meaning or what to do"
        );
    }
}

#[test]
fn every_reason_of_a_failed_call_is_documented_with_its_own_meaning() {
    let names = CallReason::ALL.iter().map(|reason| reason.name());
    is_complete("Calls that fail", names);
    let rows = documented("Calls that fail");
    for reason in CallReason::ALL {
        assert_eq!(rows[reason.name()][1], reason.meaning(), "{reason}");
    }
}

#[test]
fn every_reason_of_a_failed_run_is_documented() {
    let names = FailureReason::ALL.map(FailureReason::name);
    is_complete("Runs that fail", names);
}

#[test]
fn every_issue_of_a_run_is_documented() {
    is_complete("Issues of a run", IssueCode::ALL.map(IssueCode::name));
}

#[test]
fn every_reason_to_hold_a_plan_is_documented() {
    let group = GroupRole::Sync;
    let measures = [
        Measure::Removals,
        Measure::Disables,
        Measure::MembersLost(group),
        Measure::Cleared(Attribute::Mail),
        Measure::Joins,
    ];
    let too_many = measures.map(|measure| HoldReason::TooMany {
        measure,
        planned: 0,
        recent: 0,
        allowed: 0,
        limit: Limits::default().removals,
        of: 0,
    });
    let (removals, lost, now) = (0, 0, String::new());
    let others = [
        HoldReason::NobodyLeft {
            removals,
            members: 0,
        },
        HoldReason::NobodyLeft {
            removals,
            members: 1,
        },
        HoldReason::Missing { group, lost },
        HoldReason::Renamed { group, now, lost },
        HoldReason::Replaced { group },
    ];
    let all: Vec<_> = too_many.into_iter().chain(others).collect();
    for reason in &all {
        // A new one doesn't compile here, so that it is added above.
        match reason {
            HoldReason::TooMany { measure, .. } => match measure {
                Measure::Removals
                | Measure::Disables
                | Measure::MembersLost(_)
                | Measure::Cleared(_)
                | Measure::Joins => {}
            },
            HoldReason::NobodyLeft { .. }
            | HoldReason::Missing { .. }
            | HoldReason::Renamed { .. }
            | HoldReason::Replaced { .. } => {}
        }
    }
    is_complete("Plans that are held", all.iter().map(HoldReason::code));
}

#[test]
fn every_check_of_a_domain_is_documented() {
    let ids = ad_client::check::IDS.into_iter().chain(["settings"]);
    is_complete("Checks of a domain", ids);
}

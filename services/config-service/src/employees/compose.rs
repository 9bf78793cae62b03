//! What an employee is, given their accounts: pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use api::config::v1::{Employee, EmployeeAccount};
use api::convert::time;
use api::name::EmployeeName;
use jiff::Timestamp;
use sync::employee::{EmployeeId, Holding, RemovalPolicy, Standing, standing};

use super::facts::Facts;
use crate::store::AccountRow;

/// What follows from the accounts. Generation, etag and times are the row's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Composed {
    pub(crate) employee: Employee,
    pub(crate) purges: Option<Timestamp>,
    /// What the employee is found by.
    pub(crate) terms: BTreeSet<String>,
    /// Nothing speaks for keeping even the record.
    pub(crate) removable: bool,
}

pub(crate) fn compose(
    id: EmployeeId,
    accounts: &[AccountRow],
    facts: &Facts,
    now: Timestamp,
) -> Composed {
    let mut holdings: Vec<(Holding<'_>, &AccountRow)> = accounts
        .iter()
        .map(|row| (holding(row, facts), row))
        .collect();
    // The order of `sync::employee::prevailing`, for all of them.
    holdings.sort_by_key(|(holding, row)| {
        (
            Reverse((holding.standing(now), holding.precedence)),
            row.key.clone(),
        )
    });
    let purges = purges(&holdings);
    let (holdings, rows): (Vec<Holding<'_>>, Vec<&AccountRow>) = holdings.into_iter().unzip();
    let standing = standing(&holdings, now);
    let shown = rows
        .first()
        .map(|row| row.state.clone())
        .unwrap_or_default();
    let employee = Employee {
        name: EmployeeName(id.0).to_string(),
        active: standing == Standing::Active,
        display_name: shown.display_name,
        given_name: shown.given_name,
        surname: shown.surname,
        mail: shown.mail,
        phone: shown.phone,
        department: shown.department,
        company: shown.company,
        title: shown.title,
        accounts: rows
            .iter()
            .map(|row| EmployeeAccount {
                account: Some(row.state.clone()),
                link_reason: row.link_reason.into(),
                linked_by: row.linked_by.clone(),
                link_time: row.linked.map(time::to_proto),
            })
            .collect(),
        purge_time: purges.map(time::to_proto),
        ..Employee::default()
    };
    Composed {
        terms: terms(&employee),
        purges,
        removable: standing == Standing::Removable,
        employee,
    }
}

fn holding<'a>(row: &'a AccountRow, facts: &Facts) -> Holding<'a> {
    let domain = facts.domain(&row.key.domain);
    Holding {
        key: &row.key,
        account: &row.known.account,
        presence: row.known.presence,
        since: row.since.max(domain.policy_since),
        policy: domain.policy_for(row.since),
        precedence: domain.precedence,
    }
}

/// When the last account's grace period ends, if every account has left under a policy of deletion.
fn purges(holdings: &[(Holding<'_>, &AccountRow)]) -> Option<Timestamp> {
    let mut last = None;
    for (holding, _) in holdings {
        let left = matches!(
            holding.presence,
            directory::Presence::Left | directory::Presence::Deleted
        );
        let RemovalPolicy::Delete { grace } = holding.policy else {
            return None;
        };
        if !left {
            return None;
        }
        let end = holding.since.checked_add(grace).unwrap_or(Timestamp::MAX);
        last = last.max(Some(end));
    }
    last
}

fn terms(employee: &Employee) -> BTreeSet<String> {
    let accounts = employee
        .accounts
        .iter()
        .filter_map(|account| account.account.as_ref());
    let logon_names =
        accounts.flat_map(|account| [&account.logon_name, &account.user_principal_name]);
    [&employee.display_name, &employee.mail]
        .into_iter()
        .chain(logon_names)
        .map(|term| term.to_lowercase())
        .filter(|term| !term.is_empty())
        .collect()
}

//! Employees and proposed links, for people.

use api::{
    config::v1::{Employee, EmployeeAccount, LinkProposal, LinkProposalState},
    directory::v1::{Account, Presence, Privilege},
};

use crate::output::{
    Cell, Record, Screen, Table, Tone, ago, count, date_time, from_now, last_part, word,
};

pub(super) fn employees(employees: &[Employee], screen: &Screen) -> String {
    if employees.is_empty() {
        return "no employees".to_owned();
    }
    let mut table = Table::new(["ID", "NAME", "STATE", "ACCOUNTS", "MAIL"]);
    for employee in employees {
        let domains: Vec<&str> = accounts(employee)
            .map(|account| domain_of(&account.name))
            .collect();
        table.row([
            last_part(&employee.name).into(),
            employee.display_name.as_str().into(),
            state(employee),
            domains.join(", ").into(),
            employee.mail.as_str().into(),
        ]);
    }
    table.render(screen)
}

pub(super) fn employee(employee: &Employee, screen: &Screen) -> String {
    let mut record = Record::default();
    record
        .line("id", last_part(&employee.name))
        .line("name", Cell::toned(&employee.display_name, Tone::Strong))
        .line("state", state(employee));
    for (label, text) in [
        ("given name", &employee.given_name),
        ("surname", &employee.surname),
        ("mail", &employee.mail),
        ("phone", &employee.phone),
        ("department", &employee.department),
        ("company", &employee.company),
        ("title", &employee.title),
    ] {
        record.line_if(label, text);
    }
    record
        .line_if("since", &date_time(employee.create_time.as_ref()))
        .line_if("changed", &ago(screen.now, employee.update_time.as_ref()))
        .line_if(
            "deleted",
            &from_now(screen.now, employee.purge_time.as_ref()),
        );
    let heading = screen.paint(
        Tone::Strong,
        &count(
            employee.accounts.len().try_into().unwrap_or(i64::MAX),
            "account",
            "accounts",
        ),
    );
    let accounts: Vec<String> = employee
        .accounts
        .iter()
        .map(|account| self::account(account, screen))
        .collect();
    format!(
        "{}\n\n{heading}\n{}",
        record.render(screen),
        accounts.join("\n\n")
    )
}

fn account(linked: &EmployeeAccount, screen: &Screen) -> String {
    let Some(account) = &linked.account else {
        return String::new();
    };
    let mut link = word(linked.link_reason().as_str_name(), "LINK_REASON_");
    if !linked.linked_by.is_empty() {
        link.push_str(&format!(", by {}", linked.linked_by));
    }
    let mut record = Record::default();
    record
        .line("account", account.name.as_str())
        .line("logon name", account.logon_name.as_str())
        .line_if("principal name", &account.user_principal_name)
        .line_if("DN", &account.distinguished_name)
        .line("state", account_state(account))
        .line("groups", groups(account))
        .line_if(
            "password set",
            &date_time(account.password_set_time.as_ref()),
        )
        .line_if("expires", &date_time(account.account_expire_time.as_ref()))
        .line(
            "linked",
            format!("{link}, {}", ago(screen.now, linked.link_time.as_ref())),
        );
    record.render(screen)
}

fn account_state(account: &Account) -> Cell {
    let state = account.state.unwrap_or_default();
    let flags = [
        (state.disabled, "disabled"),
        (state.locked, "locked"),
        (state.expired, "expired"),
        (state.password_expired, "password expired"),
        (state.must_change_password, "must change password"),
        (state.smartcard_required, "smart card required"),
        (state.privileged() == Privilege::Yes, "privileged"),
    ];
    let presence = match account.presence() {
        Presence::Member => None,
        other @ (Presence::Unspecified
        | Presence::RotationOnly
        | Presence::Left
        | Presence::Deleted) => Some(word(other.as_str_name(), "PRESENCE_")),
    };
    let words: Vec<String> = presence
        .into_iter()
        .chain(
            flags
                .into_iter()
                .filter(|(on, _)| *on)
                .map(|(_, word)| word.to_owned()),
        )
        .collect();
    if words.is_empty() {
        Cell::toned("enabled", Tone::Good)
    } else {
        Cell::toned(words.join(", "), Tone::Warning)
    }
}

fn groups(account: &Account) -> &'static str {
    match (account.in_sync_group, account.in_rotation_group) {
        (true, true) => "sync, rotation",
        (true, false) => "sync",
        (false, true) => "rotation",
        (false, false) => "none",
    }
}

fn state(employee: &Employee) -> Cell {
    if employee.deleted {
        Cell::toned("deleted", Tone::Faint)
    } else if employee.active {
        Cell::toned("active", Tone::Good)
    } else {
        Cell::toned("inactive", Tone::Faint)
    }
}

fn accounts(employee: &Employee) -> impl Iterator<Item = &Account> {
    employee
        .accounts
        .iter()
        .filter_map(|account| account.account.as_ref())
}

/// `corp` of `domains/corp/accounts/…`.
fn domain_of(name: &str) -> &str {
    name.split('/').nth(1).unwrap_or(name)
}

pub(super) fn proposals(proposals: &[LinkProposal], screen: &Screen) -> String {
    if proposals.is_empty() {
        return "no links wait for a decision".to_owned();
    }
    let mut table = Table::new(["ID", "STATE", "EMPLOYEE", "CANDIDATE", "RAISED", "WHY"]);
    for proposal in proposals {
        let tone = match proposal.state() {
            LinkProposalState::Open => Tone::Warning,
            LinkProposalState::Accepted => Tone::Good,
            LinkProposalState::Rejected | LinkProposalState::Unspecified => Tone::Faint,
        };
        table.row([
            last_part(&proposal.name).into(),
            Cell::toned(
                word(proposal.state().as_str_name(), "LINK_PROPOSAL_STATE_"),
                tone,
            ),
            last_part(&proposal.employee).into(),
            last_part(&proposal.candidate).into(),
            ago(screen.now, proposal.create_time.as_ref()).into(),
            proposal.reason.as_str().into(),
        ]);
    }
    table.render(screen)
}

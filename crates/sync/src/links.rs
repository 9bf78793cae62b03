//! Which accounts are one person (S8).
//!
//! Links are made once, when an account appears. What decides is either a security identifier, which the directory
//! proves, or a mail address, which anybody with the right to edit it can claim. So mail links by itself only across
//! domains, only where both sides hold the address's suffix, only between two ordinary accounts that are each the sole
//! one with the address, and never to a person who has an account of the same domain or a privileged one. Everything
//! else that looks alike is proposed, and a person decides.

use std::collections::{BTreeMap, BTreeSet};

use directory::{AccountKey, DirectoryKind, Flag, Kind, Presence, Sid};

use crate::Mail;
use crate::employee::EmployeeId;

/// An account, as far as links depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    pub key: AccountKey,
    /// Whom it belongs to; `None` for an account that has just appeared.
    pub employee: Option<EmployeeId>,
    pub directory: DirectoryKind,
    /// The SID its domain was pinned to. Entra ID has none.
    pub domain_sid: Option<Sid>,
    /// Its own SID; in Entra ID, that of the on-premises twin.
    pub sid: Option<Sid>,
    pub kind: Kind,
    pub presence: Presence,
    pub privileged: Flag,
    /// As the directory has it, if it is a mail address.
    pub mail: Option<Mail>,
    /// Whether its domain holds the suffix of its mail authoritative.
    pub authoritative: bool,
}

/// Two accounts that an administrator took apart. It stands for good, in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unlink(pub AccountKey, pub AccountKey);

/// Why two accounts are, or may be, one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkReason {
    /// The Entra account names the AD account's security identifier, and that domain is the one it comes from.
    SecurityIdentifier,
    Mail,
}

/// Why a match was not enough to link by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Doubt {
    /// More than one employee matches.
    SeveralEmployees,
    /// The employee already has an account in this account's domain.
    SameDomain,
    /// Another account on one of the sides has the same mail.
    NotUnique,
    /// One of the domains does not hold the mail's suffix authoritative.
    NotAuthoritative,
    /// One of the accounts is a guest.
    Guest,
    /// One of the accounts is privileged, or it cannot be told that it is not.
    Privileged,
    /// The matching account left or was deleted; its address may have passed to somebody else.
    NotPresent,
}

impl Doubt {
    /// Stable: part of the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::SeveralEmployees => "SEVERAL_EMPLOYEES",
            Self::SameDomain => "SAME_DOMAIN",
            Self::NotUnique => "NOT_UNIQUE",
            Self::NotAuthoritative => "NOT_AUTHORITATIVE",
            Self::Guest => "GUEST",
            Self::Privileged => "PRIVILEGED",
            Self::NotPresent => "NOT_PRESENT",
        }
    }
}

/// What to do with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has an employee already, and stays there: a changed mail moves no link.
    Keep(EmployeeId),
    /// Nobody we know.
    NewEmployee,
    LinkTo {
        employee: EmployeeId,
        reason: LinkReason,
    },
    /// A new employee for now; a person may link it to one of these.
    Propose {
        employees: Vec<EmployeeId>,
        reason: LinkReason,
        /// Sorted, without repetition, not empty.
        doubts: Vec<Doubt>,
    },
}

/// Decides whose account `account` is.
///
/// `others` are the accounts that have its mail or its SID, in any domain including its own, and with each of them all
/// other accounts of the same employee. More do no harm; those without an employee still count against uniqueness.
pub fn decide(account: &Party, others: &[Party], unlinks: &[Unlink]) -> Decision {
    if let Some(employee) = account.employee {
        return Decision::Keep(employee);
    }
    let others: Vec<&Party> = others
        .iter()
        .filter(|other| other.key != account.key)
        .collect();
    let parted = parted_from(account, &others, unlinks);
    let allowed = |employee: EmployeeId| (!parted.contains(&employee)).then_some(employee);

    let twins = others.iter().filter(|other| is_twin(account, other));
    let twins: Vec<&Party> = twins.copied().collect();
    let employees: BTreeSet<EmployeeId> = twins
        .iter()
        .filter_map(|twin| twin.employee.and_then(allowed))
        .collect();
    if !employees.is_empty() {
        let reason = LinkReason::SecurityIdentifier;
        let doubts = doubts_about_twins(account, &employees, &twins, &others);
        return conclude(employees, reason, doubts);
    }

    by_mail(account, &others, &allowed)
}

fn conclude(
    employees: BTreeSet<EmployeeId>,
    reason: LinkReason,
    doubts: BTreeSet<Doubt>,
) -> Decision {
    match employees.first() {
        None => Decision::NewEmployee,
        Some(employee) if doubts.is_empty() => Decision::LinkTo {
            employee: *employee,
            reason,
        },
        Some(_) => Decision::Propose {
            employees: employees.into_iter().collect(),
            reason,
            doubts: doubts.into_iter().collect(),
        },
    }
}

/// The employees an administrator took this account apart from.
fn parted_from(account: &Party, others: &[&Party], unlinks: &[Unlink]) -> BTreeSet<EmployeeId> {
    let is_parted = |other: &Party| {
        unlinks.iter().any(|Unlink(a, b)| {
            (a == &account.key && b == &other.key) || (b == &account.key && a == &other.key)
        })
    };
    others
        .iter()
        .filter(|other| is_parted(other))
        .filter_map(|other| other.employee)
        .collect()
}

/// Whether one is the Entra account synced from the other: the same SID, and issued by the AD account's own domain.
fn is_twin(a: &Party, b: &Party) -> bool {
    let on_premises = match (a.directory, b.directory) {
        (DirectoryKind::ActiveDirectory, DirectoryKind::EntraId) => a,
        (DirectoryKind::EntraId, DirectoryKind::ActiveDirectory) => b,
        (DirectoryKind::ActiveDirectory, DirectoryKind::ActiveDirectory)
        | (DirectoryKind::EntraId, DirectoryKind::EntraId) => return false,
    };
    let issuer = on_premises.sid.as_ref().and_then(Sid::domain);
    a.sid.is_some() && a.sid == b.sid && issuer.is_some() && issuer == on_premises.domain_sid
}

fn doubts_about_twins(
    account: &Party,
    employees: &BTreeSet<EmployeeId>,
    twins: &[&Party],
    others: &[&Party],
) -> BTreeSet<Doubt> {
    let mut doubts = BTreeSet::new();
    if employees.len() > 1 {
        doubts.insert(Doubt::SeveralEmployees);
    }
    if has_account_in(employees, others, account) {
        doubts.insert(Doubt::SameDomain);
    }
    // A tombstone keeps its SID, and no SID is given twice: presence is no doubt here. A guest's twin would be.
    if twins.iter().any(|twin| twin.kind == Kind::Guest) || account.kind == Kind::Guest {
        doubts.insert(Doubt::Guest);
    }
    doubts
}

fn by_mail(
    account: &Party,
    others: &[&Party],
    allowed: &dyn Fn(EmployeeId) -> Option<EmployeeId>,
) -> Decision {
    let Some(mail) = &account.mail else {
        return Decision::NewEmployee;
    };
    let same_mail = |other: &&&Party| other.mail.as_ref() == Some(mail);
    let (at_home, abroad): (Vec<&Party>, Vec<&Party>) = others
        .iter()
        .filter(same_mail)
        .partition(|other| other.key.domain == account.key.domain);
    let matching = |parties: &[&Party]| -> BTreeSet<EmployeeId> {
        let employees = parties.iter().filter_map(|party| party.employee);
        employees.filter_map(allowed).collect()
    };

    // A domain that does not hold the suffix has no say: it cannot make a link, nor spoil one between those who do.
    let entitled: Vec<&Party> = abroad
        .iter()
        .copied()
        .filter(|other| other.authoritative)
        .collect();
    let employees = if account.authoritative && !matching(&entitled).is_empty() {
        matching(&entitled)
    } else {
        matching(&abroad)
    };

    let mut doubts = BTreeSet::new();
    if employees.len() > 1 {
        doubts.insert(Doubt::SeveralEmployees);
    }
    if has_account_in(&employees, others, account) {
        doubts.insert(Doubt::SameDomain);
    }
    doubts.extend(doubt_of(account));
    let mut counterparts: BTreeMap<_, u32> = BTreeMap::new();
    let matched = abroad
        .iter()
        .filter(|other| other.employee.is_some_and(|id| employees.contains(&id)));
    for other in matched {
        doubts.extend(doubt_of(other));
    }
    // Whoever else has the mail on either side, and is there: a guest is not a rival, being excluded by what it is.
    let rivals = |other: &&&Party| other.kind == Kind::Member && is_present(other);
    if at_home.iter().any(|other| rivals(&other)) {
        doubts.insert(Doubt::NotUnique);
    }
    for other in abroad.iter().filter(rivals) {
        *counterparts.entry(&other.key.domain).or_default() += 1;
    }
    let sides: BTreeSet<_> = abroad
        .iter()
        .filter(|other| other.employee.is_some_and(|id| employees.contains(&id)))
        .map(|other| &other.key.domain)
        .collect();
    if sides
        .iter()
        .any(|side| counterparts.get(side).is_some_and(|count| *count > 1))
    {
        doubts.insert(Doubt::NotUnique);
    }
    // An employee's other accounts weigh too: a link to one of them is a link to the person.
    let theirs = others
        .iter()
        .filter(|other| other.employee.is_some_and(|id| employees.contains(&id)));
    if theirs.clone().any(|other| other.privileged != Flag::No) {
        doubts.insert(Doubt::Privileged);
    }
    conclude(employees, LinkReason::Mail, doubts)
}

/// Why this account may not be linked by its mail.
fn doubt_of(party: &Party) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if !party.authoritative {
        doubts.push(Doubt::NotAuthoritative);
    }
    if party.kind == Kind::Guest {
        doubts.push(Doubt::Guest);
    }
    if party.privileged != Flag::No {
        doubts.push(Doubt::Privileged);
    }
    if !is_present(party) {
        doubts.push(Doubt::NotPresent);
    }
    doubts
}

fn is_present(party: &Party) -> bool {
    match party.presence {
        Presence::Member | Presence::RotationOnly => true,
        Presence::Left | Presence::Deleted => false,
    }
}

/// Whether one of the employees has an account in the account's own domain.
fn has_account_in(employees: &BTreeSet<EmployeeId>, others: &[&Party], account: &Party) -> bool {
    others.iter().any(|other| {
        other.key.domain == account.key.domain
            && other.employee.is_some_and(|id| employees.contains(&id))
    })
}

#[cfg(test)]
mod tests;

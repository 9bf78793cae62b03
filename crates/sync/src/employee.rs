//! What a person is, given their accounts.

use std::fmt;

use directory::{Account, AccountKey, Presence};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// A person: one or more accounts, linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmployeeId(pub Uuid);

impl fmt::Display for EmployeeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// What a domain does about people who leave it or are deleted from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemovalPolicy {
    /// Nothing: the account counts as it last was.
    Keep,
    /// The account no longer keeps the employee active.
    Deactivate,
    /// As before; and after the grace period it no longer keeps the employee's record.
    Delete { grace: SignedDuration },
}

/// What one account says of its employee's standing.
///
/// A member that can be logged on to is active; one disabled or past its own expiry is not (locked, or with an expired
/// password, it still is: its owner repairs that). For one that left or was deleted the domain's policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing speaks for keeping even the record.
    Removable,
    Inactive,
    Active,
}

/// An account of an employee, as far as the employee depends on it.
#[derive(Clone, Debug)]
pub struct Holding<'a> {
    pub key: &'a AccountKey,
    pub account: &'a Account,
    pub presence: Presence,
    /// When the presence became what it is.
    pub since: Timestamp,
    pub policy: RemovalPolicy,
    /// The domain's; the higher goes first.
    pub precedence: i32,
}

impl Holding<'_> {
    pub fn standing(&self, now: Timestamp) -> Standing {
        let usable = match self.account.state {
            state if state.disabled || state.expired => Standing::Inactive,
            _ => Standing::Active,
        };
        match (self.presence, self.policy) {
            (Presence::Member, _) | (Presence::Left | Presence::Deleted, RemovalPolicy::Keep) => {
                usable
            }
            // Known through the rotation group alone: not an employee by that, as if it had left.
            (Presence::RotationOnly, RemovalPolicy::Keep) => usable,
            (Presence::RotationOnly, _) => Standing::Inactive,
            (Presence::Left | Presence::Deleted, RemovalPolicy::Deactivate) => Standing::Inactive,
            (Presence::Left | Presence::Deleted, RemovalPolicy::Delete { grace }) => {
                if now.duration_since(self.since) >= grace {
                    Standing::Removable
                } else {
                    Standing::Inactive
                }
            }
        }
    }
}

/// An employee's standing is the best of their accounts'. Without accounts nothing is decided: inactive.
pub fn standing(holdings: &[Holding<'_>], now: Timestamp) -> Standing {
    let standings = holdings.iter().map(|holding| holding.standing(now));
    standings.max().unwrap_or(Standing::Inactive)
}

/// The account whose attributes the employee shows, whole: an active one before an inactive one, then the domain of the
/// highest precedence, then the lowest domain id (and, for links made by hand within one domain, object id).
pub fn prevailing<'a, 'b>(holdings: &'b [Holding<'a>], now: Timestamp) -> Option<&'b Holding<'a>> {
    holdings.iter().max_by(|a, b| {
        let rank = |holding: &Holding<'_>| (holding.standing(now), holding.precedence);
        rank(a).cmp(&rank(b)).then_with(|| b.key.cmp(a.key))
    })
}

#[cfg(test)]
mod tests;

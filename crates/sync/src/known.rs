//! What is known of an account, and what a read says of it.

use directory::{Account, Attribute, Flag, Presence};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

/// An account as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub account: Account,
    pub presence: Presence,
    pub in_rotation_group: bool,
    /// Counts the account's changes, from 1. Events carry it: a consumer applies only what is newer.
    pub generation: u64,
}

impl Known {
    /// Whether the account counts as being in the directory. One that is not is no longer followed until it returns.
    pub fn is_present(&self) -> bool {
        match self.presence {
            Presence::Member | Presence::RotationOnly => true,
            Presence::Left | Presence::Deleted => false,
        }
    }
}

/// Whether an object is, directly or through nested groups, in the two groups that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    pub in_sync_group: bool,
    pub in_rotation_group: bool,
}

impl Membership {
    pub fn is_any(self) -> bool {
        self.in_sync_group || self.in_rotation_group
    }
}

/// An account as a read saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub account: Account,
    pub membership: Membership,
}

/// What the directory proved about one object.
///
/// "Not seen" is not among them: absence proves nothing by itself, so an object missing from a read has to be looked
/// up by its id before it can be compared (S2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    Seen(Box<Seen>),
    /// There, but outside the configured scope.
    OutOfScope,
    /// Its tombstone was read.
    Deleted,
    /// Neither the object nor a tombstone can be found, and no group counts it as a member any more.
    Gone,
}

/// The account to store after `seen` was read, given what was known.
///
/// - An attribute that may not be read keeps its known value.
/// - A privilege, once known, is not forgotten because it can no longer be read; but an account known to be ordinary
///   becomes unknown, since whoever may not see cannot vouch.
/// - Blank is absent, and times have the precision a database keeps, so that nothing differs by form alone.
pub fn merge(known: Option<&Account>, seen: &Account) -> Account {
    let mut account = seen.clone();
    account.unreadable.sort_unstable();
    account.unreadable.dedup();
    for attribute in Attribute::ALL {
        let value = account
            .attribute(attribute)
            .filter(|value| !value.trim().is_empty());
        let value = match known {
            Some(known) if account.unreadable.contains(&attribute) => known.attribute(attribute),
            Some(_) | None => value,
        };
        let value = value.map(str::to_owned);
        account.set_attribute(attribute, value);
    }
    if let (Some(known), Flag::Unknown) = (known, account.state.privileged)
        && known.state.privileged == Flag::Yes
    {
        account.state.privileged = Flag::Yes;
    }
    account.password_last_set = account.password_last_set.map(storable);
    account.expires = account.expires.map(storable);
    account
}

/// Directories count in units of 100 ns, databases in microseconds.
fn storable(time: Timestamp) -> Timestamp {
    let rounding = TimestampRound::new()
        .smallest(Unit::Microsecond)
        .mode(RoundMode::Trunc);
    time.round(rounding).unwrap_or(time)
}

//! When a whole domain must stop (R8): what went wrong lately, and how much of it is too much.
//!
//! A breaker that has opened stays open until a person closes it: whatever opened it is not over by itself.

use std::fmt;

/// What happened in one domain lately, and how it stands. Counts are of the last 24 hours, and from the last time a person
/// closed the breaker on, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The directory refused the suite's own logon, and the PDC emulator did so too.
    pub logon_refused: bool,
    /// Of the last sends, at most [`RECENT`]: how many there were.
    pub recent_sends: u32,
    /// Of those, how many were refused or left in doubt.
    pub recent_failures: u32,
    /// Accounts the suite had no right to reset.
    pub without_right: u32,
    /// Accounts that were rotated and are locked out now.
    pub locked_out: u32,
    /// Accounts whose password somebody else changed, or whose state in the directory is ahead of what is known here.
    pub external_changes: u32,
    /// Passwords that are set and not acknowledged for over an hour.
    pub unacknowledged: u32,
    /// Accounts that may be rotated, now and at the last look.
    pub eligible: u32,
    pub eligible_before: u32,
    /// Offers one client asked for within an hour, over what it may, or a proof of it that was false.
    pub client_abuse: bool,
}

/// Sends that [`Tally::recent_sends`] looks back on.
pub const RECENT: u32 = 20;

/// Why a breaker opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breach {
    LogonRefused,
    Failures { failed: u32, of: u32 },
    NoRight { accounts: u32 },
    LockedOut { accounts: u32 },
    ExternalChanges { accounts: u32 },
    Unacknowledged { passwords: u32 },
    EligibleJumped { from: u32, to: u32 },
    ClientAbuse,
}

impl Breach {
    /// Its name, as kept in the database and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogonRefused => "LOGON_REFUSED",
            Self::Failures { .. } => "FAILURES",
            Self::NoRight { .. } => "NO_RIGHT",
            Self::LockedOut { .. } => "LOCKED_OUT",
            Self::ExternalChanges { .. } => "EXTERNAL_CHANGES",
            Self::Unacknowledged { .. } => "UNACKNOWLEDGED",
            Self::EligibleJumped { .. } => "ELIGIBLE_JUMPED",
            Self::ClientAbuse => "CLIENT_ABUSE",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogonRefused => {
                f.write_str("the directory refuses the logon that rotation works with")
            }
            Self::Failures { failed, of } => {
                write!(
                    f,
                    "{failed} of the last {of} sends were refused or are in doubt"
                )
            }
            Self::NoRight { accounts } => write!(
                f,
                "rotation has no right to reset the password of {accounts} accounts"
            ),
            Self::LockedOut { accounts } => write!(
                f,
                "{accounts} accounts that were rotated in the last 24 hours are locked out"
            ),
            Self::ExternalChanges { accounts } => write!(
                f,
                "the passwords of {accounts} accounts are not as they were left: changed by others, or the database is old"
            ),
            Self::Unacknowledged { passwords } => write!(
                f,
                "{passwords} passwords are set and no key has acknowledged them for over an hour"
            ),
            Self::EligibleJumped { from, to } => {
                write!(f, "{to} accounts are to be rotated where there were {from}")
            }
            Self::ClientAbuse => f.write_str(
                "a delivery client asks for more than it may, or proves presence falsely",
            ),
        }
    }
}

/// Whether a domain must stop, and why. The first reason that holds, the worst first.
pub fn judge(tally: &Tally) -> Option<Breach> {
    let Tally {
        logon_refused,
        recent_sends,
        recent_failures,
        without_right,
        locked_out,
        external_changes,
        unacknowledged,
        eligible,
        eligible_before,
        client_abuse,
    } = *tally;
    let share = |part: u32, whole: u32, percent: u32| {
        u64::from(part) * 100 >= u64::from(whole) * u64::from(percent)
    };
    if logon_refused {
        return Some(Breach::LogonRefused);
    }
    if client_abuse {
        return Some(Breach::ClientAbuse);
    }
    if locked_out >= 3 {
        return Some(Breach::LockedOut {
            accounts: locked_out,
        });
    }
    // Three may be three administrators; R10 says more.
    if external_changes > 3 {
        return Some(Breach::ExternalChanges {
            accounts: external_changes,
        });
    }
    if without_right >= 3 {
        return Some(Breach::NoRight {
            accounts: without_right,
        });
    }
    if recent_failures >= 5 && share(recent_failures, recent_sends, 25) {
        return Some(Breach::Failures {
            failed: recent_failures,
            of: recent_sends,
        });
    }
    if unacknowledged >= 5 && share(unacknowledged, eligible, 5) {
        return Some(Breach::Unacknowledged {
            passwords: unacknowledged,
        });
    }
    let jump = eligible.abs_diff(eligible_before);
    // The first look has nothing to compare with.
    if eligible_before > 0 && jump >= 20 && share(jump, eligible_before, 25) {
        return Some(Breach::EligibleJumped {
            from: eligible_before,
            to: eligible,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm() -> Tally {
        Tally {
            recent_sends: RECENT,
            eligible: 100,
            eligible_before: 100,
            ..Tally::default()
        }
    }

    #[test]
    fn each_rule_opens_at_its_threshold_and_not_below() {
        let calm = calm();
        let cases: [(Tally, Option<&str>); 16] = [
            (calm.clone(), None),
            (
                Tally {
                    logon_refused: true,
                    ..calm.clone()
                },
                Some("LOGON_REFUSED"),
            ),
            (
                Tally {
                    client_abuse: true,
                    ..calm.clone()
                },
                Some("CLIENT_ABUSE"),
            ),
            (
                Tally {
                    locked_out: 2,
                    ..calm.clone()
                },
                None,
            ),
            (
                Tally {
                    locked_out: 3,
                    ..calm.clone()
                },
                Some("LOCKED_OUT"),
            ),
            (
                Tally {
                    external_changes: 3,
                    ..calm.clone()
                },
                None,
            ),
            (
                Tally {
                    external_changes: 4,
                    ..calm.clone()
                },
                Some("EXTERNAL_CHANGES"),
            ),
            (
                Tally {
                    without_right: 2,
                    ..calm.clone()
                },
                None,
            ),
            (
                Tally {
                    without_right: 3,
                    ..calm.clone()
                },
                Some("NO_RIGHT"),
            ),
            (
                Tally {
                    recent_failures: 4,
                    ..calm.clone()
                },
                None,
            ),
            (
                Tally {
                    recent_failures: 5,
                    ..calm.clone()
                },
                Some("FAILURES"),
            ),
            (
                Tally {
                    unacknowledged: 4,
                    ..calm.clone()
                },
                None,
            ),
            (
                Tally {
                    unacknowledged: 5,
                    ..calm.clone()
                },
                Some("UNACKNOWLEDGED"),
            ),
            (
                Tally {
                    unacknowledged: 5,
                    eligible: 101,
                    ..calm.clone()
                },
                None,
            ),
            (
                Tally {
                    eligible: 124,
                    ..calm.clone()
                },
                None,
            ),
            (
                Tally {
                    eligible: 75,
                    ..calm
                },
                Some("ELIGIBLE_JUMPED"),
            ),
        ];
        for (tally, breach) in cases {
            assert_eq!(judge(&tally).map(Breach::name), breach, "{tally:?}");
        }
    }

    #[test]
    fn the_first_look_is_no_jump() {
        let first = Tally {
            eligible: 10_000,
            ..Tally::default()
        };
        assert_eq!(judge(&first), None);
    }
}

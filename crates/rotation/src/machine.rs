//! One rotation: a person's next password, from due to delivered.

use jiff::{SignedDuration, Timestamp};

mod step;
#[cfg(test)]
mod tests;
mod todo;

pub use step::{Effect, Event, Rejected};
pub use todo::{Todo, Trial};

/// Times and counts that bound a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// After a send was recorded, nothing is written to the socket any more.
    pub send_deadline: SignedDuration,
    /// Longer than a written request may take to be carried out.
    pub quiescence: SignedDuration,
    /// How long a state may last that ends by itself, before a person is called.
    pub patience: SignedDuration,
    /// Candidates a policy may refuse before a person is called.
    pub candidates: u32,
    /// Sends of one candidate before a person is called.
    pub sends: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            send_deadline: SignedDuration::from_secs(30),
            quiescence: SignedDuration::from_hours(1),
            patience: SignedDuration::from_hours(24),
            candidates: 3,
            sends: 8,
        }
    }
}

/// One generation of one account's password. Everything here is durable: a restart reads it and goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rotation {
    /// Counts the account's passwords, from 1.
    pub generation: u64,
    pub state: State,
    /// Which candidate this is, from 1; 0 before the first.
    pub candidate: u32,
    /// A target has stored the candidate as pending.
    pub accepted: bool,
    /// Sends of this candidate on record.
    pub sends: u32,
    /// Sends of this candidate that the directory answered with success.
    pub acked: u32,
    /// Sends of this candidate of which nobody knows what became.
    pub doubtful: u32,
    /// Candidates the policy refused.
    pub refused: u32,
    /// Attempts without progress since the state was entered: they grow the pause before the next.
    pub tries: u32,
    /// Nothing more is sent until this is over.
    pub parked: Option<Stop>,
    /// A person asked to settle what is held: the value itself is tried.
    pub settling: bool,
    /// A person took the value out by hand. It happens once.
    pub released: bool,
    /// The last send of any candidate.
    pub last_send: Option<Timestamp>,
    /// When the state was entered.
    pub since: Timestamp,
    /// When it is looked at again.
    pub wake: Timestamp,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Planned,
    Prepared,
    Sent,
    Acked,
    Unknown,
    Committed,
    Confirmed,
    Held(HeldReason),
    /// Ended well; the server's copy of the password is destroyed.
    Closed,
    /// Ended without a change that lasts.
    Aborted(AbortReason),
}

/// Why a person must decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeldReason {
    /// Several candidates were refused by the password policy.
    Policy,
    /// The policy refused a value of which an earlier send may have been applied.
    PolicyInDoubt,
    /// The suite's account has no right to reset this password.
    NoRight,
    /// The directory refused it again and again, for another reason.
    Refused,
    /// Nothing shows whether the value is live.
    Unverifiable,
    /// The directory's answers contradict one another.
    Contradiction,
    /// Somebody else changed the password meanwhile.
    ExternalChange,
    /// The account was deleted while a send was in doubt.
    Gone,
    /// Not seen on every domain controller in time.
    NotConverged,
    /// Set, and acknowledged by no target in time.
    Unacknowledged,
}

/// Why a rotation ended without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbortReason {
    /// The account may not be rotated now.
    Stopped(Stop),
    /// The account is not there.
    Gone,
    /// The policy refused the value, and nothing of ours is live.
    Policy,
    /// Somebody else set the password, and nothing of ours was sent.
    ExternalChange,
    /// A person had it settled, and nothing of ours is live.
    Settled,
}

/// What keeps an account from being rotated. It may end: the person returns, the credentials are set again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    LeftGroup,
    Disabled,
    Deleted,
    /// Protected, privileged, not a person, or rotated elsewhere.
    Ineligible,
    NoCredentials,
    RotationOff,
}

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Applied,
    /// Definitely not applied, and never will be.
    Refused(Refusal),
    Unknown,
}

/// Why a send was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    Policy,
    NoRight,
    NotFound,
    NotEligible,
    /// Nothing was written to the socket: somebody else has set the password meanwhile.
    Changed,
    /// Nothing was written to the socket: the deadline had passed, or there was no connection.
    NotSent,
    Other,
}

/// Whether the candidate is the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Match {
    Right,
    Wrong,
    /// Not tried, or the answer says nothing.
    Unverifiable,
}

/// How the password changed since the rotation read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    Unchanged,
    /// As often as we may have changed it, and there where we did.
    AsSent,
    /// By somebody else, too.
    Otherwise,
    /// The directory would not tell.
    Unknown,
}

impl Rotation {
    /// A rotation that is due.
    pub fn planned(generation: u64, now: Timestamp) -> Self {
        Self {
            generation,
            state: State::Planned,
            candidate: 0,
            accepted: false,
            sends: 0,
            acked: 0,
            doubtful: 0,
            refused: 0,
            tries: 0,
            parked: None,
            settling: false,
            released: false,
            last_send: None,
            since: now,
            wake: now,
        }
    }

    /// Whether the candidate is certainly not the password and will not become it: every send was definitely refused.
    pub fn is_unused(&self) -> bool {
        self.acked == 0 && self.doubtful == 0 && self.state != State::Sent
    }

    /// Whether no write of this rotation can arrive any more.
    pub fn is_quiet(&self, rules: &Rules, now: Timestamp) -> bool {
        self.quiet_from(rules).is_none_or(|quiet| now >= quiet)
    }

    /// The last moment to write a send, and as long as one that was written may take.
    fn quiet_from(&self, rules: &Rules) -> Option<Timestamp> {
        let written = later(self.last_send?, rules.send_deadline);
        Some(later(written, rules.quiescence))
    }

    /// Whether it has ended. One account has one rotation that has not (R3).
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Aborted(_))
    }

    /// When the account's next rotation may be prepared (R4). None while this one is not over.
    pub fn next_after(&self, rules: &Rules) -> Option<Timestamp> {
        if !self.is_over() {
            return None;
        }
        Some(match self.quiet_from(rules) {
            Some(quiet) => quiet.max(later(self.since, rules.quiescence)),
            None => self.since,
        })
    }

    /// Whether the server still has to keep the value.
    pub fn keeps_value(&self) -> bool {
        self.candidate > 0 && !self.is_over()
    }
}

pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The pause before a try, doubled by each before it.
fn backoff(tries: u32) -> SignedDuration {
    const FIRST: SignedDuration = SignedDuration::from_secs(15);
    const LONGEST: SignedDuration = SignedDuration::from_hours(1);
    FIRST
        .checked_mul(1 << tries.min(10))
        .map_or(LONGEST, |pause| pause.min(LONGEST))
}

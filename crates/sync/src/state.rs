//! The states of a run and how one follows another.

use std::fmt;

use jiff::SignedDuration;
use uuid::Uuid;

/// One sync run of one domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub Uuid);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RunState {
    /// Asked for, not started.
    Queued,
    /// Pages come in and are staged.
    Reading,
    /// What was read is compared with what is known.
    Planning,
    /// The guard stopped the plan: a person decides. Nothing of it is applied.
    Held,
    /// A person approved the plan: it is read again, and what still holds of it applied.
    Approved,
    /// Batches of changes are being applied; after a crash, the rest.
    Applying,
    /// Done: what is known equals what was seen.
    Applied,
    /// Done: there was no difference.
    NothingToDo,
    /// Done: the plan was only to be shown.
    DryRun,
    /// Ended by an error. What the run had not begun to apply is unchanged.
    Failed,
    /// A person refused the plan.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// Another plan took its place: a newer one before anybody decided, or an older one of the same changes that waits
    /// for a decision already.
    Superseded,
}

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunEvent {
    /// Reading begins, or begins again after an interruption.
    Read,
    /// The read is complete.
    Plan,
    Hold,
    Approve,
    Reject,
    Expire,
    Supersede,
    /// The first batch may be applied.
    Apply,
    /// The last batch is applied.
    Finish,
    FindNothing,
    Show,
    Fail,
}

impl RunState {
    pub const ALL: [Self; 13] = [
        Self::Queued,
        Self::Reading,
        Self::Planning,
        Self::Held,
        Self::Approved,
        Self::Applying,
        Self::Applied,
        Self::NothingToDo,
        Self::DryRun,
        Self::Failed,
        Self::Rejected,
        Self::Expired,
        Self::Superseded,
    ];

    /// How long a held plan waits for a decision.
    pub const HELD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// The state after `event`; `None` when the event cannot happen in this state.
    pub fn after(self, event: RunEvent) -> Option<Self> {
        use RunEvent as E;
        Some(match (self, event) {
            (Self::Queued | Self::Reading | Self::Planning, E::Read) => Self::Reading,
            (Self::Reading, E::Plan) => Self::Planning,
            (Self::Planning, E::Hold) => Self::Held,
            (Self::Planning, E::Show) => Self::DryRun,
            (Self::Planning | Self::Approved, E::Apply) => Self::Applying,
            (Self::Planning | Self::Approved, E::FindNothing) => Self::NothingToDo,
            (Self::Applying, E::Finish) => Self::Applied,
            (Self::Held, E::Approve) => Self::Approved,
            (Self::Held, E::Reject) => Self::Rejected,
            (Self::Held | Self::Approved, E::Expire) => Self::Expired,
            (Self::Planning | Self::Held, E::Supersede) => Self::Superseded,
            (
                Self::Queued | Self::Reading | Self::Planning | Self::Approved | Self::Applying,
                E::Fail,
            ) => Self::Failed,
            (
                Self::Queued
                | Self::Reading
                | Self::Planning
                | Self::Held
                | Self::Approved
                | Self::Applying
                | Self::Applied
                | Self::NothingToDo
                | Self::DryRun
                | Self::Failed
                | Self::Rejected
                | Self::Expired
                | Self::Superseded,
                E::Read
                | E::Plan
                | E::Hold
                | E::Approve
                | E::Reject
                | E::Expire
                | E::Supersede
                | E::Apply
                | E::Finish
                | E::FindNothing
                | E::Show
                | E::Fail,
            ) => return None,
        })
    }

    /// Whether nothing can happen to the run any more.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued
            | Self::Reading
            | Self::Planning
            | Self::Held
            | Self::Approved
            | Self::Applying => false,
            Self::Applied
            | Self::NothingToDo
            | Self::DryRun
            | Self::Failed
            | Self::Rejected
            | Self::Expired
            | Self::Superseded => true,
        }
    }

    /// Whether there is work to do, now or after a restart: [`crate::execute`] does it.
    pub fn is_runnable(self) -> bool {
        !self.is_final() && self != Self::Held
    }

    /// Stable: stored, and part of the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Reading => "READING",
            Self::Planning => "PLANNING",
            Self::Held => "HELD",
            Self::Approved => "APPROVED",
            Self::Applying => "APPLYING",
            Self::Applied => "APPLIED",
            Self::NothingToDo => "NOTHING_TO_DO",
            Self::DryRun => "DRY_RUN",
            Self::Failed => "FAILED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Superseded => "SUPERSEDED",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

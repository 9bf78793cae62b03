//! What a rotation waits for, or has to have done: derived from its state, so that a restart knows it too.

use jiff::Timestamp;

use super::{HeldReason, Rotation, Rules, State};

/// The next thing to do for a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Todo {
    /// Make a candidate, once one of the person's targets is there.
    Prepare,
    /// Offer the candidate to the targets, and wait for one that is there to accept it.
    Offer,
    /// Record a send, then make it, while the target that accepted is there.
    Send,
    /// A send is under way until this moment; after it, [`super::Event::Abandoned`].
    AwaitAnswer { until: Timestamp },
    /// Ask the directory what it shows of the candidate.
    Verify(Trial),
    /// Ask whether every domain controller shows the value.
    AskConvergence,
    /// Wait for a target to acknowledge.
    AwaitAcknowledgement,
    /// Wait for a person.
    AwaitDecision,
    /// Wait for what stopped it to end.
    AwaitReturn,
    /// Nothing: it has ended.
    Nothing,
}

/// Whether the value itself is tried, which costs a wrong attempt if it is not the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trial {
    /// The directory's record alone.
    Never,
    /// Where the record fits our sends, or cannot be read.
    WhereItMayFit,
    Always,
}

impl Rotation {
    /// The next thing to do, which is due from `wake` on.
    pub fn todo(&self, rules: &Rules) -> Todo {
        let stopped = self.parked.is_some();
        match self.state {
            State::Planned | State::Prepared if stopped => Todo::AwaitReturn,
            State::Planned => Todo::Prepare,
            State::Prepared if self.accepted => Todo::Send,
            State::Prepared => Todo::Offer,
            State::Sent => Todo::AwaitAnswer {
                until: self
                    .last_send
                    .map_or(self.since, |sent| super::later(sent, rules.send_deadline)),
            },
            State::Acked => Todo::Verify(Trial::Never),
            State::Unknown if self.settling => Todo::Verify(Trial::Always),
            State::Unknown | State::Held(HeldReason::PolicyInDoubt) => {
                Todo::Verify(Trial::WhereItMayFit)
            }
            State::Committed | State::Held(HeldReason::NotConverged) => Todo::AskConvergence,
            State::Confirmed | State::Held(HeldReason::Unacknowledged) => {
                Todo::AwaitAcknowledgement
            }
            State::Held(_) => Todo::AwaitDecision,
            State::Closed | State::Aborted(_) => Todo::Nothing,
        }
    }
}

//! `(state, event, now) -> (state, effects)`.

use jiff::Timestamp;

use super::{
    AbortReason, Answer, Change, HeldReason, Match, Refusal, Rotation, Rules, State, Stop, backoff,
    later,
};

/// What happened to a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A candidate's ciphertext is committed with this step, sealed to every target.
    Prepared,
    /// A present target has stored this candidate as pending.
    Accepted { candidate: u32 },
    /// The policy moved, or a candidate that was never sent is too old.
    Outdated,
    /// Before anything was sent, the directory showed a password that is not as it was left.
    Overtaken,
    /// A send is recorded with this step, and made after it is committed.
    Send,
    /// The outcome of the send on record.
    Answered(Answer),
    /// Whoever made the send is no more, or was too slow: its outcome will not be known.
    Abandoned,
    /// What the pinned server showed of the candidate, when it was asked.
    Verified {
        matched: Match,
        change: Change,
        /// Every other server that the candidate was sent to was asked, and it is the password on none of them.
        nowhere_else: bool,
        /// Before the question went out: what was carried out later it does not show.
        asked: Timestamp,
    },
    /// Every domain controller that counts shows the value.
    Converged,
    /// A target has promoted this generation's value to current.
    Acknowledged,
    /// Nothing may be sent until [`Event::Resume`].
    Stop(Stop),
    /// What stopped it is over, or a person wants what is held to be tried again.
    Resume,
    /// A person took the value out by hand, once.
    Release,
    /// The time to look again has come.
    Tick,
}

/// What has to happen with a step, in its transaction; what then reaches others comes from the outbox and the targets'
/// streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Targets forget this candidate: it was never live.
    Withdraw { candidate: u32 },
    /// The value is the account's password: the former one becomes the previous.
    Promote,
    /// Targets make the value current.
    Confirm,
    /// The server's copy of the value is destroyed.
    Destroy,
    /// A person is called.
    Alarm(HeldReason),
    /// Somebody else changed the password.
    TellExternalChange,
    /// It is due, and no target came for long.
    TellOverdue,
}

/// An event that this state does not take. It changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("a rotation that is {state:?} takes no {event:?}")]
    OutOfPlace { state: State, event: Event },
    #[error("candidate {given} is not candidate {current}, which is at work")]
    OtherCandidate { given: u32, current: u32 },
    #[error("no target has accepted the candidate")]
    NotAccepted,
    #[error("nothing is sent while the rotation is parked")]
    Parked,
    #[error("a write may still arrive until {until}")]
    NotQuiet { until: Timestamp },
}

/// A step: where the rotation is now, and what has to happen with it.
type Stepped = Result<(Rotation, Vec<Effect>), Rejected>;

impl Rotation {
    /// Takes an event.
    ///
    /// # Errors
    ///
    /// An event that the state does not take changes nothing: it is late, or came twice.
    pub fn step(&self, event: Event, now: Timestamp, rules: &Rules) -> Stepped {
        let step = Step {
            next: self.clone(),
            effects: Vec::new(),
            now,
            rules,
        };
        match event {
            Event::Prepared => step.prepared(),
            Event::Accepted { candidate } => step.accepted(candidate),
            Event::Outdated => step.outdated(),
            Event::Overtaken => step.overtaken(),
            Event::Send => step.send(),
            Event::Answered(answer) => step.answered(answer),
            Event::Abandoned => step.abandoned(),
            Event::Verified {
                matched,
                change,
                nowhere_else,
                asked,
            } => {
                // Not to become live any more: nothing can arrive, here or from elsewhere.
                let is_final = nowhere_else && step.next.is_quiet(rules, asked);
                step.verified(event, (matched, change), nowhere_else, is_final)
            }
            Event::Converged => step.converged(),
            Event::Acknowledged => step.acknowledged(),
            Event::Stop(stop) => step.stop(stop),
            Event::Resume => step.resume(),
            Event::Release => step.release(),
            Event::Tick => step.tick(),
        }
    }
}

struct Step<'a> {
    next: Rotation,
    effects: Vec<Effect>,
    now: Timestamp,
    rules: &'a Rules,
}

impl Step<'_> {
    fn out_of_place(&self, event: Event) -> Rejected {
        Rejected::OutOfPlace {
            state: self.next.state,
            event,
        }
    }

    /// Enters a state, to be looked at when its patience ends.
    fn enter(mut self, state: State) -> Self {
        self.next.state = state;
        self.next.since = self.now;
        self.next.tries = 0;
        self.next.wake = later(self.now, self.rules.patience);
        self
    }

    /// Enters a state whose work is to be done now.
    fn enter_at_once(self, state: State) -> Self {
        let mut step = self.enter(state);
        step.next.wake = step.now;
        step
    }

    /// Stays, and is looked at again after a pause that grows.
    fn again(mut self) -> Self {
        self.next.wake = later(self.now, backoff(self.next.tries));
        self.next.tries = self.next.tries.saturating_add(1);
        self
    }

    fn with(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    fn hold(self, reason: HeldReason) -> Self {
        let step = match reason {
            HeldReason::ExternalChange => self.with(Effect::TellExternalChange),
            HeldReason::Policy
            | HeldReason::PolicyInDoubt
            | HeldReason::NoRight
            | HeldReason::Refused
            | HeldReason::Unverifiable
            | HeldReason::Contradiction
            | HeldReason::Gone
            | HeldReason::NotConverged
            | HeldReason::Unacknowledged => self,
        };
        step.with(Effect::Alarm(reason)).enter(State::Held(reason))
    }

    fn abort(self, reason: AbortReason) -> Self {
        self.forget().enter(State::Aborted(reason))
    }

    /// Forgets a candidate that is certainly not live.
    fn forget(mut self) -> Self {
        if self.next.candidate > 0 {
            let candidate = self.next.candidate;
            self = self
                .with(Effect::Withdraw { candidate })
                .with(Effect::Destroy);
        }
        self.next.accepted = false;
        self.next.sends = 0;
        self.next.acked = 0;
        self.next.doubtful = 0;
        self.next.settling = false;
        self
    }

    fn done(self) -> Stepped {
        Ok((self.next, self.effects))
    }

    fn prepared(mut self) -> Stepped {
        if self.next.state != State::Planned {
            return Err(self.out_of_place(Event::Prepared));
        }
        if self.next.parked.is_some() {
            return Err(Rejected::Parked);
        }
        self.next.candidate += 1;
        self.enter(State::Prepared).done()
    }

    fn accepted(mut self, candidate: u32) -> Stepped {
        let current = self.next.candidate;
        if candidate != current {
            return Err(Rejected::OtherCandidate {
                given: candidate,
                current,
            });
        }
        match self.next.state {
            State::Prepared => {
                self.next.accepted = true;
                self.next.wake = self.now;
                self.done()
            }
            // One that comes while the value is on its way stores it too; nothing depends on it.
            State::Sent
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Confirmed
            | State::Held(_) => self.done(),
            State::Planned | State::Closed | State::Aborted(_) => {
                Err(self.out_of_place(Event::Accepted { candidate }))
            }
        }
    }

    fn outdated(self) -> Stepped {
        if self.next.state != State::Prepared || !self.next.is_unused() {
            return Err(self.out_of_place(Event::Outdated));
        }
        self.forget().enter_at_once(State::Planned).done()
    }

    fn overtaken(self) -> Stepped {
        match self.next.state {
            State::Planned | State::Prepared if self.next.is_unused() => self
                .with(Effect::TellExternalChange)
                .abort(AbortReason::ExternalChange)
                .done(),
            State::Planned
            | State::Prepared
            | State::Sent
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Confirmed
            | State::Held(_)
            | State::Closed
            | State::Aborted(_) => Err(self.out_of_place(Event::Overtaken)),
        }
    }

    fn send(mut self) -> Stepped {
        if self.next.state != State::Prepared {
            return Err(self.out_of_place(Event::Send));
        }
        if self.next.parked.is_some() {
            return Err(Rejected::Parked);
        }
        if !self.next.accepted {
            return Err(Rejected::NotAccepted);
        }
        self.next.sends += 1;
        self.next.last_send = Some(self.now);
        let mut step = self.enter(State::Sent);
        step.next.wake = later(step.now, step.rules.send_deadline);
        step.done()
    }

    fn answered(mut self, answer: Answer) -> Stepped {
        if self.next.state != State::Sent {
            return Err(self.out_of_place(Event::Answered(answer)));
        }
        match answer {
            Answer::Applied => {
                self.next.acked += 1;
                self.enter_at_once(State::Acked).done()
            }
            Answer::Unknown => self.doubt().done(),
            Answer::Refused(refusal) => self.refused(refusal).done(),
        }
    }

    fn abandoned(self) -> Stepped {
        if self.next.state != State::Sent {
            return Err(self.out_of_place(Event::Abandoned));
        }
        self.doubt().done()
    }

    /// The value may be live, and may become so yet. Looked at once nothing more is written to a socket.
    fn doubt(mut self) -> Self {
        self.next.doubtful += 1;
        let sent = self.next.last_send.unwrap_or(self.now);
        let until = later(sent, self.rules.send_deadline).max(self.now);
        let mut step = self.enter(State::Unknown);
        step.next.wake = until;
        step
    }

    fn refused(mut self, refusal: Refusal) -> Self {
        // The send on record is the one that was refused: what counts is whether another was not.
        let unused = self.next.acked == 0 && self.next.doubtful == 0;
        let retry = |step: Self| {
            let tries = step.next.sends;
            let mut step = step.enter(State::Prepared);
            step.next.tries = tries;
            step.again()
        };
        match (refusal, unused) {
            (Refusal::Policy, true) => {
                self.next.refused += 1;
                let step = self.forget();
                if step.next.refused >= step.rules.candidates {
                    step.hold(HeldReason::Policy)
                } else {
                    step.enter_at_once(State::Planned)
                }
            }
            (Refusal::Policy, false) => self.hold(HeldReason::PolicyInDoubt).again(),
            (Refusal::NoRight, true) => self.forget().hold(HeldReason::NoRight),
            (Refusal::NotFound, true) => self.abort(AbortReason::Gone),
            (Refusal::NotFound, false) => self.hold(HeldReason::Gone),
            (Refusal::NotEligible, true) => self.abort(AbortReason::Stopped(Stop::Ineligible)),
            (Refusal::Changed, true) => self
                .with(Effect::TellExternalChange)
                .abort(AbortReason::ExternalChange),
            // Ours or somebody else's: the record tells.
            (Refusal::Changed, false) => self.enter_at_once(State::Unknown),
            (Refusal::NoRight | Refusal::NotEligible, false) => {
                // What an earlier send did is to be found out; nothing more is sent meanwhile.
                self.next.parked = Some(Stop::Ineligible);
                self.enter_at_once(State::Unknown)
            }
            (Refusal::Other | Refusal::NotSent, _) if self.next.sends < self.rules.sends => {
                retry(self)
            }
            (Refusal::Other | Refusal::NotSent, true) => self.forget().hold(HeldReason::Refused),
            (Refusal::Other | Refusal::NotSent, false) => self.hold(HeldReason::Unverifiable),
        }
    }

    fn verified(
        self,
        event: Event,
        (matched, change): (Match, Change),
        nowhere_else: bool,
        is_final: bool,
    ) -> Stepped {
        match self.next.state {
            State::Acked => self.after_success(change).done(),
            State::Unknown if self.next.settling => self.settled(matched, change, is_final).done(),
            State::Unknown => self
                .after_doubt(matched, change, nowhere_else, is_final)
                .done(),
            State::Held(HeldReason::PolicyInDoubt) => self
                .after_doubtful_refusal(matched, change, is_final)
                .done(),
            // Overtaken by another before every controller had it.
            State::Committed | State::Held(HeldReason::NotConverged)
                if matches!(change, Change::Otherwise | Change::Unchanged) =>
            {
                self.hold(HeldReason::ExternalChange).done()
            }
            State::Planned
            | State::Prepared
            | State::Sent
            | State::Committed
            | State::Confirmed
            | State::Held(_)
            | State::Closed
            | State::Aborted(_) => Err(self.out_of_place(event)),
        }
    }

    fn commit(mut self) -> Self {
        self.next.settling = false;
        self.with(Effect::Promote).enter_at_once(State::Committed)
    }

    /// The directory said success: its own record has to say the same.
    fn after_success(self, change: Change) -> Self {
        match change {
            Change::AsSent => self.commit(),
            Change::Otherwise => self.hold(HeldReason::ExternalChange),
            // To be settled by trying the value.
            Change::Unchanged | Change::Unknown => self.enter_at_once(State::Unknown),
        }
    }

    fn after_doubt(
        self,
        matched: Match,
        change: Change,
        nowhere_else: bool,
        is_final: bool,
    ) -> Self {
        let was_acked = self.next.acked > 0;
        match (matched, change) {
            // On its way here from another server.
            (Match::Wrong, Change::AsSent | Change::Unchanged) if !nowhere_else => self.again(),
            // A former password binds for an hour: right proves nothing beside a foreign change.
            (_, Change::Otherwise) | (Match::Wrong, Change::AsSent) => {
                self.hold(HeldReason::ExternalChange)
            }
            (Match::Right | Match::Unverifiable, Change::AsSent)
            | (Match::Right, Change::Unknown) => self.commit(),
            (Match::Right, Change::Unchanged) => self.hold(HeldReason::Contradiction),
            (Match::Wrong | Match::Unverifiable, Change::Unchanged) if was_acked => {
                self.hold(HeldReason::Contradiction)
            }
            (Match::Wrong, Change::Unknown) if was_acked => self.hold(HeldReason::ExternalChange),
            (Match::Wrong | Match::Unverifiable, Change::Unchanged)
            | (Match::Wrong, Change::Unknown) => self.not_live(is_final),
            (Match::Unverifiable, Change::Unknown) => self.again(),
        }
    }

    /// Not live now: the same value may be sent again.
    fn not_live(self, is_final: bool) -> Self {
        if let Some(stop) = self.next.parked {
            return self.not_live_while_parked(AbortReason::Stopped(stop), is_final);
        }
        if self.next.sends >= self.rules.sends {
            return self.hold(HeldReason::Unverifiable);
        }
        let tries = self.next.sends;
        let mut step = self.enter(State::Prepared);
        step.next.tries = tries;
        step.again()
    }

    /// Not live, and no more to be sent: over once that is final.
    fn not_live_while_parked(self, reason: AbortReason, is_final: bool) -> Self {
        if is_final {
            self.abort(reason)
        } else {
            self.again()
        }
    }

    fn after_doubtful_refusal(self, matched: Match, change: Change, is_final: bool) -> Self {
        match (matched, change) {
            (_, Change::Otherwise) | (Match::Wrong, Change::AsSent) => {
                self.hold(HeldReason::ExternalChange)
            }
            (Match::Right | Match::Unverifiable, Change::AsSent)
            | (Match::Right, Change::Unknown) => self.commit(),
            (Match::Wrong | Match::Unverifiable, Change::Unchanged) => {
                self.not_live_while_parked(AbortReason::Policy, is_final)
            }
            (Match::Right, Change::Unchanged)
            | (Match::Wrong | Match::Unverifiable, Change::Unknown) => self.again(),
        }
    }

    /// A person wants an end: the value itself was tried.
    fn settled(mut self, matched: Match, change: Change, is_final: bool) -> Self {
        // Longer than a former password still binds.
        let aged = self
            .next
            .last_send
            .is_none_or(|sent| self.now >= later(sent, self.rules.patience));
        match matched {
            Match::Wrong if is_final => self.abort(AbortReason::Settled),
            Match::Right if change == Change::AsSent || aged && change != Change::Unchanged => {
                self.commit()
            }
            Match::Right | Match::Wrong | Match::Unverifiable => {
                self.next.settling = false;
                self.enter(State::Held(HeldReason::ExternalChange))
            }
        }
    }

    fn converged(self) -> Stepped {
        if !matches!(
            self.next.state,
            State::Committed | State::Held(HeldReason::NotConverged)
        ) {
            return Err(self.out_of_place(Event::Converged));
        }
        self.with(Effect::Confirm).enter(State::Confirmed).done()
    }

    fn acknowledged(self) -> Stepped {
        if !matches!(
            self.next.state,
            State::Confirmed | State::Held(HeldReason::Unacknowledged)
        ) {
            return Err(self.out_of_place(Event::Acknowledged));
        }
        self.with(Effect::Destroy).enter(State::Closed).done()
    }

    fn stop(mut self, stop: Stop) -> Stepped {
        match self.next.state {
            State::Planned | State::Prepared if self.next.is_unused() => {
                self.abort(AbortReason::Stopped(stop)).done()
            }
            // Back to where it is found out what the sends did.
            State::Prepared => {
                self.next.parked = Some(stop);
                self.enter_at_once(State::Unknown).done()
            }
            State::Held(HeldReason::Policy | HeldReason::NoRight | HeldReason::Refused) => {
                self.abort(AbortReason::Stopped(stop)).done()
            }
            State::Planned
            | State::Sent
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Confirmed
            | State::Held(_) => {
                self.next.parked = Some(stop);
                self.done()
            }
            State::Closed | State::Aborted(_) => Err(self.out_of_place(Event::Stop(stop))),
        }
    }

    fn resume(mut self) -> Stepped {
        let was_parked = self.next.parked.take().is_some();
        match self.next.state {
            State::Held(HeldReason::Policy | HeldReason::NoRight | HeldReason::Refused) => {
                self.next.refused = 0;
                self.enter_at_once(State::Planned).done()
            }
            State::Held(
                HeldReason::ExternalChange | HeldReason::Gone | HeldReason::PolicyInDoubt,
            ) => {
                if let Some(quiet) = self.next.quiet_from(self.rules)
                    && self.now < quiet
                {
                    return Err(Rejected::NotQuiet { until: quiet });
                }
                self.next.settling = true;
                self.enter_at_once(State::Unknown).done()
            }
            State::Held(HeldReason::Unverifiable | HeldReason::Contradiction) => {
                self.enter_at_once(State::Unknown).done()
            }
            State::Held(HeldReason::NotConverged) => self.enter_at_once(State::Committed).done(),
            State::Held(HeldReason::Unacknowledged) => {
                self.with(Effect::Confirm).enter(State::Confirmed).done()
            }
            State::Planned
            | State::Prepared
            | State::Sent
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Confirmed
                if was_parked =>
            {
                self.next.wake = self.now;
                self.done()
            }
            State::Planned
            | State::Prepared
            | State::Sent
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Confirmed
            | State::Closed
            | State::Aborted(_) => Err(self.out_of_place(Event::Resume)),
        }
    }

    /// The value leaves by a person's hand. One that is proven is theirs from here on; one that is not stays here too.
    fn release(mut self) -> Stepped {
        if self.next.released {
            return Err(self.out_of_place(Event::Release));
        }
        match self.next.state {
            State::Committed
            | State::Confirmed
            | State::Held(HeldReason::NotConverged | HeldReason::Unacknowledged) => {
                self.next.released = true;
                self.with(Effect::Destroy).enter(State::Closed).done()
            }
            State::Held(_) if !self.next.is_unused() => {
                self.next.released = true;
                self.done()
            }
            State::Planned
            | State::Prepared
            | State::Sent
            | State::Acked
            | State::Unknown
            | State::Held(_)
            | State::Closed
            | State::Aborted(_) => Err(self.out_of_place(Event::Release)),
        }
    }

    fn tick(self) -> Stepped {
        let patience = later(self.next.since, self.rules.patience);
        let expired = self.now >= patience;
        match self.next.state {
            _ if self.now < self.next.wake => Err(self.out_of_place(Event::Tick)),
            State::Planned if expired => {
                let mut step = self.with(Effect::TellOverdue);
                step.next.wake = later(step.now, step.rules.patience);
                step.done()
            }
            State::Prepared if expired && self.next.is_unused() && !self.next.accepted => {
                self.outdated()
            }
            State::Sent => self.abandoned(),
            State::Unknown if expired => self.hold(HeldReason::Unverifiable).done(),
            State::Committed if expired => self.hold(HeldReason::NotConverged).done(),
            State::Confirmed if expired => self.hold(HeldReason::Unacknowledged).done(),
            State::Held(reason) if expired => {
                // Nobody has decided: called again.
                let mut step = self.with(Effect::Alarm(reason));
                step.next.wake = later(step.now, step.rules.patience);
                step.done()
            }
            State::Planned
            | State::Prepared
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Confirmed
            | State::Held(_) => self.again().done(),
            State::Closed | State::Aborted(_) => Err(self.out_of_place(Event::Tick)),
        }
    }
}

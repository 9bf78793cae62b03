//! The world around one account: two domain controllers, two workers, two targets, the network between them.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use rotation::{Answer, Change, Match, Rotation, State};

/// A password: by whom and which. The one before everything is 0.
pub(crate) type Value = u8;

pub(crate) const FIRST: Value = 0;
/// Set by an administrator.
pub(crate) const FOREIGN: Value = u8::MAX;

pub(crate) fn value(generation: u64, candidate: u32) -> Value {
    u8::try_from(generation * 16 + u64::from(candidate)).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Controller {
    pub(crate) value: Value,
    pub(crate) version: u8,
    /// The order of writes: at equal versions the later one wins.
    pub(crate) stamp: u8,
    pub(crate) origin: u8,
}

/// A request that was written to a socket: carried out, or not, at any time until it is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Flight {
    pub(crate) value: Value,
    pub(crate) controller: u8,
    /// Seconds since it was written.
    pub(crate) age: i64,
    /// Who waits for the answer.
    pub(crate) waits: Option<u8>,
}

/// What a worker is in the middle of. Between two of these it can be stopped, killed, or overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    Idle,
    /// A send is committed, and nothing is written yet.
    AboutToSend {
        value: Value,
        controller: u8,
        /// Seconds left to write.
        left: i64,
    },
    AwaitsAnswer,
    HasAnswer(Answer),
    HasVerified {
        matched: Match,
        change: Change,
        nowhere_else: bool,
        asked: Timestamp,
    },
    HasConverged,
}

impl Task {
    /// What may still be written.
    pub(crate) fn sends(self) -> Option<Value> {
        match self {
            Self::AboutToSend { value, left, .. } if left >= 0 => Some(value),
            Self::Idle
            | Self::AboutToSend { .. }
            | Self::AwaitsAnswer
            | Self::HasAnswer(_)
            | Self::HasVerified { .. }
            | Self::HasConverged => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) fence: u8,
    pub(crate) task: Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Honesty {
    Honest,
    /// Says it has stored what it has not.
    Lies,
    /// Lost with all it held.
    Lost,
}

/// What a message tells a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    Offer(Value),
    Confirm(Value),
    Withdraw(Value),
}

/// A target's store, as `docs/delivery.md` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) honesty: Honesty,
    pub(crate) current: Value,
    pub(crate) pending: Option<Value>,
    /// The newest offer it ever saw: older ones are ignored.
    pub(crate) newest: Value,
    /// Something that was sent to it and has not arrived.
    pub(crate) delayed: Option<Message>,
}

impl Target {
    /// Takes a message, and returns whether it says that it has stored the value.
    pub(crate) fn take(&mut self, message: Message) -> bool {
        match self.honesty {
            Honesty::Lost => return false,
            Honesty::Lies => return !matches!(message, Message::Withdraw(_)),
            Honesty::Honest => {}
        }
        match message {
            Message::Offer(value) if value >= self.newest => {
                self.newest = value;
                if self.current != value {
                    self.pending = Some(value);
                }
                true
            }
            Message::Confirm(value) if value >= self.newest => {
                self.newest = value;
                self.current = value;
                self.pending = None;
                true
            }
            Message::Withdraw(value) => {
                if self.pending == Some(value) {
                    self.pending = None;
                }
                false
            }
            Message::Offer(_) | Message::Confirm(_) => false,
        }
    }

    /// Whether a logon by the store's rule succeeds: current, then pending.
    pub(crate) fn logs_on_with(&self, value: Value) -> bool {
        self.honesty == Honesty::Honest && (self.current == value || self.pending == Some(value))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    // The database.
    pub(crate) rotation: Rotation,
    pub(crate) fence: u8,
    pub(crate) holder: u8,
    /// The server has the candidate's ciphertext.
    pub(crate) keeps: bool,
    /// The password's version that the rotation read.
    pub(crate) base: u8,
    pub(crate) pinned: u8,
    /// A bit for each controller the candidate was sent to.
    pub(crate) sent_to: u8,
    /// A candidate that targets have to forget.
    pub(crate) withdrawn: Option<Value>,

    pub(crate) workers: [Worker; 2],
    pub(crate) controllers: [Controller; 2],
    pub(crate) flights: Vec<Flight>,
    pub(crate) targets: [Target; 2],

    /// An administrator has set the password: who logs on with what is theirs from then on.
    pub(crate) foreign: bool,
    pub(crate) faults: u8,
}

/// The steps in which time passes: past a send's deadline, past all that is quiet afterwards, past all patience.
pub(crate) const STEPS: [SignedDuration; 3] = [
    SignedDuration::from_secs(31),
    SignedDuration::from_secs(3_700),
    SignedDuration::from_secs(86_500),
];

/// An age, as far as any rule can tell it from another.
fn floor(age: SignedDuration) -> SignedDuration {
    STEPS
        .into_iter()
        .rev()
        .find(|step| age >= *step)
        .unwrap_or(SignedDuration::ZERO)
}

/// A wait, in the step that ends it.
fn ceiling(wait: SignedDuration) -> SignedDuration {
    match wait.is_positive() {
        false => SignedDuration::ZERO,
        true => STEPS
            .into_iter()
            .find(|step| wait <= *step)
            .unwrap_or(STEPS[2]),
    }
}

/// All times are kept relative to this one: a world that only grew older is the same world.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_000_000_000, 0);
/// Older than anything a rule looks at.
const AGES: SignedDuration = SignedDuration::from_hours(25);

impl World {
    pub(crate) fn new(targets: [Honesty; 2]) -> Self {
        let controller = |origin| Controller {
            value: FIRST,
            version: 0,
            stamp: 0,
            origin,
        };
        Self {
            rotation: Rotation::planned(1, NOW),
            fence: 0,
            holder: 0,
            keeps: false,
            base: 0,
            pinned: 0,
            sent_to: 0,
            withdrawn: None,
            workers: [Worker {
                fence: 0,
                task: Task::Idle,
            }; 2],
            controllers: [
                controller(0),
                Controller {
                    origin: 0,
                    ..controller(0)
                },
            ],
            flights: Vec::new(),
            targets: targets.map(|honesty| Target {
                honesty,
                current: FIRST,
                pending: None,
                newest: FIRST,
                delayed: None,
            }),
            foreign: false,
            faults: 0,
        }
    }

    pub(crate) fn candidate(&self) -> Value {
        value(self.rotation.generation, self.rotation.candidate)
    }

    /// Lets time pass. Requests that were written are dead once they are older than `dead`.
    pub(crate) fn age(&mut self, by: SignedDuration, dead: SignedDuration) {
        let back = |time: &mut Timestamp| {
            *time = (*time - by).max(NOW - AGES);
        };
        back(&mut self.rotation.since);
        back(&mut self.rotation.wake);
        if let Some(sent) = &mut self.rotation.last_send {
            back(sent);
        }
        for flight in &mut self.flights {
            flight.age += by.as_secs();
        }
        for worker in &mut self.workers {
            match &mut worker.task {
                Task::AboutToSend { left, .. } => *left = (*left - by.as_secs()).max(-1),
                Task::HasVerified { asked, .. } => back(asked),
                Task::Idle | Task::AwaitsAnswer | Task::HasAnswer(_) | Task::HasConverged => {}
            }
        }
        let dead = dead.as_secs();
        for index in 0..self.flights.len() {
            let flight = self.flights[index];
            if flight.age > dead
                && let Some(waits) = flight.waits
            {
                self.workers[usize::from(waits)].task = Task::HasAnswer(Answer::Unknown);
            }
        }
        self.flights.retain(|flight| flight.age <= dead);
    }

    /// The same for everything that does not matter, so that worlds that go the same ways are equal.
    pub(crate) fn normalise(&mut self) {
        self.normalise_workers();
        self.normalise_rotation();
        self.normalise_times();
        for target in &mut self.targets {
            // What the server tells now is never older than what was seen.
            if target.delayed.is_none() {
                target.newest = FIRST;
            }
        }
        if let Some(value) = self.withdrawn
            && !self
                .targets
                .iter()
                .any(|target| target.pending == Some(value))
        {
            self.withdrawn = None;
        }
        let [first, second] = &mut self.controllers;
        let (one, two) = (first.stamp, second.stamp);
        first.stamp = u8::from(one > two);
        second.stamp = u8::from(two > one);
        let least = first.version.min(second.version).min(self.base);
        first.version -= least;
        second.version -= least;
        self.base -= least;
        self.flights.sort_unstable();
    }

    /// Workers are alike: the one with the lease is the first. What the other is in the middle of comes to nothing, but for
    /// a send, which nobody asks for the lease again.
    fn normalise_workers(&mut self) {
        if self.holder == 1 {
            self.holder = 0;
            self.workers.swap(0, 1);
            for flight in &mut self.flights {
                flight.waits = flight.waits.map(|index| 1 - index);
            }
        }
        self.fence = 1;
        let [first, second] = &mut self.workers;
        first.fence = 1;
        second.fence = 0;
        if second.task.sends().is_none() {
            second.task = Task::Idle;
            for flight in &mut self.flights {
                flight.waits = flight.waits.filter(|index| *index == 0);
            }
        }
    }

    fn normalise_rotation(&mut self) {
        let rotation = &mut self.rotation;
        rotation.tries = 0;
        // Each but the first takes a fault: there are fewer than the rules allow.
        rotation.sends = rotation.sends.min(1);
        if rotation.is_over() {
            rotation.parked = None;
            self.base = u8::MAX;
        }
        if rotation.is_over() || rotation.state == State::Planned {
            self.pinned = 0;
            self.sent_to = 0;
            self.base = u8::MAX;
        }
    }

    fn normalise_times(&mut self) {
        let rotation = &mut self.rotation;
        let age = |time: Timestamp| NOW - floor(NOW.duration_since(time));
        rotation.since = age(rotation.since);
        rotation.last_send = rotation.last_send.map(age);
        rotation.wake = NOW + ceiling(rotation.wake.duration_since(NOW));
        match rotation.state {
            // Only whether all is quiet counts any more.
            State::Closed | State::Aborted(_) => {
                let quiet = NOW - STEPS[1];
                rotation.since = rotation.since.max(quiet);
                rotation.last_send = rotation.last_send.map(|sent| sent.max(quiet));
                rotation.wake = NOW;
            }
            State::Held(_) => {
                rotation.since = NOW;
                rotation.wake = NOW;
            }
            State::Planned
            | State::Prepared
            | State::Sent
            | State::Acked
            | State::Unknown
            | State::Committed
            | State::Confirmed => {}
        }
        for worker in &mut self.workers {
            if let Task::HasVerified { asked, .. } = &mut worker.task {
                *asked = age(*asked);
            }
        }
        for flight in &mut self.flights {
            flight.age = 0;
        }
    }

    pub(crate) fn fingerprint(&self) -> u128 {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, self).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        half(0) << 64 | half(1)
    }

    /// A write, wherever it comes from.
    pub(crate) fn write(&mut self, controller: u8, value: Value) {
        let stamp = 2;
        let at = &mut self.controllers[usize::from(controller)];
        at.value = value;
        at.version += 1;
        at.stamp = stamp;
        at.origin = controller;
        self.normalise();
    }

    /// The pinned controller's record of the password, against what this rotation may have done.
    pub(crate) fn change(&self) -> Change {
        let shown = self.controllers[usize::from(self.pinned)];
        let acked = u8::try_from(self.rotation.acked).unwrap();
        let most = acked + u8::try_from(self.rotation.doubtful).unwrap();
        let ours = self.sent_to & (1 << shown.origin) != 0;
        match shown.version.checked_sub(self.base) {
            Some(0) => Change::Unchanged,
            Some(moved) if ours && moved >= acked.max(1) && moved <= most => Change::AsSent,
            _ => Change::Otherwise,
        }
    }

    pub(crate) fn matched(&self) -> Match {
        match self.controllers[usize::from(self.pinned)].value == self.candidate() {
            true => Match::Right,
            false => Match::Wrong,
        }
    }

    /// Whether the candidate is the password on no other controller that it was sent to.
    pub(crate) fn is_nowhere_else(&self) -> bool {
        let other = 1 - self.pinned;
        self.sent_to & (1 << other) == 0
            || self.controllers[usize::from(other)].value != self.candidate()
    }

    pub(crate) fn verified(&self) -> Task {
        Task::HasVerified {
            matched: self.matched(),
            change: self.change(),
            nowhere_else: self.is_nowhere_else(),
            asked: NOW,
        }
    }

    pub(crate) fn is_converged(&self) -> bool {
        let [one, two] = self.controllers;
        (one.value, one.version, one.origin) == (two.value, two.version, two.origin)
    }
}

//! Every way the world can go, up to a number of faults: what can happen next, and what must hold after it.

use std::collections::{HashMap, VecDeque};

use jiff::SignedDuration;
use rotation::{Answer, Change, Effect, Event, Match, Refusal, Rotation, Rules, State, Stop, Todo};

use super::oracle::{has_lost_one, is_live_or_may_be, lost, one_value, violated};
use super::world::{
    FIRST, FOREIGN, Flight, Honesty, Message, NOW, STEPS, Target, Task, Worker, World, value,
};

/// What a machine must not be, so that the check can be seen to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// The machine as it is.
    Whole,
    /// Any refusal by policy makes a new candidate, whatever became of earlier sends.
    DiscardsOnAnyRefusal,
    /// No answer makes a new candidate.
    NewValueAfterTimeout,
    /// The next generation starts at once.
    NoQuiescence,
}

/// Which faults there are beside those of a worker, its lease and its requests. All at once are too many worlds for many
/// faults; each pair of neighbours is in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Another controller, another worker, and an administrator's own reset; the key at hand hears all.
    Directory,
    /// Messages to two targets late, lost, and targets themselves; one controller, one worker that is killed.
    Delivery,
    Everything,
}

pub(crate) struct Bounds {
    pub(crate) scope: Scope,
    pub(crate) faults: u8,
    pub(crate) generations: u64,
    pub(crate) targets: [Honesty; 2],
    pub(crate) variant: Variant,
}

#[derive(Debug)]
pub(crate) struct Explored {
    pub(crate) worlds: usize,
    /// Worlds in which the last generation was closed.
    pub(crate) closed: usize,
    /// What was violated, and how it came to it.
    pub(crate) violation: Option<(String, Vec<String>)>,
}

/// A written request is dead after this, whatever the machine believes.
const DEAD: SignedDuration = SignedDuration::from_secs(3_600);

struct Next {
    world: World,
    what: String,
    /// Why this must not be.
    broken: Option<String>,
}

struct Explorer<'a> {
    bounds: &'a Bounds,
    rules: Rules,
    /// Whether steps are put into words.
    tells: bool,
    next: Vec<Next>,
}

pub(crate) fn explore(bounds: &Bounds) -> Explored {
    let mut explorer = Explorer::new(bounds);
    let mut first = World::new(bounds.targets);
    first.normalise();
    // A world by its fingerprint, and that of the world it was first reached from.
    let mut seen: HashMap<u128, u128> = HashMap::new();
    seen.insert(first.fingerprint(), 0);
    let mut open = VecDeque::from([first]);
    let mut closed = 0;
    while let Some(world) = open.pop_front() {
        let from = world.fingerprint();
        if world.rotation.state == State::Closed && world.rotation.generation == bounds.generations
        {
            closed += 1;
        }
        for next in explorer.successors(&world) {
            let fingerprint = next.world.fingerprint();
            let broken = match bounds.variant {
                Variant::Whole => next.broken.or_else(|| violated(&next.world)),
                // That the loss itself is found, not the rule that was broken on the way to it.
                Variant::DiscardsOnAnyRefusal
                | Variant::NewValueAfterTimeout
                | Variant::NoQuiescence => lost(&next.world),
            };
            if let Some(broken) = broken {
                let mut path = vec![fingerprint, from];
                while let Some(before) = path.last().and_then(|at| seen.get(at)) {
                    path.push(*before);
                }
                return Explored {
                    worlds: seen.len(),
                    closed,
                    violation: Some((broken, explorer.explain(bounds, path))),
                };
            }
            seen.entry(fingerprint).or_insert_with(|| {
                open.push_back(next.world);
                from
            });
        }
    }
    Explored {
        worlds: seen.len(),
        closed,
        violation: None,
    }
}

impl Explorer<'_> {
    fn new(bounds: &Bounds) -> Explorer<'_> {
        let mut rules = Rules::default();
        if bounds.variant == Variant::NoQuiescence {
            rules.quiescence = SignedDuration::ZERO;
        }
        Explorer {
            bounds,
            rules,
            tells: false,
            next: Vec::new(),
        }
    }

    /// The steps along a path of fingerprints, the last first.
    fn explain(&mut self, bounds: &Bounds, path: Vec<u128>) -> Vec<String> {
        self.tells = true;
        let mut world = World::new(bounds.targets);
        world.normalise();
        let mut told = Vec::new();
        for fingerprint in path.into_iter().rev().skip(2) {
            let found = self
                .successors(&world)
                .into_iter()
                .find(|next| next.world.fingerprint() == fingerprint);
            if let Some(next) = found {
                told.push(next.what);
                world = next.world;
            }
        }
        told.push(format!("{world:#?}"));
        told
    }

    fn push(&mut self, world: World, what: impl FnOnce() -> String) {
        self.add(world, what, None);
    }

    fn add(&mut self, world: World, what: impl FnOnce() -> String, broken: Option<String>) {
        let what = match self.tells {
            true => what(),
            false => String::new(),
        };
        self.next.push(Next {
            world,
            what,
            broken,
        });
    }

    fn has_directory(&self) -> bool {
        self.bounds.scope != Scope::Delivery
    }

    fn has_delivery(&self) -> bool {
        self.bounds.scope != Scope::Directory
    }

    /// The world with one more fault, where one more is allowed.
    fn fault(&self, world: &World) -> Option<World> {
        (world.faults < self.bounds.faults).then(|| World {
            faults: world.faults + 1,
            ..world.clone()
        })
    }

    fn successors(&mut self, world: &World) -> Vec<Next> {
        self.time(world);
        self.network(world);
        for index in 0..2 {
            self.worker(world, index);
            self.target(world, index);
        }
        self.people(world);
        let mut next = std::mem::take(&mut self.next);
        for next in &mut next {
            next.world.normalise();
        }
        next
    }

    fn time(&mut self, world: &World) {
        for by in STEPS {
            let waits_to_send = world
                .workers
                .iter()
                .any(|worker| worker.task.sends().is_some());
            let waits_for_an_answer = world.flights.iter().any(|flight| flight.waits.is_some());
            // Whoever is stopped between two steps for so long is a fault, and so is a request that nobody ever answers.
            let mut world = match waits_to_send || by > DEAD && waits_for_an_answer {
                true => match self.fault(world) {
                    Some(world) => world,
                    None => continue,
                },
                false => world.clone(),
            };
            world.age(by, DEAD);
            self.push(world, || format!("{by} pass"));
        }
    }

    fn network(&mut self, world: &World) {
        for index in 0..world.flights.len() {
            let flight = world.flights[index];
            let mut arrived = world.clone();
            arrived.flights.remove(index);
            arrived.write(flight.controller, flight.value);
            if !self.has_directory() {
                arrived.controllers[1] = arrived.controllers[0];
            }
            if let Some(waits) = flight.waits {
                arrived.workers[usize::from(waits)].task = Task::HasAnswer(Answer::Applied);
            }
            self.push(arrived, || format!("{flight:?} is carried out"));
            let Some(faulty) = self.fault(world) else {
                continue;
            };
            if let Some(waits) = flight.waits {
                let waits = usize::from(waits);
                // The answer is lost: it is still carried out, or not.
                let mut lost = faulty.clone();
                lost.flights[index].waits = None;
                lost.workers[waits].task = Task::HasAnswer(Answer::Unknown);
                self.push(lost, || format!("the answer of {flight:?} is lost"));
                let mut refused = faulty.clone();
                refused.flights.remove(index);
                refused.workers[waits].task = Task::HasAnswer(Answer::Refused(Refusal::Policy));
                self.push(refused, || format!("{flight:?} is refused by policy"));
            }
        }
        for (from, to) in [(0_usize, 1_usize), (1, 0)] {
            let (one, two) = (world.controllers[from], world.controllers[to]);
            if (one.version, one.stamp) > (two.version, two.stamp) {
                let mut copied = world.clone();
                copied.controllers[to] = one;
                self.push(copied, || format!("{from} replicates to {to}"));
            }
        }
    }

    fn worker(&mut self, world: &World, index: usize) {
        let worker = world.workers[index];
        let holds = worker.fence == world.fence && usize::from(world.holder) == index;
        // What it was in the middle of goes by the old token: as good as gone, but for a send, which nobody asks for one.
        if !holds
            && self.has_directory()
            && !matches!(worker.task, Task::AboutToSend { .. })
            && let Some(mut taken) = self.fault(world)
        {
            drop_answer(&mut taken, index);
            taken.fence += 1;
            taken.holder = u8::try_from(index).unwrap();
            taken.workers[index].fence = taken.fence;
            self.push(taken, || format!("worker {index} takes the lease"));
        }
        if worker.task != Task::Idle
            && let Some(mut killed) = self.fault(world)
        {
            drop_answer(&mut killed, index);
            self.push(killed, || {
                format!("worker {index} is killed at {:?}", worker.task)
            });
        }
        match worker.task {
            Task::Idle if holds => self.work(world, index),
            Task::Idle | Task::AwaitsAnswer => {}
            Task::AboutToSend {
                value,
                controller,
                left,
            } => {
                // Whoever is here has its send on record; the fence was checked then and is not again.
                let mut sent = world.clone();
                if left < 0 {
                    sent.workers[index].task = Task::HasAnswer(Answer::Refused(Refusal::NotSent));
                    self.push(sent, || format!("worker {index} is too late to send"));
                } else {
                    sent.workers[index].task = Task::AwaitsAnswer;
                    let flight = Flight {
                        value,
                        controller,
                        age: 0,
                        waits: Some(u8::try_from(index).unwrap()),
                    };
                    sent.flights.push(flight);
                    let broken = one_value(&sent);
                    let what = || format!("worker {index} sends {value} to {controller}");
                    self.add(sent, what, broken);
                }
            }
            Task::HasAnswer(answer) => {
                let mut told = world.clone();
                told.workers[index].task = Task::Idle;
                if holds {
                    self.answer(told, answer);
                } else {
                    self.push(told, || format!("worker {index} has lost the lease"));
                }
            }
            Task::HasVerified {
                matched,
                change,
                nowhere_else,
                asked,
            } => {
                let mut told = world.clone();
                told.workers[index].task = Task::Idle;
                let event = Event::Verified {
                    matched,
                    change,
                    nowhere_else,
                    asked,
                };
                if holds {
                    self.step(told, event);
                } else {
                    self.push(told, || format!("worker {index} has lost the lease"));
                }
            }
            Task::HasConverged => {
                let mut told = world.clone();
                told.workers[index].task = Task::Idle;
                if holds {
                    self.step(told, Event::Converged);
                } else {
                    self.push(told, || format!("worker {index} has lost the lease"));
                }
            }
        }
    }

    /// Where the broken variants are broken.
    fn answer(&mut self, mut world: World, answer: Answer) {
        match (self.bounds.variant, answer) {
            (Variant::DiscardsOnAnyRefusal, Answer::Refused(Refusal::Policy)) => {
                world.rotation.doubtful = 0;
                world.rotation.acked = 0;
                self.step(world, Event::Answered(answer));
            }
            (Variant::NewValueAfterTimeout, Answer::Unknown) => {
                world.rotation.doubtful = 0;
                world.rotation.acked = 0;
                self.step(world, Event::Answered(Answer::Refused(Refusal::Policy)));
            }
            (_, answer) => self.step(world, Event::Answered(answer)),
        }
    }

    /// What the holder of the lease finds to do.
    fn work(&mut self, world: &World, index: usize) {
        if world.rotation.is_over() {
            self.plan(world);
            return;
        }
        if world.rotation.wake <= NOW && world.rotation.step(Event::Tick, NOW, &self.rules).is_ok()
        {
            // A candidate that nobody takes for a day is made anew, and so on for ever: each time is a fault.
            let ticked = match world.rotation.state {
                State::Prepared => self.fault(world),
                State::Planned
                | State::Sent
                | State::Acked
                | State::Unknown
                | State::Committed
                | State::Confirmed
                | State::Held(_)
                | State::Closed
                | State::Aborted(_) => Some(world.clone()),
            };
            if let Some(ticked) = ticked {
                self.step(ticked, Event::Tick);
            }
        }
        match world.rotation.todo(&self.rules) {
            Todo::Prepare => {
                let mut prepared = world.clone();
                prepared.keeps = true;
                prepared.base = world.controllers[usize::from(world.pinned)].version;
                prepared.sent_to = 0;
                self.step(prepared, Event::Prepared);
            }
            Todo::Send if world.rotation.wake <= NOW => {
                for controller in 0..2_u8 {
                    if controller == world.pinned || self.has_directory() {
                        self.send(world, index, controller);
                    }
                }
            }
            Todo::Verify(_) if world.rotation.wake <= NOW => {
                let mut verified = world.clone();
                verified.workers[index].task = world.verified();
                self.push(verified, || format!("worker {index} verifies"));
            }
            Todo::AskConvergence if world.is_converged() => {
                let mut converged = world.clone();
                converged.workers[index].task = match world.change() {
                    Change::AsSent => Task::HasConverged,
                    Change::Unchanged | Change::Otherwise | Change::Unknown => world.verified(),
                };
                self.push(converged, || format!("worker {index} sees convergence"));
            }
            Todo::Offer
            | Todo::Send
            | Todo::AwaitAnswer { .. }
            | Todo::Verify(_)
            | Todo::AskConvergence
            | Todo::AwaitAcknowledgement
            | Todo::AwaitDecision
            | Todo::AwaitReturn
            | Todo::Nothing => {}
        }
    }

    fn plan(&mut self, world: &World) {
        let after = world.rotation.next_after(&self.rules);
        if world.rotation.generation < self.bounds.generations
            && after.is_some_and(|after| after <= NOW)
        {
            let mut planned = world.clone();
            planned.rotation = Rotation::planned(world.rotation.generation + 1, NOW);
            // Seen by now by every target that comes; what a closed one left at others is fetched before.
            planned.withdrawn = None;
            self.push(planned, || "the next generation is planned".to_owned());
        }
    }

    /// To the pinned controller; to the other one where that is away.
    fn send(&mut self, world: &World, index: usize, controller: u8) {
        let away = controller != world.pinned;
        let mut sent = match away {
            // Before the first send another base is read there; after it the first base stays.
            true => match self.fault(world) {
                Some(world) => world,
                None => return,
            },
            false => world.clone(),
        };
        if away {
            sent.pinned = controller;
            if sent.sent_to == 0 {
                sent.base = sent.controllers[usize::from(controller)].version;
            }
        }
        let bit = 1 << controller;
        sent.sent_to |= bit;
        sent.workers[index].task = Task::AboutToSend {
            value: sent.candidate(),
            controller,
            left: self.rules.send_deadline.as_secs(),
        };
        self.step(sent, Event::Send);
    }

    fn target(&mut self, world: &World, index: usize) {
        if index > 0 && !self.has_delivery() {
            return;
        }
        let target = world.targets[index];
        if let Some(message) = target.delayed {
            let mut arrived = world.clone();
            arrived.targets[index].delayed = None;
            arrived.targets[index].take(message);
            self.push(arrived, || {
                format!("the late {message:?} reaches target {index}")
            });
        }
        for message in messages(world, index) {
            if target.delayed.is_none()
                && target.honesty != Honesty::Lost
                && self.has_delivery()
                && let Some(mut delayed) = self.fault(world)
            {
                delayed.targets[index].delayed = Some(message);
                self.push(delayed, || format!("{message:?} to target {index} is late"));
            }
            let mut told = world.clone();
            let said = told.targets[index].take(message);
            if said
                && self.has_delivery()
                && let Some(mut lost) = self.fault(&told)
            {
                lost.targets[index] = told.targets[index];
                self.push(lost, || {
                    format!("target {index} takes {message:?}, its answer is lost")
                });
            }
            let event = match message {
                Message::Offer(_) if said => Event::Accepted {
                    candidate: world.rotation.candidate,
                },
                Message::Confirm(_) if said => Event::Acknowledged,
                Message::Offer(_) | Message::Confirm(_) | Message::Withdraw(_) => {
                    self.push(told, || format!("target {index} takes {message:?}"));
                    continue;
                }
            };
            match told.rotation.step(event, NOW, &self.rules) {
                Ok(_) => self.step(told, event),
                Err(_) => self.push(told, || format!("target {index} takes {message:?}")),
            }
        }
    }

    /// What people do, with and without ill will.
    fn people(&mut self, world: &World) {
        if let Some(faulty) = self.fault(world) {
            if !world.foreign && self.has_directory() {
                for controller in 0..2 {
                    let mut reset = faulty.clone();
                    reset.foreign = true;
                    // The last one: nobody is asked to log on with what this suite keeps any more.
                    reset.faults = self.bounds.faults;
                    reset.write(controller, FOREIGN);
                    self.push(reset, || {
                        format!("an administrator resets it on {controller}")
                    });
                }
            }
            for index in 0..2 {
                if self.has_delivery() && !has_lost_one(world) {
                    let mut lost = faulty.clone();
                    lost.targets[index] = Target {
                        honesty: Honesty::Lost,
                        current: FIRST,
                        pending: None,
                        newest: FIRST,
                        delayed: None,
                    };
                    self.push(lost, || format!("target {index} is lost"));
                }
            }
            // Overtaken: the directory is ahead of what the database knows, rightly or because that is an old one.
            for event in [
                Event::Stop(Stop::LeftGroup),
                Event::Outdated,
                Event::Overtaken,
            ] {
                if world.rotation.step(event, NOW, &self.rules).is_ok()
                    && world.rotation.parked.is_none()
                {
                    self.step(faulty.clone(), event);
                }
            }
        }
        let undecided = matches!(world.rotation.state, State::Held(_));
        if (undecided || world.rotation.parked.is_some())
            && world.rotation.step(Event::Resume, NOW, &self.rules).is_ok()
        {
            self.step(world.clone(), Event::Resume);
        }
    }

    /// Takes an event in the database, with its effects.
    fn step(&mut self, mut world: World, event: Event) {
        let before = world.clone();
        let (next, effects) = match world.rotation.step(event, NOW, &self.rules) {
            Ok(stepped) => stepped,
            Err(rejected) => {
                let broken = Some(format!("{event:?} was rejected: {rejected}"));
                self.add(world, || format!("{event:?}"), broken);
                return;
            }
        };
        world.rotation = next;
        let mut broken = None;
        for effect in effects {
            match effect {
                Effect::Withdraw { candidate } => {
                    let value = value(before.rotation.generation, candidate);
                    world.withdrawn = Some(value);
                    if is_live_or_may_be(&world, value) {
                        broken = Some(format!("{value} is withdrawn while it may be live (R4)"));
                    }
                }
                Effect::Destroy => world.keeps = false,
                Effect::Promote => {
                    // True when it was asked; what another controller still holds may yet come over it, which the wait
                    // for convergence finds.
                    let was_right = matches!(
                        event,
                        Event::Verified {
                            matched: Match::Right,
                            ..
                        }
                    );
                    // An administrator's reset there and then, in place of ours, is taken for ours until the key is used.
                    if !was_right && !world.foreign {
                        broken = Some("committed and not live (R5)".to_owned());
                    }
                }
                Effect::Confirm
                | Effect::Alarm(_)
                | Effect::TellExternalChange
                | Effect::TellOverdue => {}
            }
        }
        if event == Event::Send && !world.keeps {
            broken = Some("sent without a durable copy (R1)".to_owned());
        }
        self.add(world, || format!("{event:?}"), broken);
    }
}

/// Whoever is killed hears no answer.
fn drop_answer(world: &mut World, index: usize) {
    let index_byte = u8::try_from(index).unwrap();
    for flight in &mut world.flights {
        if flight.waits == Some(index_byte) {
            flight.waits = None;
        }
    }
    world.workers[index] = Worker {
        task: Task::Idle,
        ..world.workers[index]
    };
}

/// What the server has to tell a target, by the state of the database alone.
fn messages(world: &World, index: usize) -> Vec<Message> {
    let target = world.targets[index];
    let candidate = world.candidate();
    let mut messages = Vec::new();
    if let Some(value) = world.withdrawn
        && target.pending == Some(value)
    {
        messages.push(Message::Withdraw(value));
    }
    let stored = target.pending == Some(candidate) || target.current == candidate;
    match world.rotation.state {
        State::Prepared if !world.rotation.accepted || !stored => {
            messages.push(Message::Offer(candidate));
        }
        State::Sent | State::Acked | State::Unknown | State::Committed | State::Held(_)
            if world.keeps && !stored =>
        {
            messages.push(Message::Offer(candidate));
        }
        State::Confirmed => messages.push(Message::Confirm(candidate)),
        // Others fetch what is sealed to them at their next presence.
        State::Closed if target.current != candidate => messages.push(Message::Confirm(candidate)),
        State::Planned
        | State::Prepared
        | State::Sent
        | State::Acked
        | State::Unknown
        | State::Committed
        | State::Held(_)
        | State::Closed
        | State::Aborted(_) => {}
    }
    messages
}

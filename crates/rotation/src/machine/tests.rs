//! The outcome table: what each answer of the directory makes of a rotation. What chains of them can do is explored in
//! `tests/model.rs`.

use jiff::{SignedDuration, Timestamp};

use super::*;

const T0: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    T0 + SignedDuration::from_secs(seconds)
}

fn rules() -> Rules {
    Rules::default()
}

/// A rotation after these events, all at one moment.
fn after(events: &[Event], now: Timestamp) -> Rotation {
    let planned = Rotation::planned(7, T0);
    events.iter().fold(planned, |rotation, event| {
        rotation.step(*event, now, &rules()).unwrap().0
    })
}

const ACCEPTED: Event = Event::Accepted { candidate: 1 };

fn refused(refusal: Refusal) -> Event {
    Event::Answered(Answer::Refused(refusal))
}

fn verified(matched: Match, change: Change) -> Event {
    Event::Verified {
        matched,
        change,
        nowhere_else: true,
        asked: at(31),
    }
}

/// Sent once, and no answer came.
fn in_doubt() -> Rotation {
    after(
        &[
            Event::Prepared,
            ACCEPTED,
            Event::Send,
            Event::Answered(Answer::Unknown),
        ],
        T0,
    )
}

/// Sent once without an answer, found not to be live, and sent again.
fn sent_again() -> Rotation {
    let found = in_doubt()
        .step(
            verified(Match::Unverifiable, Change::Unchanged),
            at(31),
            &rules(),
        )
        .unwrap();
    assert_eq!(found.0.state, State::Prepared);
    found.0.step(Event::Send, at(60), &rules()).unwrap().0
}

#[test]
fn the_way_of_a_rotation_that_goes_well() {
    let mut rotation = Rotation::planned(7, T0);
    let mut told = Vec::new();
    for (event, todo) in [
        (Event::Prepared, Todo::Offer),
        (ACCEPTED, Todo::Send),
        (Event::Send, Todo::AwaitAnswer { until: at(30) }),
        (Event::Answered(Answer::Applied), Todo::Verify(Trial::Never)),
        (
            verified(Match::Unverifiable, Change::AsSent),
            Todo::AskConvergence,
        ),
        (Event::Converged, Todo::AwaitAcknowledgement),
        (Event::Acknowledged, Todo::Nothing),
    ] {
        let (next, effects) = rotation.step(event, T0, &rules()).unwrap();
        assert_eq!(next.todo(&rules()), todo, "{event:?}");
        told.extend(effects);
        rotation = next;
    }
    assert_eq!(rotation.state, State::Closed);
    assert_eq!(told, [Effect::Promote, Effect::Confirm, Effect::Destroy]);
}

#[test]
fn a_refusal_of_the_first_and_only_send_proves_the_candidate_unused() {
    for (refusal, state) in [
        (Refusal::Policy, State::Planned),
        (Refusal::NoRight, State::Held(HeldReason::NoRight)),
        (Refusal::NotFound, State::Aborted(AbortReason::Gone)),
        (
            Refusal::NotEligible,
            State::Aborted(AbortReason::Stopped(Stop::Ineligible)),
        ),
        (
            Refusal::Changed,
            State::Aborted(AbortReason::ExternalChange),
        ),
        // Nothing left, or the directory was busy: the same value again, later.
        (Refusal::NotSent, State::Prepared),
        (Refusal::Other, State::Prepared),
    ] {
        let sent = after(&[Event::Prepared, ACCEPTED, Event::Send], T0);
        let (next, effects) = sent.step(refused(refusal), T0, &rules()).unwrap();
        assert_eq!(next.state, state, "{refusal:?}");
        let withdrawn = effects.contains(&Effect::Withdraw { candidate: 1 });
        assert_eq!(withdrawn, state != State::Prepared, "{refusal:?}");
    }
}

#[test]
fn after_a_send_in_doubt_no_refusal_takes_the_value_back() {
    for (refusal, state) in [
        (Refusal::Policy, State::Held(HeldReason::PolicyInDoubt)),
        (Refusal::NoRight, State::Unknown),
        (Refusal::NotFound, State::Held(HeldReason::Gone)),
        (Refusal::NotEligible, State::Unknown),
        (Refusal::Changed, State::Unknown),
        (Refusal::NotSent, State::Prepared),
        (Refusal::Other, State::Prepared),
    ] {
        let (next, effects) = sent_again()
            .step(refused(refusal), at(61), &rules())
            .unwrap();
        assert_eq!(next.state, state, "{refusal:?}");
        assert!(
            !effects
                .iter()
                .any(|effect| matches!(effect, Effect::Withdraw { .. } | Effect::Destroy)),
            "{refusal:?}: {effects:?}"
        );
        assert_eq!(next.candidate, 1);
        assert_eq!(next.doubtful, 1);
    }
}

#[test]
fn a_send_in_doubt_is_settled_by_what_the_directory_shows() {
    use State::{Committed, Held, Prepared, Unknown};
    for (matched, change, state) in [
        (Match::Right, Change::AsSent, Committed),
        // Locked, say: the record is evidence enough.
        (Match::Unverifiable, Change::AsSent, Committed),
        (Match::Right, Change::Unknown, Committed),
        (
            Match::Wrong,
            Change::AsSent,
            Held(HeldReason::ExternalChange),
        ),
        (
            Match::Right,
            Change::Otherwise,
            Held(HeldReason::ExternalChange),
        ),
        (
            Match::Wrong,
            Change::Otherwise,
            Held(HeldReason::ExternalChange),
        ),
        (Match::Unverifiable, Change::Unchanged, Prepared),
        (Match::Wrong, Change::Unchanged, Prepared),
        (Match::Wrong, Change::Unknown, Prepared),
        (
            Match::Right,
            Change::Unchanged,
            Held(HeldReason::Contradiction),
        ),
        (Match::Unverifiable, Change::Unknown, Unknown),
    ] {
        let next = in_doubt()
            .step(verified(matched, change), at(31), &rules())
            .unwrap()
            .0;
        assert_eq!(next.state, state, "{matched:?} {change:?}");
    }
}

#[test]
fn a_restart_in_the_middle_of_a_send_is_a_send_in_doubt() {
    let sent = after(&[Event::Prepared, ACCEPTED, Event::Send], T0);
    assert!(sent.step(Event::Tick, at(29), &rules()).is_err());
    let (next, _) = sent.step(Event::Tick, at(30), &rules()).unwrap();
    assert_eq!((next.state, next.doubtful), (State::Unknown, 1));
}

#[test]
fn sends_that_come_to_nothing_end_with_a_person() {
    for refusal in [Refusal::NotSent, Refusal::Other] {
        let mut rotation = after(&[Event::Prepared, ACCEPTED], T0);
        for _ in 0..rules().sends {
            assert_eq!(rotation.state, State::Prepared);
            rotation = rotation.step(Event::Send, T0, &rules()).unwrap().0;
            rotation = rotation.step(refused(refusal), T0, &rules()).unwrap().0;
        }
        assert_eq!(rotation.state, State::Held(HeldReason::Refused));
    }
}

#[test]
fn three_candidates_that_the_policy_refuses_are_enough() {
    let mut rotation = Rotation::planned(7, T0);
    for candidate in 1..=3 {
        for event in [
            Event::Prepared,
            Event::Accepted { candidate },
            Event::Send,
            refused(Refusal::Policy),
        ] {
            rotation = rotation.step(event, T0, &rules()).unwrap().0;
        }
    }
    assert_eq!(rotation.state, State::Held(HeldReason::Policy));
    let (resumed, _) = rotation.step(Event::Resume, T0, &rules()).unwrap();
    assert_eq!(resumed.state, State::Planned);
}

#[test]
fn a_password_that_is_not_as_it_was_left_ends_a_rotation_only_before_it_was_sent() {
    let overtaken = |rotation: &Rotation| rotation.step(Event::Overtaken, T0, &rules());
    for rotation in [
        Rotation::planned(7, T0),
        after(&[Event::Prepared, ACCEPTED], T0),
    ] {
        let (next, effects) = overtaken(&rotation).unwrap();
        assert_eq!(next.state, State::Aborted(AbortReason::ExternalChange));
        assert!(effects.contains(&Effect::TellExternalChange));
    }
    assert!(overtaken(&sent_again()).is_err());
    assert!(overtaken(&in_doubt()).is_err());
}

#[test]
fn nothing_is_sent_that_no_target_has_accepted_or_while_it_is_parked() {
    let prepared = after(&[Event::Prepared], T0);
    assert_eq!(
        prepared.step(Event::Send, T0, &rules()),
        Err(Rejected::NotAccepted)
    );
    let other = Event::Accepted { candidate: 2 };
    assert!(matches!(
        prepared.step(other, T0, &rules()),
        Err(Rejected::OtherCandidate { .. })
    ));

    // One that leaves after a send in doubt stays until it is known what that did.
    let stopped = sent_again()
        .step(Event::Answered(Answer::Unknown), at(61), &rules())
        .unwrap()
        .0
        .step(Event::Stop(Stop::LeftGroup), at(62), &rules())
        .unwrap()
        .0;
    let early = Event::Verified {
        matched: Match::Unverifiable,
        change: Change::Unchanged,
        nowhere_else: true,
        asked: at(100),
    };
    let waits = stopped.step(early, at(9_000), &rules()).unwrap().0;
    assert_eq!(waits.state, State::Unknown, "asked before all was quiet");
    let late = Event::Verified {
        matched: Match::Unverifiable,
        change: Change::Unchanged,
        nowhere_else: true,
        asked: at(9_000),
    };
    let ended = waits.step(late, at(9_000), &rules()).unwrap().0;
    let left = AbortReason::Stopped(Stop::LeftGroup);
    assert_eq!(ended.state, State::Aborted(left));
}

#[test]
fn the_next_generation_waits_until_nothing_of_this_one_can_arrive() {
    let closed = after(
        &[
            Event::Prepared,
            ACCEPTED,
            Event::Send,
            Event::Answered(Answer::Applied),
            verified(Match::Unverifiable, Change::AsSent),
            Event::Converged,
            Event::Acknowledged,
        ],
        T0,
    );
    assert_eq!(closed.next_after(&rules()), Some(at(3_630)));
    let never_sent = after(&[Event::Prepared, Event::Stop(Stop::Disabled)], T0);
    assert_eq!(never_sent.next_after(&rules()), Some(T0));
    assert_eq!(in_doubt().next_after(&rules()), None);
}

#[test]
fn what_waits_for_too_long_calls_a_person_and_ends_by_itself_where_it_can() {
    let committed = [
        Event::Prepared,
        ACCEPTED,
        Event::Send,
        Event::Answered(Answer::Applied),
        verified(Match::Unverifiable, Change::AsSent),
    ];
    let day = at(86_400);
    let mut confirmed = committed.to_vec();
    confirmed.push(Event::Converged);
    for (events, reason, way_out, state) in [
        (
            committed.as_slice(),
            HeldReason::NotConverged,
            Event::Converged,
            State::Confirmed,
        ),
        (
            confirmed.as_slice(),
            HeldReason::Unacknowledged,
            Event::Acknowledged,
            State::Closed,
        ),
    ] {
        let (held, effects) = after(events, T0).step(Event::Tick, day, &rules()).unwrap();
        assert_eq!(held.state, State::Held(reason));
        assert_eq!(effects, [Effect::Alarm(reason)]);
        assert!(held.keeps_value(), "never given up");
        // Called again the next day, and the day after.
        let (_, effects) = held
            .step(Event::Tick, day + SignedDuration::from_hours(24), &rules())
            .unwrap();
        assert_eq!(effects, [Effect::Alarm(reason)]);
        let out = held.step(way_out, day, &rules()).unwrap().0;
        assert_eq!(out.state, state);
    }
}

#[test]
fn a_value_is_released_once_and_only_where_it_may_be_live() {
    let confirmed = after(
        &[
            Event::Prepared,
            ACCEPTED,
            Event::Send,
            Event::Answered(Answer::Applied),
            verified(Match::Unverifiable, Change::AsSent),
            Event::Converged,
        ],
        T0,
    );
    let released = confirmed.step(Event::Release, T0, &rules()).unwrap().0;
    assert_eq!(released.state, State::Closed);
    assert!(released.step(Event::Release, T0, &rules()).is_err());
    assert!(
        after(&[Event::Prepared, ACCEPTED], T0)
            .step(Event::Release, T0, &rules())
            .is_err()
    );

    // One that is not proven stays here too.
    let held = in_doubt()
        .step(verified(Match::Wrong, Change::AsSent), at(31), &rules())
        .unwrap()
        .0;
    let released = held.step(Event::Release, at(32), &rules()).unwrap().0;
    assert!(released.keeps_value());
    assert!(released.step(Event::Release, at(33), &rules()).is_err());
}

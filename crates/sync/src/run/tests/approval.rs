//! What a person's word is worth.

use super::*;

/// Five of twenty have left, which is held.
fn held() -> (World, RunId) {
    let names: Vec<String> = (1..=20).map(|n| format!("user{n}")).collect();
    let mut world = World::imported(names.iter().map(String::as_str));
    for user in 1..=5 {
        world.source.leave(sync_group(), FakeSource::user(user));
    }
    let run = world.queue(false);
    assert_eq!(world.execute(run).unwrap(), RunState::Held);
    (world, run)
}

#[test]
fn an_approved_plan_is_applied() {
    let (mut world, run) = held();
    world.store.decide(run, RunEvent::Approve).unwrap();

    assert_eq!(world.execute(run).unwrap(), RunState::Applied);

    assert_eq!(world.told(), [ChangeKind::Leave; 5]);
}

#[test]
fn a_rejected_plan_stays_unapplied() {
    let (mut world, run) = held();
    world.store.decide(run, RunEvent::Reject).unwrap();

    assert!(world.execute(run).is_err());
    assert!(world.told().is_empty());
    assert!(world.store.decide(run, RunEvent::Approve).is_err());
}

#[test]
fn what_was_not_approved_or_no_longer_holds_is_not_applied() {
    let (mut world, run) = held();
    world.store.decide(run, RunEvent::Approve).unwrap();
    world.source.join(sync_group(), FakeSource::user(1));
    world.source.leave(sync_group(), FakeSource::user(6));
    world.source.delete(FakeSource::user(2));
    world
        .source
        .change(FakeSource::user(3), |account| account.mail = None);
    world
        .source
        .change(FakeSource::user(4), |account| account.state.locked = true);

    assert_eq!(world.execute(run).unwrap(), RunState::Applied);

    // 1 came back; 2's leave became a deletion and 3's would clear a mail: nobody approved that. 6 is new.
    let members = [1, 2, 3, 6].map(|user| world.presence(FakeSource::user(user)));
    assert_eq!(members, [Some(Presence::Member); 4]);
    let left = [4, 5].map(|user| world.presence(FakeSource::user(user)));
    assert_eq!(left, [Some(Presence::Left); 2]);
    assert_eq!(world.told(), [ChangeKind::Leave; 2]);
}

#[test]
fn approved_changes_do_not_hold_the_next_plan() {
    let (mut world, run) = held();
    world.store.decide(run, RunEvent::Approve).unwrap();
    world.execute(run).unwrap();
    world.source.leave(sync_group(), FakeSource::user(6));

    assert_eq!(world.sync().unwrap(), RunState::Applied);
}

#[test]
fn a_plan_approved_in_vain_does_nothing() {
    let (mut world, run) = held();
    for user in 1..=5 {
        world.source.join(sync_group(), FakeSource::user(user));
    }
    world.store.decide(run, RunEvent::Approve).unwrap();

    assert_eq!(world.execute(run).unwrap(), RunState::NothingToDo);
}

#[test]
fn a_newer_plan_supersedes_one_that_is_held() {
    let (mut world, run) = held();

    assert_eq!(world.sync().unwrap(), RunState::Held);

    assert_eq!(world.store.state(run), Some(RunState::Superseded));
    assert!(world.store.decide(run, RunEvent::Approve).is_err());
}

#[test]
fn an_approval_outlives_a_directory_that_is_down_for_a_while() {
    let (mut world, run) = held();
    world.store.decide(run, RunEvent::Approve).unwrap();
    world.source.faults = Faults::before_step(0).transient();

    world.execute(run).unwrap_err();
    assert_eq!(world.store.state(run), Some(RunState::Approved));
    assert_eq!(world.execute(run).unwrap(), RunState::Applied);
}

#[test]
fn approving_adopts_a_group_created_anew_and_removes_only_what_was_shown() {
    let mut world = World::imported(THREE);
    let anew = object(5_000);
    world.source.remove_group(sync_group());
    world.source.add_group(anew, FakeSource::SYNC_GROUP);
    world.source.join(anew, bob());
    let run = world.queue(false);
    assert_eq!(world.execute(run).unwrap(), RunState::Held);

    world.store.decide(run, RunEvent::Approve).unwrap();
    assert_eq!(world.execute(run).unwrap(), RunState::Applied);

    assert_eq!(world.presence(bob()), Some(Presence::Member));
    assert_eq!(world.presence(ada()), Some(Presence::Left));
    assert_eq!(world.store.pinned.as_ref().unwrap().sync_group.id, anew);
    assert_eq!(world.sync().unwrap(), RunState::NothingToDo);
}

#[test]
fn approving_does_not_adopt_a_group_that_was_replaced_after_the_plan_was_held() {
    let (mut world, run) = held();
    world.store.decide(run, RunEvent::Approve).unwrap();
    let pinned = world.store.pinned.clone();
    world.source.remove_group(sync_group());
    let anew = object(5_000);
    world.source.add_group(anew, FakeSource::SYNC_GROUP);

    world.execute(run).unwrap_err();

    assert_eq!(world.store.state(run), Some(RunState::Failed));
    let (code, _) = world.last_run().failure.clone().unwrap();
    assert_eq!(code, FailureCode::GroupChanged);
    assert_eq!(world.store.pinned, pinned);
    assert!(world.told().is_empty());
}

#[test]
fn states_lead_only_where_they_should() {
    use RunEvent as E;
    let ends = [
        RunState::Applied,
        RunState::NothingToDo,
        RunState::DryRun,
        RunState::Failed,
        RunState::Rejected,
        RunState::Expired,
        RunState::Superseded,
    ];
    let events = [
        E::Read,
        E::Plan,
        E::Hold,
        E::Approve,
        E::Reject,
        E::Expire,
        E::Supersede,
        E::Apply,
        E::Finish,
        E::FindNothing,
        E::Show,
        E::Fail,
    ];

    for state in RunState::ALL {
        let next = events.iter().filter_map(|event| state.after(*event));
        assert_eq!(next.count() == 0, ends.contains(&state), "{state}");
        assert_eq!(state.is_final(), ends.contains(&state));
        assert_eq!(RunState::from_name(state.name()), Some(state));
        // Only what a person approved or the guard let pass is ever applied.
        let applies = state.after(E::Apply).is_some();
        let expected = matches!(state, RunState::Planning | RunState::Approved);
        assert_eq!(applies, expected, "{state}");
    }
}

#[test]
fn a_plan_resumed_after_another_was_applied_tells_nothing_twice() {
    let mut world = World::new(THREE);
    let stale = world.queue(false);
    for step in 0.. {
        world.store.faults = Faults::before_step(step);
        world.execute(stale).unwrap_err();
        if world.store.state(stale) == Some(RunState::Applying) {
            break;
        }
    }
    world.store.faults = Faults::never();
    world.sync().unwrap();
    world.source.leave(sync_group(), ada());
    world.sync().unwrap();
    let (known, told) = (world.store.known.clone(), world.told());

    assert_eq!(world.execute(stale).unwrap(), RunState::Applied);

    assert_eq!(world.store.known, known);
    assert_eq!(world.told(), told);
}

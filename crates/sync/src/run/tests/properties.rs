//! For any directory, then any other, with a failure anywhere between.

use proptest::prelude::*;

use super::*;
use crate::guard::Key;
use crate::{Known, Membership, Seen, Sighting, diff, merge};

const USERS: usize = 6;

/// One user's object, as a directory may have it.
#[derive(Clone, Debug)]
struct User {
    there: bool,
    deleted: bool,
    out_of_scope: bool,
    in_sync_group: bool,
    in_rotation_group: bool,
    through_nested_group: bool,
    name: u8,
    mail: Option<u8>,
    disabled: bool,
    locked: bool,
    password_set: Option<i64>,
}

fn users() -> impl Strategy<Value = Vec<User>> {
    let user = (
        (any::<bool>(), any::<bool>(), prop::bool::weighted(0.15)),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        (0..3_u8, prop::option::of(0..2_u8)),
        (any::<bool>(), any::<bool>(), prop::option::of(0..3_i64)),
    );
    let user = user.prop_map(|(existence, membership, attributes, state)| User {
        there: existence.0,
        deleted: existence.1,
        out_of_scope: existence.2,
        in_sync_group: membership.0,
        in_rotation_group: membership.1,
        through_nested_group: membership.2,
        name: attributes.0,
        mail: attributes.1,
        disabled: state.0,
        locked: state.1,
        password_set: state.2,
    });
    prop::collection::vec(user, USERS)
}

fn nested() -> ObjectId {
    object(0xff00_0009)
}

fn directory_of(users: &[User]) -> FakeSource {
    let mut source = FakeSource::with_users([]);
    source.add_group(nested(), "nested");
    source.join(sync_group(), nested());
    source.join(nested(), sync_group());
    for (index, user) in users.iter().enumerate() {
        let id = FakeSource::user(index + 1);
        if !user.there {
            if user.deleted {
                source.deleted.insert(id);
            }
            continue;
        }
        let mut account = account(id, &format!("user{}", user.name));
        account.mail = user.mail.map(|mail| format!("{mail}@example.com"));
        account.state.disabled = user.disabled;
        account.state.locked = user.locked;
        account.password_last_set = user
            .password_set
            .map(|second| Timestamp::from_second(second).unwrap());
        source.accounts.insert(id, account);
        if user.out_of_scope {
            source.out_of_scope.insert(id);
        }
        if user.in_sync_group {
            let through = user.through_nested_group;
            source.join(if through { nested() } else { sync_group() }, id);
        }
        if user.in_rotation_group {
            source.join(rotation_group(), id);
        }
    }
    source
}

/// A world that knows the first directory and is pointed at what became of it.
fn world(before: &[User], after: &[User]) -> World {
    let mut world = World::new([]);
    for key in Key::all() {
        let unlimited = if key.to_string().ends_with("percent") {
            100
        } else {
            1_000
        };
        world.settings.limits.set(key, unlimited);
    }
    world.source = directory_of(before);
    approve_if_held(&mut world);
    world.store.outbox.clear();
    world.source = directory_of(after);
    world
}

/// A sync to its end, whatever the guard says.
fn approve_if_held(world: &mut World) {
    let run = world.queue(false);
    if world.execute(run).unwrap() == RunState::Held {
        world.store.decide(run, RunEvent::Approve).unwrap();
        world.execute(run).unwrap();
    }
}

/// Whether what is known is exactly what the directory has.
fn assert_equal(world: &World, users: &[User]) {
    for (index, user) in users.iter().enumerate() {
        let id = FakeSource::user(index + 1);
        let known = world.store.known.get(&id);
        let here = user.there && !user.out_of_scope;
        if here && (user.in_sync_group || user.in_rotation_group) {
            let known = known.unwrap();
            let expected = if user.in_sync_group {
                Presence::Member
            } else {
                Presence::RotationOnly
            };
            assert_eq!(known.presence, expected, "{user:?}");
            assert_eq!(known.in_rotation_group, user.in_rotation_group);
            assert_eq!(known.account, world.source.accounts[&id]);
        } else {
            assert!(known.is_none_or(|known| !known.is_present()), "{user:?}");
        }
    }
}

/// Every account's events are its generations, each once and in order, and the last is what is known.
fn assert_told_once(world: &World, before: &FakeStore) {
    for (id, known) in &world.store.known {
        let first = before.known.get(id).map_or(0, |known| known.generation);
        let told = world.store.outbox.iter();
        let told: Vec<&Known> = told
            .map(|told| &told.state)
            .filter(|state| state.account.id == *id)
            .collect();
        let generations: Vec<u64> = told.iter().map(|state| state.generation).collect();
        let expected: Vec<u64> = (first + 1..=known.generation).collect();
        assert_eq!(generations, expected);
        assert!(told.last().is_none_or(|last| *last == known));
    }
}

proptest! {
    #[test]
    fn a_sync_makes_known_what_is_seen_and_a_second_finds_nothing(
        before in users(),
        after in users(),
    ) {
        let mut world = world(&before, &after);
        let known = world.store.clone();

        approve_if_held(&mut world);

        assert_equal(&world, &after);
        assert_told_once(&world, &known);
        world.store.outbox.clear();
        prop_assert_eq!(world.sync().unwrap(), RunState::NothingToDo);
        prop_assert!(world.store.outbox.is_empty());
    }

    #[test]
    fn a_failure_at_any_step_of_the_directory_changes_nothing(
        before in users(),
        after in users(),
        step in 0..40_i64,
    ) {
        let mut world = world(&before, &after);
        let known = world.store.known.clone();
        world.source.faults = Faults::before_step(step);

        let result = world.sync();

        if world.source.faults.happened() {
            prop_assert!(result.is_err());
            prop_assert_eq!(&world.store.known, &known);
            prop_assert!(world.store.outbox.is_empty());
            prop_assert_eq!(world.last_run().failure.as_ref().unwrap().0, FailureCode::Source);
        }
    }

    #[test]
    fn a_crash_at_any_step_is_resumed_to_the_same_end_without_telling_twice(
        before in users(),
        after in users(),
        step in 0..60_i64,
        took_effect in any::<bool>(),
    ) {
        let mut world = world(&before, &after);
        let known = world.store.clone();
        let run = world.queue(false);
        let faults = if took_effect { Faults::after_step(step) } else { Faults::before_step(step) };
        world.store.faults = faults;

        let crashed = world.execute(run);
        world.store.faults = Faults::never();
        let state = world.store.state(run).unwrap();
        if crashed.is_err() && state.is_runnable() {
            world.execute(run).unwrap();
        }
        if world.store.state(run) == Some(RunState::Held) {
            world.store.decide(run, RunEvent::Approve).unwrap();
            world.store.faults = if took_effect { Faults::after_step(step) } else { Faults::before_step(step) };
            let crashed = world.execute(run);
            world.store.faults = Faults::never();
            if crashed.is_err() && world.store.state(run).unwrap().is_runnable() {
                world.execute(run).unwrap();
            }
        }

        assert_equal(&world, &after);
        assert_told_once(&world, &known);
        prop_assert!(world.store.state(run).unwrap().is_final());
    }

    #[test]
    fn a_diff_applied_leaves_no_difference(before in users(), after in users()) {
        let sighted = |user: &User| {
            let source = directory_of(std::slice::from_ref(user));
            let id = FakeSource::user(1);
            match source.accounts.get(&id) {
                Some(_) if user.out_of_scope => Sighting::OutOfScope,
                Some(account) => Sighting::Seen(Box::new(Seen {
                    account: account.clone(),
                    membership: Membership {
                        in_sync_group: user.in_sync_group,
                        in_rotation_group: user.in_rotation_group,
                    },
                })),
                None if user.deleted => Sighting::Deleted,
                None => Sighting::Gone,
            }
        };
        for (before, after) in before.iter().zip(&after) {
            let known = diff(None, &sighted(before)).map(|change| change.after);
            let change = diff(known.as_ref(), &sighted(after));

            if let Some(change) = change {
                prop_assert_eq!(diff(Some(&change.after), &sighted(after)), None);
            }
        }
    }

    #[test]
    fn a_merge_is_settled_after_one(before in users(), after in users(), hidden in any::<[bool; 9]>()) {
        let hidden = Attribute::ALL.into_iter().zip(hidden);
        let hidden: Vec<Attribute> = hidden.filter(|(_, is)| *is).map(|(of, _)| of).collect();
        let (before, after) = (directory_of(&before), directory_of(&after));
        for (id, known) in &before.accounts {
            let Some(seen) = after.accounts.get(id) else { continue };
            let mut seen = seen.clone();
            seen.unreadable.clone_from(&hidden);

            let merged = merge(Some(known), &seen);

            prop_assert_eq!(merge(Some(&merged), &seen), merged.clone());
            for attribute in &hidden {
                prop_assert_eq!(merged.attribute(*attribute), known.attribute(*attribute));
            }
        }
    }
}

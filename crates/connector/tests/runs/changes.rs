//! What changes in a directory, and what is known and told of it.

use std::collections::BTreeMap;

use api::connector::v1::{PlanItemKind, SyncRunState};
use api::directory::v1::Presence;
use api::event::v1::event::Payload;
use sync::testing::{FakeSource, object};

use crate::{Test, corp, not_nested, presences, state};

#[tokio::test]
async fn an_unchanged_directory_changes_nothing_and_tells_nothing() {
    let test = Test::new();
    test.domain("corp", corp());
    let world = test.start().await;
    let first = world.sync("corp").await;
    assert_eq!(state(&first), SyncRunState::Applied, "{first:?}");
    assert_eq!(first.plan.unwrap().joins, 8);
    assert_eq!(first.read.unwrap().members, 8);
    assert_eq!(first.server, "dc1.test:636");
    let (told, known) = (world.events().await, world.accounts("corp").await);

    let second = world.sync("corp").await;

    assert_eq!(state(&second), SyncRunState::Unchanged);
    assert_eq!(world.events().await, told);
    assert_eq!(world.accounts("corp").await, known);
    // One for each person, one for the pins, one for the run.
    assert_eq!(told.len(), 8 + 2);
    assert_eq!(test.config.handed_out(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_snapshot_begins_with_the_pins_as_they_were_told() {
    let test = Test::new();
    test.domain("corp", corp());
    let world = test.start().await;
    assert!(world.snapshot("corp").await.is_empty());
    world.sync("corp").await;

    let snapshot = world.snapshot("corp").await;

    let told = world.events().await.into_iter().find_map(|(_, payload)| {
        if let Payload::DirectoryPinned(pinned) = payload {
            return Some(pinned);
        }
        None
    });
    let first = snapshot.first().unwrap();
    assert!(told.is_some() && first.account.is_none());
    assert_eq!(first.pinned, told);
    assert_eq!(
        snapshot
            .iter()
            .filter(|answer| answer.pinned.is_some())
            .count(),
        1
    );
    world.stop().await;
}

#[tokio::test]
async fn each_change_is_told_once_with_the_whole_state_and_a_newer_generation() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    let before = world.events().await.len();
    let [ada, bob, cyd] = [1, 2, 3].map(FakeSource::user);
    directory.change(|source| {
        source.change(ada, |account| {
            account.mail = Some("ada@new.test".to_owned());
        });
        source.delete(bob);
        source.leave(FakeSource::sync_group(), cyd);
        source
            .accounts
            .insert(object(99), sync::testing::account(object(99), "new"));
        source.join(FakeSource::sync_group(), object(99));
    });

    let dry = world.ask("corp", true).await.unwrap();
    let dry = world.rest(&dry).await;
    assert_eq!(state(&dry), SyncRunState::Planned);
    assert_eq!(world.events().await.len(), before);
    let plan = world.plan(&dry).await;
    let kinds: BTreeMap<&str, PlanItemKind> = plan
        .iter()
        .map(|item| (item.logon_name.as_str(), item.kind()))
        .collect();
    assert_eq!(
        kinds,
        BTreeMap::from([
            ("ada", PlanItemKind::Update),
            ("bob", PlanItemKind::Delete),
            ("cyd", PlanItemKind::Leave),
            ("new", PlanItemKind::Join),
        ])
    );
    assert_eq!(
        plan.iter().map(|item| item.number).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(plan[0].changes[0].field, "mail");
    assert_eq!(plan[0].changes[0].after, "ada@new.test");

    let run = world.sync("corp").await;

    assert_eq!(state(&run), SyncRunState::Applied, "{run:?}");
    assert_eq!(run.applied_items, 4);
    let events = world.events().await.split_off(before);
    let mut told = BTreeMap::new();
    for (subject, payload) in &events {
        if let Payload::AccountChanged(changed) = payload {
            let account = changed.account.clone().unwrap();
            assert_eq!(changed.sync_run, run.name);
            told.insert(
                account.logon_name.clone(),
                (subject.verb().to_owned(), account.generation),
            );
        }
    }
    let expected = [
        ("ada", "updated", 2),
        ("bob", "removed", 2),
        ("cyd", "removed", 2),
        ("new", "created", 1),
    ];
    let expected =
        expected.map(|(name, verb, generation)| (name.to_owned(), (verb.to_owned(), generation)));
    assert_eq!(told, BTreeMap::from(expected));
    let accounts = world.accounts("corp").await;
    let presences = presences(&accounts);
    assert_eq!(presences["bob"], Presence::Deleted);
    assert_eq!(presences["cyd"], Presence::Left);
    assert_eq!(presences["new"], Presence::Member);
    world.stop().await;
}

#[tokio::test]
async fn a_group_that_hides_its_members_fails_the_run_instead_of_emptying_it() {
    let test = Test::new();
    let mut source = corp();
    let nested = object(0xff00_0003);
    source.add_group(nested, "Nested");
    source.join(FakeSource::sync_group(), nested);
    source.leave(FakeSource::sync_group(), FakeSource::user(1));
    source.join(nested, FakeSource::user(1));
    let directory = test.domain("corp", source);
    let world = test.start().await;
    world.sync("corp").await;

    directory.hide_members(nested);
    let silent = world.sync("corp").await;
    directory.change(|source| source.groups.retain(|group| group.id != nested));
    let vanished = world.sync("corp").await;

    assert_eq!(silent.failure.unwrap().reason, "ACCESS_DENIED");
    assert_eq!(vanished.failure.unwrap().reason, "ACCESS_DENIED");
    assert!(
        presences(&world.accounts("corp").await)
            .values()
            .all(|p| *p == Presence::Member)
    );
    world.stop().await;
}

#[tokio::test]
async fn groups_count_through_groups_and_cycles_unless_the_domain_says_otherwise() {
    let test = Test::new();
    let mut source = FakeSource::with_users(["ada"]);
    let [outer, inner] = [object(0xff00_0003), object(0xff00_0004)];
    for (id, name) in [(outer, "Outer"), (inner, "Inner")] {
        source.add_group(id, name);
    }
    for (number, name) in [(50, "bob"), (51, "cyd")] {
        source
            .accounts
            .insert(object(number), sync::testing::account(object(number), name));
    }
    source.join(FakeSource::sync_group(), outer);
    source.join(outer, inner);
    source.join(inner, outer);
    source.join(inner, FakeSource::sync_group());
    source.join(outer, object(50));
    // As a primary group is told: an edge like any other.
    source.join(inner, object(51));
    source.join(FakeSource::rotation_group(), inner);
    test.domain("corp", source);
    let world = test.start().await;

    world.sync("corp").await;
    let nested = world.accounts("corp").await;
    test.config.change("corp", not_nested);
    let direct = world.sync("corp").await;

    assert_eq!(nested.len(), 3);
    assert!(
        nested
            .iter()
            .all(|account| account.in_sync_group && account.in_rotation_group)
    );
    assert_eq!(direct.plan.unwrap().leaves, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_group_setting_written_again_finds_the_group_anew() {
    let test = Test::new();
    let directory = test.domain("corp", corp());
    let world = test.start().await;
    world.sync("corp").await;
    let other = object(0xff00_0005);
    directory.change(|source| {
        source.rename_group(FakeSource::sync_group(), "Old name");
        source.add_group(other, FakeSource::SYNC_GROUP);
        for n in 1..=8 {
            source.join(other, FakeSource::user(n));
        }
        source.leave(FakeSource::sync_group(), FakeSource::user(1));
    });
    // The pinned group was renamed and lost somebody: nobody goes without approval.
    let renamed = world.sync("corp").await;
    assert_eq!(state(&renamed), SyncRunState::Held, "{renamed:?}");

    test.config
        .change("corp", |domain| domain.group_revision += 1);
    let anew = world.sync("corp").await;

    assert_eq!(state(&anew), SyncRunState::Unchanged, "{anew:?}");
    let pinned = world.events().await.into_iter().filter_map(|(_, payload)| {
        let Payload::DirectoryPinned(pinned) = payload else {
            return None;
        };
        Some((pinned.generation, pinned.sync_group.unwrap().id))
    });
    let expected = [(1, FakeSource::sync_group()), (2, other)].map(|(n, id)| (n, id.to_string()));
    assert_eq!(pinned.collect::<Vec<_>>(), expected);
    world.stop().await;
}

//! The wrong directory, the wrong group, no group: nobody is touched.

use super::*;

#[test]
fn another_directory_stops_all_work() {
    let mut world = World::imported(THREE);
    world.source = FakeSource::with_users([]);
    world.source.identity = Identity::new([("directory", "two")]);

    let refused = world.sync_changes_nothing().unwrap_err();

    assert!(matches!(
        refused,
        Error::Refused(Refusal::IdentityMismatch { .. })
    ));
    let (code, reason) = world.last_run().failure.clone().unwrap();
    assert_eq!(code, FailureCode::IdentityMismatch);
    assert!(reason.contains("directory one") && reason.contains("directory two"));
}

#[test]
fn a_second_domain_of_the_same_directory_is_refused() {
    let mut world = World::new(THREE);
    let other = "other".parse().unwrap();
    world.store.others = vec![(other, world.source.identity.clone())];

    let refused = world.sync_changes_nothing().unwrap_err();

    assert!(matches!(
        refused,
        Error::Refused(Refusal::DirectoryTaken { .. })
    ));
}

#[test]
fn a_group_that_is_missing_or_there_twice_at_first_fails_the_run() {
    let mut missing = World::new(THREE);
    missing.source.remove_group(sync_group());
    let mut twice = World::new(THREE);
    twice
        .source
        .add_group(object(5_000), FakeSource::SYNC_GROUP);

    let missing = missing.sync_changes_nothing().unwrap_err();
    let twice = twice.sync_changes_nothing().unwrap_err();

    assert!(matches!(
        missing,
        Error::Refused(Refusal::GroupMissing { .. })
    ));
    assert!(matches!(
        twice,
        Error::Refused(Refusal::GroupAmbiguous { count: 2, .. })
    ));
}

#[test]
fn a_setting_with_a_mistyped_group_fails_and_removes_nobody() {
    let mut world = World::imported(THREE);
    world.settings.sync_group = "Security Key Onwers".to_owned();

    let refused = world.sync_changes_nothing().unwrap_err();

    assert!(matches!(
        refused,
        Error::Refused(Refusal::GroupMissing { .. })
    ));
}

#[test]
fn another_group_of_the_same_name_elsewhere_does_not_matter_once_pinned() {
    let mut world = World::imported(THREE);
    world
        .source
        .add_group(object(5_000), FakeSource::SYNC_GROUP);

    let state = world.sync_changes_nothing().unwrap();

    assert_eq!(state, RunState::NothingToDo);
}

#[test]
fn a_renamed_group_warns_and_lets_people_join() {
    let mut world = World::imported(THREE);
    world.source.rename_group(sync_group(), "Owners");
    let dan = object(60);
    world.source.accounts.insert(dan, account(dan, "dan"));
    world.source.join(sync_group(), dan);

    assert_eq!(world.sync().unwrap(), RunState::Applied);

    assert_eq!(world.presence(dan), Some(Presence::Member));
    assert_eq!(world.codes(), [IssueCode::GroupRenamed]);
}

#[test]
fn a_group_emptied_deleted_or_renamed_away_removes_nobody() {
    type Edit = fn(&mut FakeSource);
    let edits: [(&str, Edit); 4] = [
        ("GROUP_EMPTY", |source| source.edges.clear()),
        ("GROUP_MISSING", |source| source.remove_group(sync_group())),
        ("GROUP_RENAMED", |source| {
            source.rename_group(sync_group(), "Owners");
            source.leave(sync_group(), ada());
        }),
        ("GROUP_REPLACED", |source| {
            source.remove_group(sync_group());
            source.add_group(object(5_000), FakeSource::SYNC_GROUP);
        }),
    ];

    for (reason, edit) in edits {
        let mut world = World::imported(THREE);
        edit(&mut world.source);

        assert_eq!(world.sync_changes_nothing().unwrap(), RunState::Held);

        let reasons = world.last_run().reasons.iter();
        let reasons: Vec<&str> = reasons.map(crate::guard::Reason::code).collect();
        assert!(reasons.contains(&reason), "{reasons:?}");
    }
}

#[test]
fn a_filter_that_matches_nobody_removes_nobody() {
    let mut world = World::imported(THREE);
    let everybody = world.source.accounts.keys().copied();
    world.source.out_of_scope = everybody.collect();

    assert_eq!(world.sync_changes_nothing().unwrap(), RunState::Held);

    let reasons = &world.last_run().reasons;
    let text = "the sync group has 3 members, but none of them is in scope: 3 people would be removed, and nobody left; \
                check the domain's filter and its organizational units";
    assert_eq!(reasons[0].to_string(), text);
}

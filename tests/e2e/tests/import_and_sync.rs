//! Employees are exactly the group's members, and stay so.

use std::collections::BTreeSet;

use anyhow::Result;
use e2e::{GROUP, World};
use serde_json::Value;
use testkit::samba::{NewGroup, NewUser};

#[tokio::test]
async fn exactly_the_groups_members_are_imported_and_a_second_run_changes_nothing() -> Result<()> {
    let world = World::new().await?;
    let samba = &world.samba;
    for name in ["direct", "nested", "deep", "outsider", "primary"] {
        samba
            .create_user(NewUser::named(name).mail(format!("{name}@corp.test")))
            .await?;
    }
    // Two people of one name, one without mail, one disabled; names that must be escaped in filters and DNs.
    let ou = samba.create_ou("Sales, (EMEA) * \\ #1", None).await?;
    samba
        .create_user(
            NewUser::named("anna1")
                .cn("Anna Schmidt")
                .display_name("Anna Schmidt"),
        )
        .await?;
    let namesake = NewUser::named("anna2")
        .cn("Anna Schmidt")
        .display_name("Anna Schmidt");
    samba.create_user(namesake.within(&ou.dn)).await?;
    samba
        .create_user(NewUser::named("sleeper").disabled())
        .await?;
    for group in ["Engineering", "Remote", "Staff"] {
        samba.create_group(NewGroup::named(group)).await?;
    }
    samba
        .add_members(
            GROUP,
            &[
                "direct",
                "anna1",
                "anna2",
                "sleeper",
                "Engineering",
                "Staff",
            ],
        )
        .await?;
    samba
        .add_members("Engineering", &["nested", "Remote"])
        .await?;
    // A cycle.
    samba
        .add_members("Remote", &["deep", "Engineering"])
        .await?;
    samba.add_members("Staff", &["primary"]).await?;
    samba.set_primary_group("primary", "Staff").await?;
    world.add(&[]).await?;

    let ran = world.sync().await?;

    assert_eq!(ran.code, 0, "{ran:?}");
    let people = world
        .until("seven employees", |people| people.all.len() == 7)
        .await?;
    let expected = [
        "anna1", "anna2", "deep", "direct", "nested", "primary", "sleeper",
    ];
    assert_eq!(
        people
            .by_logon
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        expected
    );
    let active: BTreeSet<_> = people.active().into_iter().collect();
    assert_eq!(
        active,
        BTreeSet::from(["anna1", "anna2", "deep", "direct", "nested", "primary"])
    );
    assert!(
        people
            .get("sleeper")?
            .flag("/accounts/0/account/state/disabled")
    );
    assert_ne!(people.get("anna1")?.name, people.get("anna2")?.name);

    let ran = world.sync().await?;

    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.json()?.pointer("/state"),
        Some(&Value::from("SYNC_RUN_STATE_UNCHANGED"))
    );
    assert_eq!(
        world.people().await?,
        people,
        "nothing was told, so nothing moved"
    );
    Ok(())
}

#[tokio::test]
async fn renamed_moved_changed_disabled_removed_deleted_recreated_and_restored_end_as_they_should()
-> Result<()> {
    let world = World::new().await?;
    let samba = &world.samba;
    let names = [
        "renamed",
        "moved",
        "changed",
        "disabled",
        "removed",
        "deleted",
        "recreated",
        "restored",
        "locked",
    ];
    for name in names {
        samba
            .create_user(NewUser::named(name).mail(format!("{name}@corp.test")))
            .await?;
    }
    samba.add_members(GROUP, &names).await?;
    // More leave here than the guard would let pass.
    world
        .add(&[
            "--guard",
            "removals.least=50",
            "--guard",
            "members_lost.least=50",
        ])
        .await?;
    assert_eq!(world.sync().await?.code, 0);
    let before = world.settled(names.len()).await?;
    let guid = samba.entry("restored").await?.guid;

    samba.rename("renamed", "Newly Named").await?;
    samba.set("renamed", "sAMAccountName", &["newname"]).await?;
    let ou = samba.create_ou("Elsewhere", None).await?;
    samba.move_to("moved", &ou.dn).await?;
    samba.set("changed", "title", &["Director"]).await?;
    samba
        .set("changed", "mail", &["director@corp.test"])
        .await?;
    samba.disable("disabled").await?;
    samba.must_change_password("locked").await?;
    samba.remove_members(GROUP, &["removed"]).await?;
    for name in ["deleted", "recreated", "restored"] {
        samba.delete(name).await?;
    }
    samba
        .create_user(NewUser::named("recreated").mail("recreated@corp.test"))
        .await?;
    samba.add_members(GROUP, &["recreated"]).await?;
    let ran = world.sync().await?;
    assert_eq!(ran.code, 0, "{ran:?}");

    let person = |id: &str| before.get(id).map(|person| person.name.clone());
    let find = |people: &e2e::People, id: &str| -> Option<e2e::Person> {
        people.named(&person(id).ok()?).cloned()
    };
    // Each change is an event of its own: the last of them may come after those that are counted.
    let shows = |people: &e2e::People, id: &str, what: &str| {
        find(people, id).is_some_and(|person| person.json.to_string().contains(what))
    };
    let after = world.until("every change", |people| {
        people.active().len() == 5
            && shows(people, "renamed", "newname")
            && shows(people, "moved", "OU=Elsewhere")
            && shows(people, "changed", "director@corp.test")
            && shows(people, "locked", "mustChangePassword")
    });
    let after = after.await?;
    let renamed = find(&after, "renamed").expect("the same person");
    assert_eq!(renamed.text("/accounts/0/account/logonName"), "newname");
    let moved = find(&after, "moved").expect("the same person");
    assert!(
        moved
            .text("/accounts/0/account/distinguishedName")
            .contains("OU=Elsewhere")
    );
    let changed = find(&after, "changed").expect("the same person");
    assert_eq!(
        (changed.text("/title"), changed.text("/mail")),
        ("Director", "director@corp.test")
    );
    assert!(find(&after, "disabled").is_some_and(|person| !person.active));
    let locked = find(&after, "locked").expect("the same person");
    assert!(locked.active && locked.flag("/accounts/0/account/state/mustChangePassword"));
    let removed = find(&after, "removed").expect("kept, inactive");
    assert_eq!(
        (removed.active, removed.text("/accounts/0/account/presence")),
        (false, "PRESENCE_LEFT")
    );
    for id in ["deleted", "restored"] {
        assert!(
            find(&after, id).is_some_and(|person| !person.active),
            "{id}"
        );
    }
    let old = find(&after, "recreated").expect("kept, inactive");
    assert!(!old.active, "the one who was deleted");
    let new = after
        .all
        .iter()
        .find(|person| person.active && person.text("/mail") == "recreated@corp.test");
    assert_ne!(new.expect("the one who was created").name, old.name);

    samba.restore(guid, None).await?;
    samba.add_members(GROUP, &["restored"]).await?;
    samba.add_members(GROUP, &["removed"]).await?;
    samba.enable("disabled").await?;
    assert_eq!(world.sync().await?.code, 0);

    let last = world.settled(8).await?;
    for id in ["restored", "removed", "disabled"] {
        assert!(
            find(&last, id).is_some_and(|person| person.active),
            "{id} is the same person again"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_group_of_more_members_than_one_answer_holds_is_whole_and_a_dry_run_changes_nothing()
-> Result<()> {
    let world = World::new().await?;
    world
        .samba
        .bulk_users(testkit::samba::BulkUsers::new("bulk", 1_700).in_group(GROUP))
        .await?;
    world.add(&[]).await?;

    let dry = world.hes.words("sync run corp --dry-run -o json").await?;
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(
        dry.json()?.pointer("/plan/joins"),
        Some(&Value::from("1700"))
    );
    assert_eq!(world.people().await?.all.len(), 0);

    assert_eq!(world.sync().await?.code, 0);
    world.settled(1_700).await?;
    Ok(())
}

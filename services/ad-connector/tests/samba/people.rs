//! What becomes of people.

use api::connector::v1::SyncRunState;
use api::directory::v1::{Presence, Privilege};
use testkit::samba::NewUser;

use crate::dc::{Test, dc};

#[tokio::test]
async fn exactly_the_members_are_imported_and_an_unchanged_directory_is_left_alone() {
    let samba = dc().await;
    let test = Test::start("im").await;
    let base = samba.base_dn();
    samba
        .create_user(
            NewUser::named("im-ada")
                .mail("ada@corp.test")
                .display_name("Ada"),
        )
        .await
        .unwrap();
    samba
        .create_user(NewUser::named("im-off").disabled())
        .await
        .unwrap();
    samba
        .create_user(
            NewUser::named("im-new")
                .password("Us3r-Passw0rd!")
                .must_change_password(),
        )
        .await
        .unwrap();
    samba.create_user("im-locked").await.unwrap();
    samba.lock_out("im-locked").await.unwrap();
    samba.create_user("im-expired").await.unwrap();
    samba.expire_account("im-expired").await.unwrap();
    samba.create_user("im-nobody").await.unwrap();
    samba.create_user("im-rotated").await.unwrap();
    samba.create_group("im-inner").await.unwrap();
    samba.create_user("im-inside").await.unwrap();
    samba
        .add_members("im-inner", &["im-inside", "im-locked"])
        .await
        .unwrap();
    samba
        .add_members(
            "im-keys",
            &["im-ada", "im-off", "im-new", "im-expired", "im-inner"],
        )
        .await
        .unwrap();
    // A cycle.
    samba.add_members("im-inner", &["im-keys"]).await.unwrap();
    samba
        .add_members("im-rotation", &["im-ada", "im-rotated"])
        .await
        .unwrap();
    // Primary groups stand in no member attribute.
    samba.create_user("im-primary").await.unwrap();
    samba
        .add_members("im-inner", &["im-primary"])
        .await
        .unwrap();
    samba
        .set_primary_group("im-primary", "im-inner")
        .await
        .unwrap();

    let run = test.applied().await;
    let accounts = test.accounts().await;
    let again = test.sync().await;

    let names: Vec<&str> = accounts.keys().map(String::as_str).collect();
    let expected = [
        "im-ada",
        "im-expired",
        "im-inside",
        "im-locked",
        "im-new",
        "im-off",
        "im-primary",
        "im-rotated",
    ];
    assert_eq!(names, expected);
    assert_eq!(run.read.unwrap().members, 7);
    let ada = &accounts["im-ada"];
    assert_eq!(
        (ada.mail.as_str(), ada.display_name.as_str()),
        ("ada@corp.test", "Ada")
    );
    assert_eq!(ada.distinguished_name, format!("CN=im-ada,CN=Users,{base}"));
    assert!(ada.security_identifier.starts_with(samba.domain_sid()));
    assert!(ada.in_rotation_group && ada.in_sync_group);
    let state = |name: &str| accounts[name].state.unwrap();
    assert!(state("im-off").disabled && !state("im-ada").disabled);
    assert!(state("im-locked").locked && !state("im-ada").locked);
    assert!(state("im-expired").expired && !state("im-ada").expired);
    assert!(state("im-new").must_change_password);
    assert_ne!(state("im-ada").privileged(), Privilege::Yes);
    assert_eq!(accounts["im-rotated"].presence(), Presence::RotationOnly);
    assert_eq!(again.state(), SyncRunState::Unchanged, "{again:#?}");
    test.world.stop().await;
}

#[tokio::test]
async fn a_person_is_their_object_id_whatever_becomes_of_the_name() {
    let samba = dc().await;
    let test = Test::start("id").await;
    let ou = samba.create_ou("id-ou", None).await.unwrap();
    let [ada, bob, cyd, dee, eve] = ["id-ada", "id-bob", "id-cyd", "id-dee", "id-eve"];
    for name in [ada, bob, cyd, dee, eve] {
        samba
            .create_user(NewUser::named(name).mail(format!("{name}@corp.test")))
            .await
            .unwrap();
    }
    samba
        .add_members("id-keys", &[ada, bob, cyd, dee, eve])
        .await
        .unwrap();
    test.applied().await;
    let before = test.accounts().await;

    // Renamed and moved, changed, disabled: the same people.
    samba
        .set(ada, "sAMAccountName", &["id-ada-smith"])
        .await
        .unwrap();
    samba.rename("id-ada-smith", "Ada Smith").await.unwrap();
    samba.move_to("id-ada-smith", &ou.dn).await.unwrap();
    samba.set(bob, "mail", &[]).await.unwrap();
    samba.disable(cyd).await.unwrap();
    let run = test.applied().await;
    let after = test.accounts().await;
    assert_eq!(run.plan.unwrap().items, 3, "{run:#?}");
    assert_eq!(after["id-ada-smith"].name, before[ada].name);
    assert_eq!(
        after["id-ada-smith"].distinguished_name,
        format!("CN=Ada Smith,{}", ou.dn)
    );
    assert_eq!(after[bob].mail, "");
    assert!(after[cyd].state.unwrap().disabled);

    // Removed from the group, and deleted: gone in different ways.
    let dee_entry = samba.entry(dee).await.unwrap();
    samba
        .allow_reading_deleted(testkit::samba::SERVICE_ACCOUNT)
        .await
        .unwrap();
    samba.remove_members("id-keys", &[eve]).await.unwrap();
    samba.delete(dee).await.unwrap();
    let run = test.applied().await;
    let plan = run.plan.unwrap();
    assert_eq!((plan.leaves, plan.deletes), (1, 1), "{run:#?}");
    let after = test.accounts().await;
    assert_eq!(after[eve].presence(), Presence::Left);
    assert_eq!(after[dee].presence(), Presence::Deleted);

    // Made anew under the same name: another person. Restored: the old one.
    samba
        .create_user(NewUser::named(eve).cn("another eve"))
        .await
        .unwrap_err();
    samba.delete(eve).await.unwrap();
    samba.create_user(eve).await.unwrap();
    samba.restore(dee_entry.guid, None).await.unwrap();
    samba.add_members("id-keys", &[eve, dee]).await.unwrap();
    let run = test.applied().await;
    let plan = run.plan.unwrap();
    assert_eq!((plan.joins, plan.returns), (1, 1), "{run:#?}");
    let people = test.world.accounts("corp").await;
    let eves: Vec<_> = people
        .iter()
        .filter(|account| account.logon_name == eve)
        .collect();
    assert_eq!(eves.len(), 2);
    let dees: Vec<_> = people
        .iter()
        .filter(|account| account.logon_name == dee)
        .collect();
    assert_eq!((dees.len(), dees[0].presence()), (1, Presence::Member));
    assert_eq!(dees[0].name, before[dee].name);
    test.world.stop().await;
}

#[tokio::test]
async fn who_is_outside_the_scope_has_left_and_an_unreadable_attribute_is_not_cleared() {
    let samba = dc().await;
    let test = Test::start("sc").await;
    let ou = samba.create_ou("sc-ou", None).await.unwrap();
    let users = ["sc-ada", "sc-bob", "sc-cyd"];
    for name in users {
        samba
            .create_user(
                NewUser::named(name)
                    .within(&ou.dn)
                    .mail(format!("{name}@corp.test")),
            )
            .await
            .unwrap();
    }
    samba.add_members("sc-keys", &users).await.unwrap();
    test.settings(|settings| settings.include_ous = vec![ou.dn.clone()]);
    test.applied().await;

    samba
        .deny_read("sc-ada", "mail", testkit::samba::SERVICE_ACCOUNT)
        .await
        .unwrap();
    samba
        .move_to("sc-bob", &format!("CN=Users,{}", samba.base_dn()))
        .await
        .unwrap();
    samba
        .deny_everything("sc-cyd", testkit::samba::SERVICE_ACCOUNT)
        .await
        .unwrap();
    let run = test.sync().await;

    let accounts = test.accounts().await;
    assert_eq!(accounts["sc-ada"].mail, "sc-ada@corp.test", "{run:#?}");
    assert_eq!(accounts["sc-bob"].presence(), Presence::Left);
    assert_eq!(accounts["sc-cyd"].presence(), Presence::Member);
    assert!(
        run.issues
            .iter()
            .any(|issue| issue.reason == "UNCONFIRMED" || issue.reason == "UNREADABLE"),
        "{run:#?}"
    );
    test.world.stop().await;
}

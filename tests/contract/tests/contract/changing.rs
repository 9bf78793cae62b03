//! What changes, and what does not.

use anyhow::{Context as _, Result};
use contract::{Change, Directory, control, on_both};
use ldap3::Scope;

on_both![
    a_name_is_taken_once,
    a_member_is_added_once_and_removed_once,
    a_rename_and_a_move_keep_the_id_and_leave_groups_untouched,
    what_is_deleted_keeps_its_id_and_little_else,
    what_is_deleted_leaves_its_groups_without_a_word,
    what_is_restored_is_the_same_object,
    what_is_made_again_is_another_object,
    an_ordinary_account_changes_nothing,
    times_of_passwords_take_two_values_only,
];

async fn a_name_is_taken_once(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let ou = directory.add_ou(&admin, "Elsewhere").await?;
    let user = |logon: &str| {
        [
            ("objectClass", vec![b"user".to_vec()]),
            ("sAMAccountName", vec![logon.as_bytes().to_vec()]),
        ]
    };

    assert_eq!(admin.add(&dn, &user("ada2")).await?, 68);
    // The same name elsewhere is another person; the same logon name is nobody's.
    assert_eq!(admin.add(&format!("CN=ada,{ou}"), &user("ADA")).await?, 68);
    assert_eq!(admin.add(&format!("CN=ada,{ou}"), &user("ada2")).await?, 0);
    assert_eq!(
        admin
            .add(
                &format!("CN=ada,OU=Nowhere,{}", directory.base),
                &user("ada3")
            )
            .await?,
        32
    );
    Ok(())
}

async fn a_member_is_added_once_and_removed_once(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let group = directory.add_group(&admin, "Keys").await?;

    assert_eq!(
        admin.modify(&group, &[Change::Add("member", &dn)]).await?.0,
        0
    );
    assert_eq!(
        admin.modify(&group, &[Change::Add("member", &dn)]).await?.0,
        68
    );
    assert_eq!(
        admin
            .modify(&group, &[Change::Delete("member", &dn)])
            .await?
            .0,
        0
    );
    assert_eq!(
        admin
            .modify(&group, &[Change::Delete("member", &dn)])
            .await?
            .0,
        53
    );
    let nobody = directory.user_dn("nobody");
    assert_eq!(
        admin
            .modify(&group, &[Change::Add("member", &nobody)])
            .await?
            .0,
        32
    );
    // All or nothing: the first half of a change that fails is not kept.
    let halves = [
        Change::Replace("description", "x"),
        Change::Delete("member", &dn),
    ];
    assert_eq!(admin.modify(&group, &halves).await?.0, 53);
    assert!(
        !admin
            .get(&group, &["description"])
            .await?
            .has("description")
    );
    Ok(())
}

async fn a_rename_and_a_move_keep_the_id_and_leave_groups_untouched(
    directory: &Directory,
) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let ou = directory.add_ou(&admin, "Elsewhere").await?;
    let group = directory.add_group(&admin, "Keys").await?;
    admin.modify(&group, &[Change::Add("member", &dn)]).await?;
    let before = admin.get(&dn, &["objectGUID"]).await?.guid();
    let usn = admin.get(&group, &["uSNChanged"]).await?.text("uSNChanged");

    assert_eq!(admin.rename(&dn, "CN=Lovelace\\, Ada", Some(&ou)).await?, 0);

    let moved = admin
        .get(
            &format!("CN=Lovelace\\, Ada,{ou}"),
            &["objectGUID", "cn", "name", "sAMAccountName"],
        )
        .await?;
    assert_eq!(moved.guid(), before);
    assert_eq!(
        [moved.text("cn"), moved.text("name")],
        ["Lovelace, Ada", "Lovelace, Ada"]
    );
    assert_eq!(moved.text("sAMAccountName"), "ada");
    assert!(admin.read(&dn, &["cn"]).await?.is_none());
    let group = admin.get(&group, &["member", "uSNChanged"]).await?;
    assert_eq!(
        group.texts("member"),
        [format!("CN=Lovelace\\, Ada,{ou}")].into()
    );
    assert_eq!(group.text("uSNChanged"), usn);
    Ok(())
}

async fn what_is_deleted_keeps_its_id_and_little_else(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let guid = admin.get(&dn, &["objectGUID"]).await?.guid();

    assert_eq!(admin.delete(&dn).await?, 0);
    assert_eq!(admin.delete(&dn).await?, 32);

    let filter = "(&(isDeleted=TRUE)(sAMAccountName=ada))";
    let hidden = admin.find(&directory.base, filter, &["cn"]).await?;
    assert!(hidden.entries.is_empty());
    let asked = [
        "objectGUID",
        "sAMAccountName",
        "lastKnownParent",
        "isDeleted",
        "mail",
        "objectSid",
        "userPrincipalName",
    ];
    let deleted = admin
        .search(
            &directory.base,
            Scope::Subtree,
            filter,
            &asked,
            vec![control::show_deleted()],
        )
        .await?;
    let tombstone = deleted.entries.first().context("no tombstone")?;
    assert_eq!(tombstone.guid(), guid);
    assert_eq!(tombstone.text("sAMAccountName"), "ada");
    assert_eq!(tombstone.text("lastKnownParent"), directory.users());
    assert_eq!(tombstone.text("isDeleted"), "TRUE");
    assert!(
        tombstone.has("objectSid") && !tombstone.has("mail") && !tombstone.has("userPrincipalName")
    );
    let id = uuid::Uuid::from_slice_le(&guid)?;
    let name = format!("CN=ada\\0ADEL:{id},CN=Deleted Objects,{}", directory.base);
    assert_eq!(tombstone.dn, name);
    // Whoever may not look into the container sees nothing, and no error.
    directory.add_user(&admin, "bob").await?;
    let bob = directory.as_user("bob").await?;
    let seen = bob
        .search(
            &directory.base,
            Scope::Subtree,
            filter,
            &["cn"],
            vec![control::show_deleted()],
        )
        .await?;
    assert_eq!((seen.code, seen.entries.len()), (0, 0));
    Ok(())
}

async fn what_is_deleted_leaves_its_groups_without_a_word(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let group = directory.add_group(&admin, "Keys").await?;
    admin.modify(&group, &[Change::Add("member", &dn)]).await?;
    let usn = admin.get(&group, &["uSNChanged"]).await?.text("uSNChanged");

    admin.delete(&dn).await?;

    let group = admin.get(&group, &["member", "uSNChanged"]).await?;
    assert!(!group.has("member"));
    assert_eq!(group.text("uSNChanged"), usn);
    Ok(())
}

async fn what_is_restored_is_the_same_object(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let guid = admin.get(&dn, &["objectGUID"]).await?.guid();
    admin.delete(&dn).await?;
    let id = uuid::Uuid::from_slice_le(&guid)?;

    let tombstone = format!("CN=ada\\0ADEL:{id},CN=Deleted Objects,{}", directory.base);
    assert_eq!(admin.restore(&tombstone, &dn).await?, 0);

    let back = admin
        .get(&dn, &["objectGUID", "isDeleted", "sAMAccountName"])
        .await?;
    assert_eq!(back.guid(), guid);
    assert_eq!(back.text("sAMAccountName"), "ada");
    assert!(!back.has("isDeleted"));
    Ok(())
}

async fn what_is_made_again_is_another_object(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let first = admin.get(&dn, &["objectGUID", "objectSid"]).await?;
    admin.delete(&dn).await?;

    directory.add_user(&admin, "ada").await?;

    let second = admin.get(&dn, &["objectGUID", "objectSid"]).await?;
    assert_ne!(first.guid(), second.guid());
    assert_ne!(first.values("objectSid"), second.values("objectSid"));
    Ok(())
}

async fn an_ordinary_account_changes_nothing(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let group = directory.add_group(&admin, "Keys").await?;
    directory.add_user(&admin, "bob").await?;
    let bob = directory.as_user("bob").await?;

    assert_eq!(bob.get(&dn, &["mail"]).await?.text("mail"), "ada@mail.test");
    assert_eq!(
        bob.modify(&dn, &[Change::Replace("mail", "x@y.test")])
            .await?
            .0,
        50
    );
    assert_eq!(
        bob.modify(&dn, &[Change::Reset("An0ther-Passw0rd!")])
            .await?
            .0,
        50
    );
    assert_eq!(
        bob.modify(&group, &[Change::Add("member", &dn)]).await?.0,
        50
    );
    assert_eq!(bob.delete(&dn).await?, 50);
    assert_eq!(bob.rename(&dn, "CN=eve", None).await?, 50);
    Ok(())
}

async fn times_of_passwords_take_two_values_only(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let set = admin.get(&dn, &["pwdLastSet"]).await?.text("pwdLastSet");
    assert!(set.parse::<i64>()? > 0);

    assert_eq!(
        admin
            .modify(&dn, &[Change::Replace("pwdLastSet", "0")])
            .await?
            .0,
        0
    );
    assert_eq!(
        admin.get(&dn, &["pwdLastSet"]).await?.text("pwdLastSet"),
        "0"
    );
    assert_eq!(
        admin
            .modify(&dn, &[Change::Replace("pwdLastSet", "-1")])
            .await?
            .0,
        0
    );
    assert!(
        admin
            .get(&dn, &["pwdLastSet"])
            .await?
            .text("pwdLastSet")
            .parse::<i64>()?
            > 0
    );
    Ok(())
}

//! How changes are followed: USNs, metadata, DirSync.

use anyhow::{Context as _, Result};
use contract::{Answer, Change, Client, Directory, control, on_both};
use ldap3::Scope;

on_both![
    a_change_raises_the_objects_usn_and_no_others,
    dirsync_tells_a_change_once_and_only_what_changed,
    dirsync_tells_single_members_that_came_and_went,
    dirsync_tells_a_move_and_a_deletion,
    dirsync_needs_a_right_and_the_root_of_the_domain,
];

async fn usn(client: &Client, dn: &str) -> Result<u64> {
    Ok(client
        .get(dn, &["uSNChanged"])
        .await?
        .text("uSNChanged")
        .parse()?)
}

async fn a_change_raises_the_objects_usn_and_no_others(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let other = directory.add_user(&admin, "bob").await?;
    let group = directory.add_group(&admin, "Keys").await?;
    let before = [
        usn(&admin, &dn).await?,
        usn(&admin, &other).await?,
        usn(&admin, &group).await?,
    ];
    let highest = async || {
        let root = admin.get("", &["highestCommittedUSN"]).await?;
        Ok::<u64, anyhow::Error>(root.text("highestCommittedUSN").parse()?)
    };
    let marked = highest().await?;

    admin
        .modify(&dn, &[Change::Replace("title", "Countess")])
        .await?;
    // A membership is the group's, not the member's.
    admin
        .modify(&group, &[Change::Add("member", &other)])
        .await?;

    assert!(usn(&admin, &dn).await? > before[0].max(marked));
    assert_eq!(usn(&admin, &other).await?, before[1]);
    assert!(usn(&admin, &group).await? > before[2]);
    let filter = format!("(uSNChanged>={})", marked + 1);
    let changed = admin
        .find(&directory.base, &filter, &["cn"])
        .await?
        .firsts("cn");
    assert!(
        changed.contains("ada") && changed.contains("Keys") && !changed.contains("bob"),
        "{changed:?}"
    );
    Ok(())
}

const INCREMENTAL: u32 = 0x8000_0000;
const ASKED: [&str; 7] = [
    "name",
    "parentGUID",
    "isDeleted",
    "objectGUID",
    "title",
    "member",
    "mail",
];

async fn round(
    directory: &Directory,
    client: &Client,
    flags: u32,
    cookie: &mut Vec<u8>,
) -> Result<Answer> {
    let answer = client
        .search(
            &directory.base,
            Scope::Subtree,
            "(objectClass=*)",
            &ASKED,
            vec![control::dirsync(flags, cookie)],
        )
        .await?;
    let value = answer
        .control(control::DIRSYNC)
        .context("a round without its control")?;
    assert_eq!(control::number(value), 0, "the round is not whole");
    *cookie = control::cookie(value);
    Ok(answer)
}

async fn dirsync_tells_a_change_once_and_only_what_changed(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let guid = admin.get(&dn, &["objectGUID"]).await?.guid();
    let mut cookie = Vec::new();

    let first = round(directory, &admin, INCREMENTAL, &mut cookie).await?;
    let ada = first.of(&guid).context("not in the first round")?;
    assert_eq!(ada.text("mail"), "ada@mail.test");
    assert!(
        round(directory, &admin, INCREMENTAL, &mut cookie)
            .await?
            .of(&guid)
            .is_none()
    );

    admin
        .modify(
            &dn,
            &[Change::Replace("title", "Countess"), Change::Clear("mail")],
        )
        .await?;
    let second = round(directory, &admin, INCREMENTAL, &mut cookie).await?;
    let ada = second.of(&guid).context("not in the second round")?;
    assert_eq!(ada.text("title"), "Countess");
    // Cleared: named, without a value. What did not change is not named, but for who it is.
    assert!(ada.has("mail") && ada.values("mail").is_empty());
    let named = ["title", "mail", "objectguid", "instancetype"].map(str::to_owned);
    assert_eq!(ada.names(), named.into());
    assert!(
        round(directory, &admin, INCREMENTAL, &mut cookie)
            .await?
            .of(&guid)
            .is_none()
    );
    Ok(())
}

async fn dirsync_tells_single_members_that_came_and_went(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let ada = directory.add_user(&admin, "ada").await?;
    let bob = directory.add_user(&admin, "bob").await?;
    let group = directory.add_group(&admin, "Keys").await?;
    admin.modify(&group, &[Change::Add("member", &ada)]).await?;
    let guid = admin.get(&group, &["objectGUID"]).await?.guid();
    let (mut single, mut whole) = (Vec::new(), Vec::new());
    round(directory, &admin, INCREMENTAL, &mut single).await?;
    round(directory, &admin, 0, &mut whole).await?;

    admin.modify(&group, &[Change::Add("member", &bob)]).await?;
    admin
        .modify(&group, &[Change::Delete("member", &ada)])
        .await?;

    let answer = round(directory, &admin, INCREMENTAL, &mut single).await?;
    let keys = answer.of(&guid).context("the group is not told of")?;
    assert_eq!(keys.texts("member;range=1-1"), [bob.clone()].into());
    assert_eq!(keys.texts("member;range=0-0"), [ada].into());
    let answer = round(directory, &admin, 0, &mut whole).await?;
    let keys = answer.of(&guid).context("the group is not told of")?;
    assert_eq!(keys.texts("member"), [bob.clone()].into());

    // A member that is deleted goes without a word on the group.
    admin.delete(&bob).await?;
    assert!(
        round(directory, &admin, INCREMENTAL, &mut single)
            .await?
            .of(&guid)
            .is_none()
    );
    Ok(())
}

async fn dirsync_tells_a_move_and_a_deletion(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let ou = directory.add_ou(&admin, "Elsewhere").await?;
    let guid = admin.get(&dn, &["objectGUID"]).await?.guid();
    let place = admin.get(&ou, &["objectGUID"]).await?.guid();
    let mut cookie = Vec::new();
    round(directory, &admin, INCREMENTAL, &mut cookie).await?;

    admin.rename(&dn, "CN=ada", Some(&ou)).await?;
    let answer = round(directory, &admin, INCREMENTAL, &mut cookie).await?;
    let ada = answer.of(&guid).context("the move is not told")?;
    assert_eq!(ada.text("name"), "ada");
    assert_eq!(ada.values("parentGUID"), [place]);

    admin.delete(&format!("CN=ada,{ou}")).await?;
    let answer = round(directory, &admin, INCREMENTAL, &mut cookie).await?;
    let ada = answer.of(&guid).context("the deletion is not told")?;
    assert_eq!(ada.text("isDeleted"), "TRUE");
    Ok(())
}

async fn dirsync_needs_a_right_and_the_root_of_the_domain(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    directory.add_user(&admin, "bob").await?;
    let bob = directory.as_user("bob").await?;
    let ask = async |client: &Client, base: &str, flags| {
        let controls = vec![control::dirsync(flags, &[])];
        client
            .search(base, Scope::Subtree, "(objectClass=*)", &["name"], controls)
            .await
    };

    assert_eq!(ask(&bob, &directory.base, 0).await?.code, 50);
    // By his own eyes he may.
    let seen = ask(&bob, &directory.base, 1).await?;
    assert!(seen.code == 0 && seen.firsts("name").contains("bob"));
    assert_eq!(ask(&admin, &directory.users(), 0).await?.code, 50);
    Ok(())
}

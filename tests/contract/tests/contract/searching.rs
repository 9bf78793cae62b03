//! What is found, and how it is shown.

use anyhow::{Context as _, Result};
use contract::{Change, Directory, control, on_both};
use ldap3::Scope;

on_both![
    nobody_sees_anything_but_the_root,
    a_user_is_found_by_any_kind_of_filter,
    an_unknown_attribute_matches_nothing_and_harms_nothing,
    an_object_is_read_by_its_ids,
    names_come_with_ids_when_asked_for,
    pages_are_followed_to_their_end,
    values_are_given_in_the_ranges_asked_for,
    memberships_are_seen_from_both_sides_and_through_groups,
    what_is_elsewhere_is_referred_and_what_is_nowhere_is_missed,
];

async fn nobody_sees_anything_but_the_root(directory: &Directory) -> Result<()> {
    let nobody = directory.connect().await?;

    let root = nobody
        .get(
            "",
            &[
                "defaultNamingContext",
                "dsServiceName",
                "highestCommittedUSN",
            ],
        )
        .await?;
    assert_eq!(
        root.text("defaultNamingContext").to_lowercase(),
        directory.base.to_lowercase()
    );
    assert!(root.text("dsServiceName").starts_with("CN=NTDS Settings,"));
    assert!(root.text("highestCommittedUSN").parse::<u64>().is_ok());
    let answer = nobody
        .find(&directory.base, "(objectClass=user)", &["cn"])
        .await?;
    assert_eq!(
        (answer.code, answer.entries.len()),
        (1, 0),
        "{}",
        answer.text
    );
    Ok(())
}

async fn a_user_is_found_by_any_kind_of_filter(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    admin
        .modify(&dn, &[Change::Replace("department", "Engines")])
        .await?;
    let domain_users = directory.user_dn("Domain Users");
    for filter in [
        "(sAMAccountName=ADA)",
        "(userPrincipalName=ada@corp.test)",
        "(&(objectCategory=person)(objectClass=user)(cn=ada))",
        "(mail=ADA@mail.*)",
        "(mail=*da@m*il.test)",
        "(&(cn=ada)(department>=engine)(!(department=Sales)))",
        "(&(cn=ada)(userAccountControl:1.2.840.113556.1.4.803:=512))",
        "(&(cn=ada)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
        "(&(cn=ada)(userAccountControl:1.2.840.113556.1.4.804:=514))",
        "(&(cn=ada)(primaryGroupID=513))",
        "(&(cn=ada)(pwdLastSet>=1))",
    ] {
        let answer = admin.find(&directory.base, filter, &["cn"]).await?;
        assert_eq!(answer.code, 0, "{filter}: {}", answer.text);
        assert_eq!(answer.firsts("cn"), ["ada".to_owned()].into(), "{filter}");
    }
    // The class alone means computers too; the category does not.
    let machines = admin
        .find(
            &directory.base,
            "(&(objectClass=user)(objectClass=computer))",
            &["cn"],
        )
        .await?;
    assert!(!machines.entries.is_empty());
    let people = admin
        .find(
            &directory.base,
            "(&(objectCategory=person)(objectClass=computer))",
            &["cn"],
        )
        .await?;
    assert!(people.entries.is_empty());
    // The primary group is in no list of members.
    let listed = admin
        .find(
            &directory.base,
            &format!("(&(cn=ada)(memberOf={domain_users}))"),
            &["cn"],
        )
        .await?;
    assert!(listed.entries.is_empty());
    Ok(())
}

async fn an_unknown_attribute_matches_nothing_and_harms_nothing(
    directory: &Directory,
) -> Result<()> {
    let admin = directory.administrator().await?;
    directory.add_user(&admin, "ada").await?;

    let answer = admin
        .find(
            &directory.base,
            "(|(cn=ada)(noSuchAttribute=x))",
            &["cn", "noSuchAttribute"],
        )
        .await?;
    let [ada] = answer.entries.as_slice() else {
        anyhow::bail!("{answer:?}");
    };
    assert_eq!(ada.names(), ["cn".to_owned()].into());
    Ok(())
}

async fn an_object_is_read_by_its_ids(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let ada = admin.get(&dn, &["objectGUID", "objectSid"]).await?;
    let guid = uuid::Uuid::from_slice_le(&ada.guid())?;
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("\\{byte:02x}"))
            .collect::<String>()
    };

    let by_guid = admin.get(&format!("<GUID={guid}>"), &["cn"]).await?;
    assert_eq!((by_guid.text("cn"), by_guid.dn), ("ada".to_owned(), dn));
    let sid = ada.values("objectSid").first().context("no SID")?.clone();
    let plain: String = sid.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        admin
            .get(&format!("<SID={plain}>"), &["cn"])
            .await?
            .text("cn"),
        "ada"
    );
    for filter in [
        format!("(objectGUID={})", hex(&ada.guid())),
        format!("(objectSid={})", hex(&sid)),
    ] {
        let answer = admin.find(&directory.base, &filter, &["cn"]).await?;
        assert_eq!(answer.firsts("cn"), ["ada".to_owned()].into(), "{filter}");
    }
    let users = format!(
        "<WKGUID=a9d1ca15768811d1aded00c04fd8d5cd,{}>",
        directory.base
    );
    assert_eq!(admin.get(&users, &["cn"]).await?.text("cn"), "Users");
    Ok(())
}

async fn names_come_with_ids_when_asked_for(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let group = directory.add_group(&admin, "Keys").await?;
    admin.modify(&group, &[Change::Add("member", &dn)]).await?;
    let guid = uuid::Uuid::from_slice_le(&admin.get(&dn, &["objectGUID"]).await?.guid())?;

    let answer = admin
        .search(
            &group,
            Scope::Base,
            "(objectClass=*)",
            &["member"],
            vec![control::extended_dn()],
        )
        .await?;
    let keys = answer.entries.first().context("no group")?;
    let member = keys.text("member");
    assert!(
        member.starts_with(&format!("<GUID={guid}>;<SID=S-1-5-21-")),
        "{member}"
    );
    assert!(member.ends_with(&format!(">;{dn}")), "{member}");
    assert!(keys.dn.starts_with("<GUID="), "{}", keys.dn);
    Ok(())
}

async fn pages_are_followed_to_their_end(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let mut expected = std::collections::HashSet::new();
    for number in 0..5 {
        directory.add_user(&admin, &format!("page{number}")).await?;
        expected.insert(format!("page{number}"));
    }
    let (mut cookie, mut seen, mut pages) = (Vec::new(), std::collections::HashSet::new(), 0);
    loop {
        let paged = vec![control::paged(2, &cookie)];
        let answer = admin
            .search(
                &directory.base,
                Scope::Subtree,
                "(sAMAccountName=page*)",
                &["cn"],
                paged,
            )
            .await?;
        assert!(answer.code == 0 && answer.entries.len() <= 2, "{answer:?}");
        seen.extend(answer.firsts("cn"));
        pages += 1;
        let value = answer
            .control(control::PAGED)
            .context("a page without its control")?;
        cookie = control::cookie(value);
        if cookie.is_empty() {
            break;
        }
    }
    assert_eq!((seen, pages), (expected, 3));
    Ok(())
}

async fn values_are_given_in_the_ranges_asked_for(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let group = directory.add_group(&admin, "Keys").await?;
    let mut all = std::collections::HashSet::new();
    for number in 0..5 {
        let dn = directory.add_user(&admin, &format!("user{number}")).await?;
        admin.modify(&group, &[Change::Add("member", &dn)]).await?;
        all.insert(dn);
    }
    let first = admin.get(&group, &["member;range=0-1"]).await?;
    assert_eq!(first.names(), ["member;range=0-1".to_owned()].into());
    let last = admin.get(&group, &["member;range=2-*"]).await?;
    assert_eq!(last.names(), ["member;range=2-*".to_owned()].into());
    let seen: std::collections::HashSet<_> = first
        .texts("member;range=0-1")
        .union(&last.texts("member;range=2-*"))
        .cloned()
        .collect();
    assert_eq!(seen, all);
    Ok(())
}

async fn memberships_are_seen_from_both_sides_and_through_groups(
    directory: &Directory,
) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let inner = directory.add_group(&admin, "Inner").await?;
    let outer = directory.add_group(&admin, "Outer").await?;
    admin.modify(&inner, &[Change::Add("member", &dn)]).await?;
    admin
        .modify(&outer, &[Change::Add("member", &inner)])
        .await?;
    // A circle harms nobody.
    admin
        .modify(&inner, &[Change::Add("member", &outer)])
        .await?;

    let ada = admin.get(&dn, &["memberOf", "tokenGroups"]).await?;
    assert_eq!(ada.texts("memberOf"), [inner.clone()].into());
    let mut token = Vec::new();
    for group in [&inner, &outer, &directory.user_dn("Domain Users")] {
        let sid = admin.get(group, &["objectSid"]).await?;
        token.push(sid.values("objectSid").first().context("no SID")?.clone());
    }
    for sid in token {
        assert!(
            ada.values("tokenGroups").contains(&sid),
            "a group is missing in {ada:?}"
        );
    }
    let chain = format!("(&(cn=ada)(memberOf:1.2.840.113556.1.4.1941:={outer}))");
    assert_eq!(
        admin
            .find(&directory.base, &chain, &["cn"])
            .await?
            .entries
            .len(),
        1
    );
    let chain = format!("(member:1.2.840.113556.1.4.1941:={dn})");
    let groups = admin
        .find(&directory.base, &chain, &["cn"])
        .await?
        .firsts("cn");
    assert_eq!(groups, ["Inner".to_owned(), "Outer".to_owned()].into());
    Ok(())
}

async fn what_is_elsewhere_is_referred_and_what_is_nowhere_is_missed(
    directory: &Directory,
) -> Result<()> {
    let admin = directory.administrator().await?;

    let answer = admin.find(&directory.base, "(cn=nobody)", &["cn"]).await?;
    assert!(answer.code == 0 && answer.references > 0, "{answer:?}");
    let missing = format!("OU=Nowhere,{}", directory.base);
    let answer = admin.find(&missing, "(objectClass=*)", &["cn"]).await?;
    assert_eq!(answer.code, 32, "{}", answer.text);
    let answer = admin.find("nonsense", "(objectClass=*)", &["cn"]).await?;
    assert_eq!(answer.code, 34, "{}", answer.text);
    Ok(())
}

use std::collections::{BTreeMap, BTreeSet};

use ad_client::{
    Error, GroupMatch, Page, Proof, ReadScope, ScopeError, Session, UserFilter, Whereabouts,
};
use directory::{Edge, ObjectId};
use testkit::Samba;
use testkit::samba::{NewGroup, NewUser};

use crate::dc::{PASSWORD, add_ace, admin, dc, id, reader};

async fn read_all(session: &Session, scope: &ReadScope) -> (Page, Proof) {
    let mut read = session.read(scope).await.unwrap();
    let mut all = Page::default();
    while let Some(page) = read.next().await.unwrap() {
        assert!(page.accounts.len() <= usize::from(scope.page_size));
        assert!(page.groups.len() <= usize::from(scope.page_size));
        all.groups.extend(page.groups);
        all.accounts.extend(page.accounts);
        all.edges.extend(page.edges);
        all.issues.extend(page.issues);
    }
    (all, read.proof().unwrap().clone())
}

/// The ids of `user00` to `user49`, as the database has them.
async fn users(samba: &Samba) -> BTreeMap<String, ObjectId> {
    let mut ids = BTreeMap::new();
    for n in 0..50 {
        let name = format!("user{n:02}");
        ids.insert(name.clone(), id(&samba.entry(&name).await.unwrap()));
    }
    ids
}

#[tokio::test]
async fn a_read_in_small_pages_and_ranges_is_complete() {
    let samba = dc().await;
    let session = reader(samba).await;
    let scope = ReadScope {
        page_size: 7,
        range_window: 3,
        user_filter: Some(UserFilter::parse("(sAMAccountName=user*)").unwrap()),
        ..ReadScope::default()
    };

    let (all, proof) = read_all(&session, &scope).await;

    // Every id as the database has it: those whose bytes happen to be text among them.
    let expected = users(samba).await;
    let names: BTreeMap<_, _> = all
        .accounts
        .iter()
        .map(|account| (account.logon_name.clone(), account.id))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(all.accounts.len(), 50);
    assert_eq!(proof.accounts, 50);
    assert_eq!(all.issues, []);

    let groups: BTreeMap<_, _> = all
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group))
        .collect();
    assert!(
        groups["Keys"].dn.starts_with("CN=Keys,"),
        "{}",
        groups["Keys"].dn
    );
    let members = |group: &str| -> BTreeSet<ObjectId> {
        let group = groups[group].id;
        all.edges
            .iter()
            .filter(|edge| edge.group == group)
            .map(|edge| edge.member)
            .collect()
    };
    let mut keys: BTreeSet<_> = (0..10).map(|n| expected[&format!("user{n:02}")]).collect();
    keys.insert(groups["Inner"].id);
    assert_eq!(members("Keys"), keys);
    assert_eq!(
        members("Inner"),
        (10..20).map(|n| expected[&format!("user{n:02}")]).collect()
    );
    // Not in its member attribute: each user's primary group.
    assert!(
        expected
            .values()
            .all(|id| members("Domain Users").contains(id))
    );
    // In the whole default window the same edges come in one piece.
    let (whole, _) = read_all(
        &session,
        &ReadScope {
            range_window: 1500,
            ..scope
        },
    )
    .await;
    let keys = groups["Keys"].id;
    let set = |edges: &[Edge]| -> BTreeSet<_> {
        edges
            .iter()
            .copied()
            .filter(|edge| edge.group == keys)
            .collect()
    };
    assert!(set(&whole.edges) == set(&all.edges));
}

#[tokio::test]
async fn people_are_people_in_the_state_they_are_in() {
    let samba = dc().await;
    let user = |name: &str| NewUser::named(name).password(PASSWORD);
    samba
        .create_user(user("p-plain").cn("Doe (odd), Jane"))
        .await
        .unwrap();
    samba
        .create_user(user("p-stopped").disabled())
        .await
        .unwrap();
    samba
        .create_user(user("p-renew").must_change_password())
        .await
        .unwrap();
    samba.create_user(user("p-ended")).await.unwrap();
    samba.expire_account("p-ended").await.unwrap();
    samba.create_user(user("p-locked")).await.unwrap();
    samba.lock_out("p-locked").await.unwrap();
    samba.create_user(user("p-card")).await.unwrap();
    samba
        .set_account_flag("p-card", 0x40000, true)
        .await
        .unwrap();
    let session = reader(samba).await;

    let (all, _) = read_all(&session, &ReadScope::default()).await;

    let named = |name: &str| {
        all.accounts
            .iter()
            .find(|account| account.logon_name == name)
    };
    assert!(named("p-stopped").unwrap().state.disabled);
    let renew = named("p-renew").unwrap();
    assert!(renew.state.must_change_password && !renew.state.password_expired);
    assert_eq!(renew.password_last_set, None);
    let ended = named("p-ended").unwrap();
    assert!(ended.state.expired && ended.expires.is_some());
    assert!(named("p-locked").unwrap().state.locked);
    assert!(named("p-card").unwrap().state.smartcard_required);
    assert_eq!(
        named("user00").unwrap().mail.as_deref(),
        Some("user00@corp.test")
    );
    assert!(named("p-plain").unwrap().password_last_set.is_some());
    assert_eq!(
        named("Administrator").unwrap().state.privileged,
        directory::Flag::Yes
    );
    assert_eq!(
        named("user00").unwrap().state.privileged,
        directory::Flag::No
    );
    for nobody in ["krbtgt", "DC1$"] {
        assert!(named(nobody).is_none(), "{nobody}");
    }
}

#[tokio::test]
async fn ous_in_and_out_are_found_or_refused() {
    let samba = dc().await;
    let top = samba.create_ou("In", None).await.unwrap();
    let deep = samba.create_ou("Deep", Some(&top.dn)).await.unwrap();
    let out = samba.create_ou("Out", Some(&top.dn)).await.unwrap();
    for (name, ou) in [("in1", &top), ("deep1", &deep), ("out1", &out)] {
        samba
            .create_user(NewUser::named(name).within(ou.dn.as_str()))
            .await
            .unwrap();
    }
    let session = reader(samba).await;
    let dn = |ou: &str| format!("{ou},DC=corp,DC=test");
    let scope = ReadScope {
        // One within the other, and in another spelling: nobody comes twice.
        include_ous: vec![dn("OU=Deep,OU=In"), dn("ou=IN")],
        exclude_ous: vec![dn("OU=OUT,OU=In"), dn("OU=Nowhere")],
        ..ReadScope::default()
    };

    let (all, _) = read_all(&session, &scope).await;
    let mut names: Vec<_> = all
        .accounts
        .iter()
        .map(|account| account.logon_name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["deep1", "in1"]);
    assert_eq!(all.issues.len(), 1, "{:?}", all.issues);

    for (scope, expected) in [
        (
            ReadScope {
                include_ous: vec![dn("OU=Missing")],
                ..ReadScope::default()
            },
            "does not exist",
        ),
        (
            ReadScope {
                base_dn: Some(dn("OU=Missing")),
                ..ReadScope::default()
            },
            "does not exist",
        ),
        (
            ReadScope {
                base_dn: Some("DC=other,DC=test".to_owned()),
                ..ReadScope::default()
            },
            "does not",
        ),
        (
            ReadScope {
                base_dn: Some("Staff".to_owned()),
                ..ReadScope::default()
            },
            "distinguished name",
        ),
        (
            ReadScope {
                base_dn: Some(dn("OU=Deep,OU=In")),
                include_ous: vec![dn("OU=In")],
                ..ReadScope::default()
            },
            "does not lie within",
        ),
    ] {
        let error = session.read(&scope).await.unwrap_err();
        assert!(
            matches!(error, Error::Scope(_) | Error::Refused { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(matches!(
        session
            .read(&ReadScope {
                base_dn: Some(dn("OU=Missing")),
                ..ReadScope::default()
            })
            .await,
        Err(Error::Scope(ScopeError::NotFound { .. }))
    ));
}

#[tokio::test]
async fn a_group_is_found_by_name_once_twice_or_not() {
    let samba = dc().await;
    let twins = samba.create_ou("Twins", None).await.unwrap();
    samba.create_group("Twin").await.unwrap();
    let second = NewGroup::named("twin2")
        .cn("Twin")
        .within(twins.dn.as_str());
    samba.create_group(second).await.unwrap();
    samba
        .create_group(NewGroup::named("Odd (x) #1").cn("Odd (x) *"))
        .await
        .unwrap();
    let session = reader(samba).await;
    let base = session.identity().await.unwrap().naming_context;
    let find = async |name: &str| session.group_by_name(&base, name).await.unwrap();

    assert!(matches!(find("keys").await, GroupMatch::One(group) if group.name == "Keys"));
    assert!(matches!(find("Odd (x) *").await, GroupMatch::One(_)));
    assert_eq!(find("*").await, GroupMatch::None);
    assert_eq!(find("K)(cn=*").await, GroupMatch::None);
    assert!(matches!(find("Twin").await, GroupMatch::Ambiguous(dns) if dns.len() == 2));
    let GroupMatch::One(keys) = find("Keys").await else {
        panic!()
    };
    assert_eq!(session.group_by_id(keys.id).await.unwrap(), Some(keys));
    let user = id(&samba.entry("user00").await.unwrap());
    assert_eq!(session.group_by_id(user).await.unwrap(), None);
}

#[tokio::test]
async fn one_who_is_missing_is_looked_for_before_being_removed() {
    let samba = dc().await;
    let within = samba.create_ou("Scope", None).await.unwrap();
    let beside = samba.create_ou("Beside", None).await.unwrap();
    let mut ids = BTreeMap::new();
    let dark = samba.create_ou("Dark", Some(&within.dn)).await.unwrap();
    for name in [
        "w-stay", "w-move", "w-gone", "w-back", "w-title", "w-mute", "w-dark",
    ] {
        let ou = if name == "w-dark" { &dark } else { &within };
        let user = NewUser::named(name)
            .within(ou.dn.as_str())
            .attribute("title", "Engineer");
        ids.insert(name, id(&samba.create_user(user).await.unwrap()));
    }
    samba.create_group("Watchers").await.unwrap();
    samba.add_members("Watchers", &["w-dark"]).await.unwrap();
    let scope = ReadScope {
        base_dn: Some("OU=Scope,DC=corp,DC=test".to_owned()),
        user_filter: Some(UserFilter::parse("(title=Engineer)").unwrap()),
        ..ReadScope::default()
    };
    let read = reader(samba).await.read(&scope).await.unwrap();
    let admins = admin(samba).await.read(&scope).await.unwrap();

    samba.move_to("w-move", &beside.dn).await.unwrap();
    samba.delete("w-gone").await.unwrap();
    samba.delete("w-back").await.unwrap();
    samba.restore(ids["w-back"].as_uuid(), None).await.unwrap();
    // It comes back bare.
    samba.set("w-back", "title", &["Engineer"]).await.unwrap();
    let me = samba.service().name;
    samba.deny_read("w-title", "title", &me).await.unwrap();
    samba.deny_everything("w-mute", &me).await.unwrap();
    add_ace(samba, &dark.dn, "(D;CI;LCLORP;;;{})").await;

    let one = |name: &str| [ids[name]];
    let of = |found: Vec<(ObjectId, Whereabouts)>| found.into_iter().next().unwrap().1;
    let is =
        async |read: &ad_client::Read, name: &str| of(read.whereabouts(&one(name)).await.unwrap());
    assert!(
        matches!(is(&read, "w-stay").await, Whereabouts::Present(account) if account.logon_name == "w-stay")
    );
    assert_eq!(is(&read, "w-move").await, Whereabouts::OutOfScope);
    assert_eq!(is(&admins, "w-gone").await, Whereabouts::Deleted);
    assert_eq!(is(&read, "w-gone").await, Whereabouts::Gone);
    // Restored: the same object, and the same person.
    assert!(matches!(is(&read, "w-back").await, Whereabouts::Present(_)));
    // Nothing of it is readable, or not what the filter compares: neither has left.
    for name in ["w-mute", "w-title"] {
        let found = is(&read, name).await;
        let Whereabouts::Unreadable(issue) = found else {
            panic!("{name}: {found:?}")
        };
        assert_eq!(issue.object, Some(ids[name]));
    }
    // Still in a group, and yet not shown: not gone.
    assert_eq!(is(&read, "w-dark").await, Whereabouts::Hidden);
    let base = &read.identity().naming_context;
    assert!(admin(samba).await.sees_deleted_objects(base).await.unwrap());
    assert!(
        !reader(samba)
            .await
            .sees_deleted_objects(base)
            .await
            .unwrap()
    );
    assert!(matches!(read.proof(), Err(Error::Incomplete { .. })));
}

//! Where the two differ. Each difference is in the table of the README, with which of them Windows agrees with.

use anyhow::Result;
use contract::{Change, Directory, Kind, control, on_both};
use ldap3::Scope;

on_both![
    a_refused_reset_has_another_code,
    a_term_that_is_undefined_stays_so_when_it_is_negated,
    a_critical_control_that_is_not_known_is_refused,
    a_name_in_a_password_is_looked_for,
    a_large_group_is_cut_by_windows_limits,
    an_unpaged_search_is_cut_by_windows_limits,
];

async fn a_refused_reset_has_another_code(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;

    let (code, _) = admin.modify(&dn, &[Change::Reset("short")]).await?;

    let expected = match directory.kind {
        Kind::Simulated => 53,
        Kind::Samba => 19,
    };
    assert_eq!(code, expected);
    Ok(())
}

async fn a_large_group_is_cut_by_windows_limits(directory: &Directory) -> Result<()> {
    const MEMBERS: usize = 1501;
    let admin = directory.administrator().await?;
    let group = directory.add_group(&admin, "Many").await?;
    let ou = directory.add_ou(&admin, "Many").await?;
    for number in 0..MEMBERS {
        let dn = format!("CN=c{number},{ou}");
        let class = [("objectClass", vec![b"contact".to_vec()])];
        assert_eq!(admin.add(&dn, &class).await?, 0);
        assert_eq!(
            admin.modify(&group, &[Change::Add("member", &dn)]).await?.0,
            0
        );
    }

    let many = admin.get(&group, &["member"]).await?;

    match directory.kind {
        Kind::Simulated => {
            assert!(many.has("member") && many.values("member").is_empty());
            assert_eq!(many.values("member;range=0-1499").len(), 1500);
            let rest = admin.get(&group, &["member;range=1500-*"]).await?;
            assert_eq!(rest.values("member;range=1500-*").len(), 1);
        }
        Kind::Samba => assert_eq!(many.values("member").len(), MEMBERS),
    }
    Ok(())
}

async fn an_unpaged_search_is_cut_by_windows_limits(directory: &Directory) -> Result<()> {
    const PEOPLE: usize = 1001;
    let admin = directory.administrator().await?;
    let ou = directory.add_ou(&admin, "Many").await?;
    for number in 0..PEOPLE {
        let dn = format!("CN=c{number},{ou}");
        let class = [("objectClass", vec![b"contact".to_vec()])];
        assert_eq!(admin.add(&dn, &class).await?, 0);
    }

    let answer = admin.find(&ou, "(objectClass=contact)", &["cn"]).await?;

    let expected = match directory.kind {
        Kind::Simulated => (4, 1000),
        Kind::Samba => (0, PEOPLE),
    };
    assert_eq!((answer.code, answer.entries.len()), expected);
    Ok(())
}

async fn a_term_that_is_undefined_stays_so_when_it_is_negated(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    directory.add_user(&admin, "ada").await?;

    let filter = "(&(cn=ada)(!(noSuchAttribute=x)))";
    let answer = admin.find(&directory.base, filter, &["cn"]).await?;

    let expected = match directory.kind {
        Kind::Simulated => 0,
        Kind::Samba => 1,
    };
    assert_eq!(answer.entries.len(), expected);
    Ok(())
}

async fn a_critical_control_that_is_not_known_is_refused(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;

    let controls = vec![control::unknown()];
    let answer = admin
        .search(
            &directory.base,
            Scope::Base,
            "(objectClass=*)",
            &["cn"],
            controls,
        )
        .await;

    match directory.kind {
        Kind::Simulated => assert_eq!(answer?.code, 12),
        // It ends the connection.
        Kind::Samba => assert!(answer.is_err(), "{answer:?}"),
    }
    Ok(())
}

async fn a_name_in_a_password_is_looked_for(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;

    let (code, _) = admin.modify(&dn, &[Change::Reset("Has-ada-1n-it")]).await?;

    let expected = match directory.kind {
        Kind::Simulated => 53,
        Kind::Samba => 0,
    };
    assert_eq!(code, expected);
    Ok(())
}

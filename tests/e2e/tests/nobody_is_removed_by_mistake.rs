//! Whatever goes wrong with a directory, nobody is removed, and the administrator is told what and what to do.

use anyhow::{Context, Result};
use e2e::{GROUP, Hes, ROTATION_GROUP, World, add_domain};
use serde_json::Value;
use testkit::Samba;
use testkit::ca::Names;
use testkit::chaos::{Cut, Direction, Mode, Proxy};
use testkit::samba::{Certificate, NewGroup, Options};

/// How a run ended, and what it told.
async fn outcome(world: &World) -> Result<(i32, String, String)> {
    let ran = world.sync().await?;
    let run = world.last_run().await?;
    let text = |pointer: &str| {
        run.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let told = format!("{}\n{run}", ran.stderr);
    Ok((ran.code, text("/failure/reason"), told))
}

/// A failed run leaves everybody as they were, says why and what to do; once mended, the next run finds nothing to do.
async fn fails_and_recovers(
    world: &World,
    reason: &str,
    mend: impl AsyncFnOnce(&World) -> Result<()>,
) -> Result<()> {
    let before = world.people().await?;

    let (code, given, told) = outcome(world).await?;

    assert_eq!((code, given.as_str()), (1, reason), "{told}");
    let remedy = world.last_run().await?;
    let remedy = remedy.pointer("/failure/remedy").and_then(Value::as_str);
    assert!(remedy.is_some_and(|remedy| !remedy.is_empty()), "{told}");
    assert_eq!(world.people().await?, before);
    mend(world).await?;
    let (code, _, told) = outcome(world).await?;
    assert_eq!(code, 0, "{told}");
    assert_eq!(world.people().await?, before);
    Ok(())
}

/// A plan that is held leaves everybody as they were until it is decided.
async fn is_held(world: &World) -> Result<String> {
    let before = world.people().await?;

    let (code, _, told) = outcome(world).await?;

    assert_eq!(code, 3, "{told}");
    assert_eq!(world.people().await?, before);
    Ok(told)
}

/// The grade of one check of `hes domain test`, and its remedy.
async fn check(world: &World, id: &str) -> Result<(String, String)> {
    let ran = world.hes.words("domain test corp -o json").await?;
    let checks = ran.json()?;
    let checks = checks.as_array().context("a list")?;
    let check = checks
        .iter()
        .find(|check| check.get("id") == Some(&Value::from(id)));
    let check = check.with_context(|| format!("no check {id} in {checks:#?}"))?;
    let text = |field: &str| {
        check
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Ok((text("grade"), text("remedy")))
}

#[tokio::test]
async fn an_emptied_group_holds_the_plan_however_few_its_members_and_an_approval_applies_it()
-> Result<()> {
    let world = World::imported(2).await?;
    world.samba.set_members(GROUP, &[]).await?;

    is_held(&world).await?;

    let run = world.last_run().await?;
    let run = run
        .pointer("/name")
        .and_then(Value::as_str)
        .context("a name")?;
    let approved = world
        .hes
        .words(&format!("sync approve {run} --wait --yes"))
        .await?;
    assert_eq!(approved.code, 0, "{approved:?}");
    world.settled(0).await?;
    let audit = world.hes.json("audit list").await?;
    let acts: Vec<_> = audit
        .as_array()
        .context("a list")?
        .iter()
        .filter_map(|event| event.pointer("/action"))
        .collect();
    assert!(acts.contains(&&Value::from("sync.approve")), "{acts:?}");
    assert_eq!(world.hes.words("audit verify").await?.code, 0);
    Ok(())
}

#[tokio::test]
async fn a_mass_removal_is_held_and_a_rejection_leaves_everybody() -> Result<()> {
    let world = World::imported(6).await?;
    world
        .samba
        .set_members(GROUP, &["person0", "person1"])
        .await?;
    is_held(&world).await?;
    let run = world.last_run().await?;
    let run = run
        .pointer("/name")
        .and_then(Value::as_str)
        .context("a name")?
        .to_owned();

    let without_yes = world.hes.words(&format!("sync approve {run}")).await?;
    assert_eq!(
        without_yes.code, 2,
        "no terminal, no --yes: {without_yes:?}"
    );
    let rejected = world.hes.words(&format!("sync reject {run}")).await?;

    assert_eq!(rejected.code, 0, "{rejected:?}");
    world.settled(6).await?;
    let late = world
        .hes
        .words(&format!("sync approve {run} --yes"))
        .await?;
    assert_eq!(late.code, 1, "{late:?}");
    Ok(())
}

#[tokio::test]
async fn a_deleted_group_removes_nobody() -> Result<()> {
    let world = World::imported(2).await?;
    let before = world.people().await?;
    world.samba.delete(GROUP).await?;

    let (code, reason, told) = outcome(&world).await?;

    assert!(
        code == 3 || reason == "GROUP_MISSING",
        "{code} {reason} {told}"
    );
    assert!(told.contains(GROUP), "{told}");
    assert_eq!(world.people().await?, before);
    let (grade, remedy) = check(&world, "sync-group").await?;
    assert_eq!(grade, "GRADE_FAILED");
    assert!(!remedy.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_renamed_group_goes_on_with_a_warning() -> Result<()> {
    let world = World::imported(2).await?;
    let before = world.people().await?;
    world
        .samba
        .set(GROUP, "sAMAccountName", &["Key Owners"])
        .await?;
    world.samba.rename("Key Owners", "Key Owners").await?;

    let (code, _, told) = outcome(&world).await?;

    assert_eq!(code, 0, "{told}");
    assert_eq!(world.people().await?, before);
    assert!(
        told.contains("GROUP_RENAMED") && told.contains("Key Owners"),
        "{told}"
    );
    Ok(())
}

#[tokio::test]
async fn members_that_cannot_be_read_are_not_members_that_left() -> Result<()> {
    let world = World::imported(2).await?;
    let before = world.people().await?;
    let service = world.samba.service().name;
    world.samba.deny_read(GROUP, "member", &service).await?;

    let (code, _, told) = outcome(&world).await?;

    assert!(code == 1 || code == 3, "{told}");
    assert_eq!(world.people().await?, before);
    let (grade, remedy) = check(&world, "members").await?;
    assert_ne!(grade, "GRADE_OK");
    assert!(!remedy.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_attribute_that_cannot_be_read_is_not_cleared() -> Result<()> {
    let world = World::imported(2).await?;
    let before = world.people().await?;
    assert_eq!(before.get("person0")?.text("/mail"), "person0@corp.test");
    let service = world.samba.service().name;
    world.samba.deny_read("person0", "mail", &service).await?;
    world.samba.set("person1", "mail", &[]).await?;

    assert_eq!(world.sync().await?.code, 0);

    let after = world
        .until("a cleared mail", |people| {
            people
                .get("person1")
                .is_ok_and(|person| person.text("/mail").is_empty())
        })
        .await?;
    assert_eq!(after.get("person0")?, before.get("person0")?);
    Ok(())
}

#[tokio::test]
async fn a_filter_typo_is_refused_or_held() -> Result<()> {
    let world = World::imported(6).await?;
    world.samba.set("person0", "department", &["Sales"]).await?;
    assert_eq!(world.sync().await?.code, 0);
    world
        .until("a department", |people| {
            people
                .get("person0")
                .is_ok_and(|person| person.text("/department") == "Sales")
        })
        .await?;
    let filter = async |text: &str| {
        world
            .hes
            .run(["domain", "update", "corp", "--filter", text])
            .await
    };

    let broken = filter("(department=Sales").await?;
    assert_eq!(broken.code, 1, "{broken:?}");
    assert!(broken.stderr.contains("filter"), "{broken:?}");

    // An attribute that no schema has, and a value that nobody has.
    for (typo, reason) in [
        ("(departmnt=Sales)", "FILTER_INVALID"),
        ("(department=Sails)", "SCOPE_EMPTY"),
    ] {
        assert_eq!(filter(typo).await?.code, 0);
        fails_and_recovers(&world, reason, async |_| {
            assert_eq!(filter("(objectClass=user)").await?.code, 0);
            Ok(())
        })
        .await?;
    }

    // A filter that somebody matches.
    assert_eq!(filter("(department=Sales)").await?.code, 0);
    is_held(&world).await?;
    Ok(())
}

#[tokio::test]
async fn a_connection_that_breaks_or_dawdles_anywhere_changes_nothing() -> Result<()> {
    let world = World::new().await?;
    world.fill(40).await?;
    let proxy = Proxy::start(world.samba.ldaps_address()).await?;
    let ran = world
        .add_at("corp", &format!("ldaps://127.0.0.1:{}", proxy.port()), &[])
        .await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(world.sync().await?.code, 0);
    let before = world.settled(40).await?;
    let whole = proxy.counters().to_client_bytes;

    for part in 1..8 {
        proxy.set(Mode::Cut(Cut::after_bytes(
            Direction::ToClient,
            whole * part / 16,
        )));
        let (code, reason, told) = outcome(&world).await?;
        assert_eq!(code, 1, "cut at {part}/16: {told}");
        assert!(
            ["UNREACHABLE", "READ_INCOMPLETE"].contains(&reason.as_str()),
            "{reason}: {told}"
        );
        assert_eq!(world.people().await?, before);
    }
    proxy.set(Mode::Cut(
        Cut::after_bytes(Direction::ToClient, whole / 8).closing(),
    ));
    assert_eq!(outcome(&world).await?.0, 1);
    proxy.set(Mode::Refuse);
    assert_eq!(outcome(&world).await?.0, 1);
    assert_eq!(check(&world, "tcp").await?.0, "GRADE_FAILED");
    proxy.set(Mode::Delay(std::time::Duration::from_millis(20)));
    assert_eq!(outcome(&world).await?.0, 0, "slow is not wrong");
    assert_eq!(world.people().await?, before);
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_stops_the_sync_and_says_so_without_showing_it() -> Result<()> {
    let world = World::imported(2).await?;
    let wrong = "canary-w0rd-that-is-wrong";
    let file = world.hes.file("wrong", wrong)?;
    let logon = world.samba.service();
    let set = async |world: &World, file: &std::path::Path| {
        let file = file.to_string_lossy();
        let ran = world.hes.run([
            "domain",
            "set-credentials",
            "corp",
            "--logon-name",
            &logon.upn,
            "--password-file",
            &file,
        ]);
        let ran = ran.await?;
        anyhow::ensure!(ran.code == 0, "{ran:?}");
        anyhow::Ok(())
    };
    set(&world, &file).await?;

    let right = world.hes.file("right", &logon.password)?;
    fails_and_recovers(&world, "BIND_REFUSED", async |world| {
        assert_eq!(check(world, "bind").await?.0, "GRADE_FAILED");
        set(world, &right).await
    })
    .await?;

    assert!(!world.hes.log().contains(wrong) && !world.hes.log().contains(&logon.password));
    Ok(())
}

#[tokio::test]
async fn certificates_that_do_not_verify_are_refused_with_the_reason() -> Result<()> {
    let world = World::imported(2).await?;
    let table = [
        (Certificate::Expired, "TLS_CERTIFICATE_EXPIRED", "expired"),
        (Certificate::Foreign, "TLS_UNKNOWN_ISSUER", "issue"),
        (Certificate::SelfSigned, "TLS_UNKNOWN_ISSUER", "issue"),
        (
            Certificate::Names(Names::of_somebody_else()),
            "TLS_NAME_MISMATCH",
            "name",
        ),
    ];

    for (certificate, reason, _) in table {
        world.samba.restart_with_certificate(certificate).await?;
        fails_and_recovers(&world, reason, async |world| {
            let (grade, remedy) = check(world, "tls").await?;
            assert_eq!(grade, "GRADE_FAILED", "{reason}");
            assert!(!remedy.is_empty(), "{reason}");
            world
                .samba
                .restart_with_certificate(Certificate::Good)
                .await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_group_that_does_not_exist_or_exists_twice_is_said() -> Result<()> {
    let world = World::new().await?;
    world.add(&["--sync-group", "Nowhere"]).await?;

    let (code, reason, told) = outcome(&world).await?;
    assert_eq!((code, reason.as_str()), (1, "GROUP_MISSING"), "{told}");
    assert!(told.contains("Nowhere"), "{told}");
    assert_eq!(check(&world, "sync-group").await?.0, "GRADE_FAILED");

    let ou = world.samba.create_ou("Twins", None).await?;
    world
        .samba
        .create_group(NewGroup::named("twin1").cn("Twin"))
        .await?;
    world
        .samba
        .create_group(NewGroup::named("twin2").cn("Twin").within(&ou.dn))
        .await?;
    world
        .hes
        .json("domain update corp --sync-group Twin")
        .await?;
    let (code, reason, told) = outcome(&world).await?;
    assert_eq!((code, reason.as_str()), (1, "GROUP_AMBIGUOUS"), "{told}");
    assert_eq!(check(&world, "sync-group").await?.0, "GRADE_FAILED");
    assert_eq!(check(&world, "rotation-group").await?.0, "GRADE_OK");
    Ok(())
}

#[tokio::test]
async fn a_domain_pointed_at_another_directory_stops_and_a_second_record_of_one_is_refused()
-> Result<()> {
    let world = World::imported(2).await?;
    let other = Samba::start(Options::domain("other.test").ca(world.samba.ca())).await?;
    other.create_group(GROUP).await?;
    other.create_group(ROTATION_GROUP).await?;
    let before = world.people().await?;
    let logon = other.service();
    let file = world.hes.file("other", &logon.password)?;
    let file = file.to_string_lossy();

    world
        .hes
        .json(&format!(
            "domain update corp --server {}",
            other.ldaps_url()
        ))
        .await?;
    let set = [
        "domain",
        "set-credentials",
        "corp",
        "--logon-name",
        &logon.upn,
        "--password-file",
        &file,
    ];
    assert_eq!(world.hes.run(set).await?.code, 0);
    let (code, reason, told) = outcome(&world).await?;
    assert_eq!((code, reason.as_str()), (1, "DIRECTORY_CHANGED"), "{told}");
    assert_eq!(world.people().await?, before);

    let second = world.add_at("again", &world.samba.ldaps_url(), &[]).await?;
    assert_eq!(second.code, 0, "{second:?}");
    let ran = world.hes.words("sync run again --wait -o json").await?;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(
        ran.json()?.pointer("/failure/reason"),
        Some(&Value::from("DIRECTORY_DUPLICATE")),
        "{ran:?}"
    );
    assert_eq!(world.people().await?, before);
    Ok(())
}

#[tokio::test]
async fn removed_or_skipped_credentials_stop_the_sync_and_touch_nobody() -> Result<()> {
    let world = World::imported(2).await?;
    let before = world.people().await?;

    let ran = world
        .hes
        .words("domain remove-credentials corp --yes")
        .await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    let refused = world.sync().await?;

    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("Set the domain's credentials"),
        "{refused:?}"
    );
    assert_eq!(world.people().await?, before);
    let domain = world.hes.json("domain get corp").await?;
    assert_eq!(
        domain.pointer("/credentialStatus/state"),
        Some(&Value::from("CREDENTIAL_STATE_REMOVED"))
    );

    let hes = Hes::up().await?;
    let file = world.samba.ca_file();
    let file = file.to_string_lossy();
    let skip = [
        "domain",
        "add",
        "ad",
        "known",
        "--domain-name",
        "corp.test",
        "--server",
        "ldaps://dc1.corp.test",
        "--ca-file",
        &file,
        "--skip-credentials",
    ];
    assert_eq!(hes.run(skip).await?.code, 0);
    assert_eq!(hes.words("sync run known --wait").await?.code, 1);
    Ok(())
}

#[tokio::test]
async fn start_tls_works_and_is_verified_too() -> Result<()> {
    let samba = Samba::start(Options::default()).await?;
    samba.create_group(GROUP).await?;
    samba.create_group(ROTATION_GROUP).await?;
    samba.create_user("one").await?;
    samba.add_members(GROUP, &["one"]).await?;
    let hes = Hes::up().await?;
    let ran = add_domain(&hes, &samba, "corp", &samba.ldap_url(), &["--start-tls"]).await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    let world = World { samba, hes };

    assert_eq!(world.sync().await?.code, 0);
    world.settled(1).await?;
    world
        .samba
        .restart_with_certificate(Certificate::Foreign)
        .await?;
    assert_eq!(outcome(&world).await?.1, "TLS_UNKNOWN_ISSUER");

    let plain = world.add_at("plain", &world.samba.ldap_url(), &[]).await?;
    assert_eq!(plain.code, 1, "plain LDAP is never spoken: {plain:?}");
    Ok(())
}

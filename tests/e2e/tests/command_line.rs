//! The command line that scripts rely on: its words, exit codes, outputs, and what it refuses.

use anyhow::{Context, Result};
use e2e::{GROUP, Hes, ROTATION_GROUP, Ran, World};
use serde_json::Value;
use testkit::programs;

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|item| item.get("name")?.as_str())
        .collect()
}

#[tokio::test]
async fn the_fixed_lines_work_from_adding_a_domain_to_verifying_the_log() -> Result<()> {
    let world = World::new().await?;
    let hes = &world.hes;
    world.fill(4).await?;
    let settings = "--display-name Corp --auto-password-change-days 7 --sync-interval 2h --removal-policy keep \
        --no-nested-groups --precedence 3 --mail-suffix corp.test --mail-suffix corp.example --filter (cn=*) \
        --guard removals.percent=10 --guard joins.most=30";
    let mut settings: Vec<String> = settings.split_whitespace().map(str::to_owned).collect();
    let base = world.samba.base_dn();
    settings.extend(["--base-dn".into(), base.into()]);
    settings.extend(["--include-ou".into(), format!("CN=Users,{base}")]);
    settings.extend(["--exclude-ou".into(), format!("CN=Builtin,{base}")]);
    settings.extend(["--sync-group".into(), GROUP.into()]);
    settings.extend(["--rotation-group".into(), ROTATION_GROUP.into()]);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    world.add(&settings).await?;

    let domain = hes.json("domain get corp").await?;
    for (pointer, expected) in [
        ("/name", "domains/corp".into()),
        ("/displayName", "Corp".into()),
        ("/autoPasswordChangeDays", 7.into()),
        ("/syncInterval", "7200s".into()),
        ("/removalPolicy", "REMOVAL_POLICY_KEEP".into()),
        ("/activeDirectory/nestedGroups", false.into()),
        ("/activeDirectory/userFilter", "(cn=*)".into()),
        ("/precedence", 3.into()),
        ("/mailSuffixes/1", "corp.example".into()),
        ("/guardLimits/removals/percent", 10.into()),
        ("/guardLimits/joins/most", 30.into()),
        ("/credentialStatus/state", "CREDENTIAL_STATE_SET".into()),
    ] {
        assert_eq!(domain.pointer(pointer), Some(&expected), "{pointer}");
    }
    let logon = world.samba.service();
    for secret in [&logon.password, &logon.upn] {
        for form in ["table", "json", "yaml"] {
            let shown = hes.words(&format!("domain get corp -o {form}")).await?;
            assert_eq!(shown.code, 0);
            assert!(!shown.stdout.contains(secret), "a credential in {shown:?}");
        }
    }
    hes.json("domain update corp --removal-policy deactivate --base-dn= --include-ou= --guard removals.percent=default")
        .await?;
    assert_eq!(names(&hes.json("domain list").await?), ["domains/corp"]);
    let checks = hes.words("domain test corp -o json").await?;
    assert_eq!(checks.code, 0, "{checks:?}");
    assert!(
        checks
            .json()?
            .as_array()
            .is_some_and(|checks| checks.len() > 8)
    );

    let planned = hes.json("sync run corp --full --dry-run").await?;
    assert_eq!(planned["state"], "SYNC_RUN_STATE_PLANNED");
    assert_eq!(planned["planItems"].as_array().map(Vec::len), Some(4));
    assert_eq!(hes.words("sync run corp --wait").await?.code, 0);
    world.settled(4).await?;
    assert_eq!(hes.words("sync run corp --wait").await?.code, 0);

    // Held: 3, and still held until somebody decides.
    world.samba.set_members(GROUP, &[]).await?;
    let held = hes.words("sync run corp --wait -o json").await?;
    assert_eq!(held.code, 3, "{held:?}");
    let run = held.json()?["name"].as_str().unwrap_or_default().to_owned();
    let id = run.rsplit('/').next().unwrap_or_default();
    e2e::refused(&hes.words(&format!("sync approve {id}")).await?, 2, "--yes");
    assert_eq!(
        hes.json(&format!("sync reject {id}")).await?["state"],
        "SYNC_RUN_STATE_REJECTED"
    );
    let held = hes.words("sync run corp --wait -o json").await?;
    assert_eq!(held.code, 3, "{held:?}");
    let again = held.json()?["name"].as_str().unwrap_or_default().to_owned();
    let approved = hes
        .words(&format!("sync approve {again} --wait --yes"))
        .await?;
    assert_eq!(approved.code, 0, "{approved:?}");
    world.settled(0).await?;
    assert!(names(&hes.json("sync list corp").await?).contains(&run.as_str()));

    let people = world.people().await?;
    let [first, second] = [0, 1].map(|at| people.all.get(at).map(|person| person.name.clone()));
    let (first, second) = first.zip(second).context("two employees")?;
    // Two accounts of one domain are two people; `two_domains` links those of two.
    let link = format!("employee link {first} {second}");
    e2e::refused(&hes.words(&link).await?, 1, "LINK_CONFLICT");
    let shown = hes.json(&format!("employee get {first}")).await?;
    let account = shown
        .pointer("/accounts/0/account/name")
        .and_then(Value::as_str);
    let account = account.context("an account")?;
    let unlink = format!("employee unlink {first} {account}");
    e2e::refused(&hes.words(&unlink).await?, 2, "--yes");
    assert_eq!(
        hes.json("employee proposals").await?,
        Value::Array(Vec::new())
    );

    e2e::refused(
        &hes.words("domain remove-credentials corp").await?,
        2,
        "--yes",
    );
    hes.json("domain remove-credentials corp --yes").await?;
    assert_eq!(hes.words("sync run corp --wait").await?.code, 1);
    e2e::refused(&hes.words("domain delete corp").await?, 2, "--yes");
    hes.json("domain delete corp --yes").await?;
    assert_eq!(hes.json("domain list").await?, Value::Array(Vec::new()));

    assert_eq!(hes.words("status").await?.code, 0);
    assert!(hes.json("audit list").await?.is_array());
    assert_eq!(hes.json("audit verify").await?["intact"], true);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_said_on_standard_error_with_its_exit_code() -> Result<()> {
    let hes = Hes::up().await?;
    for line in [
        "domain",
        "domain get",
        "bogus",
        "audit list -o xml",
        "domain add ad lab",
    ] {
        e2e::refused(&hes.words(line).await?, 2, "error:");
    }
    for (line, why) in [
        ("domain get nobody", "there is no domain `nobody`"),
        ("sync run nobody --wait", "there is no domain `nobody`"),
        (
            "sync show 00000000-0000-0000-0000-000000000000",
            "there is no sync run",
        ),
        (
            "employee get 00000000-0000-0000-0000-000000000000",
            "there is no employee",
        ),
        (
            "domain list --api https://127.0.0.1:1",
            "check that it is running",
        ),
        (
            "domain list --api-ca-file /nowhere/ca.pem",
            "/nowhere/ca.pem",
        ),
    ] {
        // An option stands once: where a line gives it, the harness must not.
        let ran = if line.contains("--api") {
            Ran::of(programs::hes_command(line.split_whitespace())?).await?
        } else {
            hes.words(line).await?
        };
        e2e::refused(&ran, 1, why);
    }
    let bad = "domain add ad lab --domain-name lab.test --server http://dc1.lab.test --sync-interval 1s --skip-credentials";
    let ran = hes.words(bad).await?;
    e2e::refused(&ran, 1, "--server (active_directory.servers[0])");
    e2e::refused(&ran, 1, "--sync-interval (sync_interval)");

    // Without a token the server says who may; nothing is answered.
    let mut stranger = programs::hes_command(["domain", "list"])?;
    stranger
        .env("HES_API", hes.api())
        .env("HES_API_CA_FILE", hes.data().join("ca.pem"));
    e2e::refused(&Ran::of(stranger).await?, 1, "UNAUTHENTICATED");
    Ok(())
}

#[tokio::test]
async fn settings_are_changed_only_as_they_were_read_and_refused_by_name() -> Result<()> {
    let hes = Hes::up().await?;
    hes.json(
        "domain add ad lab --domain-name lab.test --server ldaps://dc1.lab.test --skip-credentials",
    )
    .await?;

    let etag = hes.json("domain get lab").await?["etag"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    hes.json(&format!(
        "domain update lab --display-name One --etag {etag}"
    ))
    .await?;
    let stale = hes
        .words(&format!(
            "domain update lab --display-name Two --etag {etag}"
        ))
        .await?;
    e2e::refused(&stale, 1, "ETAG_MISMATCH");
    assert_eq!(hes.json("domain get lab").await?["displayName"], "One");

    let good = r#"{"enabled": true, "validity": "31536000s", "renewBefore": "2592000s",
        "adcs": {"certificateAuthority": "ca.lab.test\\Lab CA", "certificateTemplate": "Logon"}}"#;
    let set = async |content: &str| {
        let file = hes.file("passwordless.json", content)?;
        let line = format!(
            "domain passwordless set lab -o json --file {}",
            file.display()
        );
        hes.words(&line).await
    };
    let root = r#"{"enabled": true, "validity": "31536000s", "renewBefore": "2592000s",
        "rootCertificate": {"certificatePem": "no PEM", "crlUrl": "ftp://ca.lab.test/crl"}}"#;
    e2e::refused(&set(root).await?, 1, "root_certificate");
    let first = set(good).await?;
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(first.json()?["revision"], "1");
    e2e::refused(
        &set(&good.replace(r"ca.lab.test\\", "")).await?,
        1,
        "adcs.certificate_authority",
    );
    e2e::refused(&set(&good.replace("31536000s", "1s")).await?, 1, "validity");
    e2e::refused(
        &set(&good.replace("enabled", "enabeld")).await?,
        1,
        "enabeld",
    );
    let changed = set(&good.replace("true", "false")).await?;
    assert_eq!(changed.json()?["revision"], "2");
    let stale = first
        .stdout
        .replace("\"enabled\": true", "\"enabled\": false");
    e2e::refused(&set(&stale).await?, 1, "ETAG_MISMATCH");
    assert_eq!(
        hes.json("domain passwordless get lab").await?["revision"],
        "2"
    );
    Ok(())
}

//! A full sync of Active Directory by `hes up`, the built program, beside `ldapsearch` and beside itself.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ad_sim::{Ace, NewUser, Refused, Settings, Simulation, company, right};
use anyhow::{Context as _, Result, ensure};
use e2e::Hes;
use jiff::Timestamp;
use serde_json::Value;
use testkit::Samba;
use testkit::samba::{BulkUsers, Options};

use crate::row::{Memory, Row, Times};

const GROUP: &str = "Security Key Owners";
/// What `hes up` may take when it has nothing to do, in MiB.
const IDLE: f64 = 60.0;
/// What a sync may take on top, in MiB.
const ON_TOP: f64 = 40.0;

/// What a full sync and the one after it took.
struct Measured {
    idle: f64,
    first: Duration,
    second: Duration,
    /// The most that was taken until the end of the first, over idle, in MiB.
    on_top: f64,
}

/// The rows of the simulated directory, and of `hes up` at rest.
pub(crate) async fn simulated() -> Result<Vec<Row>> {
    let small = of_simulation(10_000).await?;
    let large = of_simulation(100_000).await?;
    Ok(vec![
        Row {
            work: "`hes up`, idle",
            floor: "–",
            times: None,
            memory: Some(Memory {
                took: small.idle,
                target: Some(IDLE),
                what: "resident",
            }),
        },
        Row {
            work: "full AD sync, 100,000 users (simulated AD)",
            floor: "ours at 10,000",
            times: Some(Times {
                floor: small.first,
                ours: large.first,
                target: 11.0,
            }),
            memory: Some(Memory {
                took: large.on_top,
                // The same growth, a fifth more or less.
                target: Some(small.on_top * 1.2),
                what: "over idle",
            }),
        },
        Row {
            work: "full AD sync, 100,000 users, nothing changed",
            floor: "the first one",
            times: Some(Times {
                floor: large.first,
                ours: large.second,
                target: 1.0,
            }),
            memory: None,
        },
    ])
}

/// The row of Samba: 10,000 users in 102 groups.
pub(crate) async fn samba() -> Result<Row> {
    let samba = Samba::start(Options::default()).await?;
    samba.create_group(GROUP).await?;
    samba.create_group("Nobody").await?;
    for number in 0..100 {
        let team = format!("Team {number:03}");
        samba.create_group(team.as_str()).await?;
        let users = BulkUsers::new(format!("t{number:03}u"), 100).in_group(&team);
        samba.bulk_users(users).await?;
        samba.add_members(GROUP, &[&team]).await?;
    }
    let hes = Hes::up().await?;
    let logon = samba.service();
    let ca = samba.ca().pem();
    let server = samba.ldaps_url();
    add(
        &hes,
        &server,
        samba.dns_domain(),
        &ca,
        &logon.upn,
        &logon.password,
    )
    .await?;
    let measured = measure(&hes).await?;
    let floor = ldapsearch(&samba)?;
    Ok(Row {
        work: "full AD sync, 10,000 users, 102 groups (Samba)",
        floor: "`ldapsearch` DirSync of the same",
        times: Some(Times {
            floor,
            ours: measured.first,
            target: 1.5,
        }),
        memory: Some(Memory {
            took: measured.on_top,
            target: Some(ON_TOP),
            what: "over idle",
        }),
    })
}

async fn of_simulation(people: usize) -> Result<Measured> {
    let simulation = Simulation::start(Settings::new("corp.test")).await?;
    let password = format!("{}-svc", simulation.administrator_password());
    simulation.controller().edit(|directory| {
        company::populate(directory, "Staff", GROUP, people, 100)?;
        let service = NewUser {
            name: "svc-hes",
            logon: "svc-hes",
            password: &password,
            ..NewUser::default()
        };
        let users = directory.users();
        let service = directory.add_user(&users, &service)?;
        let sid = directory.sid(&service)?;
        let deleted = format!("CN=Deleted Objects,{}", directory.base());
        directory.grant(&deleted, Ace::allow(&sid, right::READ))?;
        Ok::<_, Refused>(())
    })?;
    let hes = Hes::up().await?;
    let server = format!(
        "ldaps://localhost:{}",
        simulation.controller().address().port()
    );
    let logon = "svc-hes@corp.test";
    add(
        &hes,
        &server,
        "corp.test",
        simulation.authority(),
        logon,
        &password,
    )
    .await?;
    measure(&hes).await
}

async fn add(
    hes: &Hes,
    server: &str,
    domain: &str,
    ca: &str,
    logon: &str,
    password: &str,
) -> Result<()> {
    let ca = hes.file("corp-ca.pem", ca)?.display().to_string();
    let password = hes.file("corp.password", password)?.display().to_string();
    let ran = hes
        .words(&format!(
            "domain add ad corp --domain-name {domain} --server {server} --ca-file {ca} --logon-name {logon} \
             --password-file {password}"
        ))
        .await?;
    ensure!(ran.code == 0, "could not add the domain: {ran:?}");
    Ok(())
}

async fn measure(hes: &Hes) -> Result<Measured> {
    let id = hes.id()?;
    let idle = memory(id, "VmRSS:")?;
    let first = sync(hes).await?;
    let on_top = memory(id, "VmHWM:")? - idle;
    let second = sync(hes).await?;
    let state = second.get("state").and_then(Value::as_str);
    ensure!(
        state == Some("SYNC_RUN_STATE_UNCHANGED"),
        "the second sync found something to do: {second}"
    );
    Ok(Measured {
        idle,
        first: took(&first)?,
        second: took(&second)?,
        on_top,
    })
}

/// Runs a full sync to its end, and returns the run.
async fn sync(hes: &Hes) -> Result<Value> {
    let ran = hes.words("sync run corp --full --wait -o json").await?;
    ensure!(ran.code == 0, "the sync failed: {ran:?}");
    ran.json()
}

fn took(run: &Value) -> Result<Duration> {
    let time = |name: &str| -> Result<Timestamp> {
        let text = run.get(name).and_then(Value::as_str);
        Ok(text
            .with_context(|| format!("no {name} in {run}"))?
            .parse()?)
    };
    let took = time("endTime")?.duration_since(time("startTime")?);
    Ok(Duration::try_from(took)?)
}

/// What a process takes, in MiB.
fn memory(id: u32, what: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kilobytes: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .with_context(|| format!("no {what} of process {id}"))?
        .parse()?;
    Ok(kilobytes / 1024.0)
}

/// How long OpenLDAP's client takes to read the same objects and attributes once, by the quickest way there is.
fn ldapsearch(samba: &Samba) -> Result<Duration> {
    const ATTRIBUTES: [&str; 20] = [
        "objectClass",
        "objectGUID",
        "objectSid",
        "sAMAccountName",
        "userPrincipalName",
        "displayName",
        "givenName",
        "sn",
        "mail",
        "telephoneNumber",
        "department",
        "company",
        "title",
        "userAccountControl",
        "pwdLastSet",
        "accountExpires",
        "adminCount",
        "isCriticalSystemObject",
        "primaryGroupID",
        "member",
    ];
    let administrator = samba.administrator();
    let folder = tempfile::tempdir()?;
    let password = folder.path().join("password");
    std::fs::write(&password, &administrator.password)?;
    let mut command = Command::new("ldapsearch");
    command
        .env("LDAPTLS_CACERT", samba.ca_file())
        .args([
            "-LLL",
            "-x",
            "-H",
            &samba.ldaps_url(),
            "-D",
            &administrator.upn,
            "-y",
        ])
        .arg(&password)
        .args([
            "-E",
            "!dirsync=0/0",
            "-b",
            samba.base_dn(),
            "(|(objectCategory=person)(objectCategory=group))",
        ])
        .args(ATTRIBUTES)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = now();
    let status = command.status().context("failed to run ldapsearch")?;
    let took = started.elapsed();
    ensure!(status.success(), "ldapsearch failed: {status}");
    Ok(took)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

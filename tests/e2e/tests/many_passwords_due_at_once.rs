//! A company whose passwords are all due at once: no faster than its limits, a few first, and no further once sends fail.
#![expect(
    clippy::unwrap_used,
    clippy::tests_outside_test_module,
    reason = "an integration test"
)]

use std::time::Duration;

use ad_sim::{
    Ace, Class, Controller, Directory, Fault, Inherit, NewUser, Operation, Settings, Simulation,
    When, extended, right,
};
use anyhow::{Context, Result, ensure};
use e2e::{GROUP, Hes, People, ROTATION_GROUP};
use serde_json::Value;
use testkit::poll_until;

const DEADLINE: Duration = Duration::from_secs(600);
const KEYS: usize = 40;
const AN_HOUR: usize = 20;
/// What `--rotation-limit at_once` is by default.
const AT_ONCE: usize = 8;

/// 10,000 with `--long`.
fn people() -> usize {
    match std::env::var_os("HES_TEST_LONG") {
        Some(_) => 10_000,
        None => 1_000,
    }
}

#[tokio::test]
async fn they_change_by_the_limits_and_stop_when_the_directory_is_busy() -> Result<()> {
    let simulation = Simulation::start(Settings::new("corp.test")).await?;
    let service = format!("{}-svc", simulation.administrator_password());
    let controller = simulation.controller();
    let everybody = controller.edit(|directory| found(directory, &service))?;
    let before = changes(controller, &everybody)?;

    let hes = Hes::up().await?;
    add(&hes, &simulation, &service).await?;
    let mut keys = Vec::new();
    for (logon, person) in employees(&hes).await?.by_logon.iter().take(KEYS) {
        let employee = person.name.trim_start_matches("employees/");
        keys.push(hes.enrol(logon, employee, &hes.data().join(logon)).await?);
    }
    hes.rotating(everybody.len()).await?;
    for key in &mut keys {
        hes.come(key, &[])?;
    }
    for key in &keys {
        key.until_present().await?;
    }

    // That they joined the group sent nothing.
    assert_eq!(changes(controller, &everybody)?, before);

    let ran = hes
        .words("rotation now --domain corp --yes -o json")
        .await?;
    ensure!(ran.code == 0, "{ran:?}");
    let planned = ran.json()?;
    assert_eq!(
        planned.get("planned").and_then(Value::as_u64),
        Some(u64::try_from(everybody.len())?),
    );

    let mut most = 0;
    let last = poll_until(DEADLINE, "an hour's worth of changes", async || {
        let standing = standing(&hes).await.ok()?;
        most = most.max(number(&standing, "underWay"));
        let rest = everybody.len() - AN_HOUR;
        (number(&standing, "underWay") == 0 && number(&standing, "waiting") == rest)
            .then_some(standing)
    })
    .await?;
    assert!(most <= AT_ONCE, "{most} at once: {last:#}");
    assert_eq!(changed(&before, &changes(controller, &everybody)?), AN_HOUR);

    // There is room for all of them now, and the directory has none.
    for _ in 0..1_000 {
        let when = When {
            operation: Operation::Modify,
            after: 0,
        };
        controller.fail(when, Fault::Refuse(51));
    }
    let ran = hes
        .words("domain update corp --rotation-limit per_hour=100000 --rotation-limit percent_per_hour=100000")
        .await?;
    ensure!(ran.code == 0, "{ran:?}");
    poll_until(DEADLINE, "the breaker to open", async || {
        let standing = standing(&hes).await.ok()?;
        (standing.get("breaker")?.as_str()? == "FAILURES").then_some(())
    })
    .await?;
    controller.mend();
    let sent = poll_until(DEADLINE, "every send to be answered", async || {
        sends(&hes).await.ok()?
    })
    .await?;
    let failed = sent - AN_HOUR;
    assert!(
        (5..=5 + AT_ONCE).contains(&failed),
        "{failed} sends failed: five, and those in hand then"
    );
    assert_eq!(changed(&before, &changes(controller, &everybody)?), AN_HOUR);
    Ok(())
}

/// Everybody in both groups, with a password of their own.
fn found(directory: &mut Directory<'_>, service: &str) -> Result<Vec<String>, ad_sim::Refused> {
    let base = directory.base();
    let ou = directory.add_ou(&base, "Staff")?;
    let sync = directory.add_group(&ou, GROUP)?;
    let rotation = directory.add_group(&ou, ROTATION_GROUP)?;
    let mut people = Vec::new();
    for number in 0..self::people() {
        let logon = format!("person{number}");
        let user = NewUser {
            name: &logon,
            logon: &logon,
            password: &format!("{service}-{number}"),
            ..NewUser::default()
        };
        people.push(directory.add_user(&ou, &user)?);
    }
    let members: Vec<&str> = people.iter().map(String::as_str).collect();
    directory.set_members(&sync, &members)?;
    directory.set_members(&rotation, &members)?;
    let user = NewUser {
        name: "svc-hes",
        logon: "svc-hes",
        password: service,
        ..NewUser::default()
    };
    let service = directory.add_user(&directory.users(), &user)?;
    let sid = directory.sid(&service)?;
    let deleted = format!("CN=Deleted Objects,{base}");
    let read = Ace::allow(&sid, right::READ).inherited_by(Inherit::All);
    directory.grant(&deleted, read)?;
    let reset = Ace::allow(&sid, right::CONTROL_ACCESS)
        .on(extended::RESET_PASSWORD)
        .inherited_by(Inherit::Only(Class::User));
    directory.grant(&ou, reset)?;
    Ok(people)
}

async fn add(hes: &Hes, simulation: &Simulation, password: &str) -> Result<()> {
    let ca = hes.file("corp-ca.pem", simulation.authority())?;
    let password = hes.file("corp.password", password)?;
    let line = format!(
        "domain add ad corp --domain-name corp.test --server ldaps://localhost:{} --ca-file {} --logon-name \
         svc-hes@corp.test --password-file {} --rotation-limit per_hour={AN_HOUR}",
        simulation.controller().address().port(),
        ca.display(),
        password.display()
    );
    for line in [line.as_str(), "sync run corp --full --wait"] {
        let ran = hes.words(line).await?;
        ensure!(ran.code == 0, "{ran:?}");
    }
    hes.add_client().await
}

/// Everybody, once all have come.
async fn employees(hes: &Hes) -> Result<People> {
    poll_until(DEADLINE, "all employees", async || {
        let all = People::of(hes).await.ok()?;
        (all.active().len() == people()).then_some(all)
    })
    .await
}

/// What the directory notes at each change of a password.
fn changes(controller: &Controller, people: &[String]) -> Result<Vec<Vec<Vec<u8>>>> {
    controller
        .edit(|directory| {
            let of = |dn: &String| directory.values(dn, "pwdLastSet");
            people.iter().map(of).collect::<Result<_, _>>()
        })
        .context("no pwdLastSet")
}

fn changed(before: &[Vec<Vec<u8>>], after: &[Vec<Vec<u8>>]) -> usize {
    before
        .iter()
        .zip(after)
        .filter(|(before, after)| before != after)
        .count()
}

async fn standing(hes: &Hes) -> Result<Value> {
    // Ends with an error where something is wrong, and says what.
    let status = hes.words("status -o json").await?.json()?;
    let rotation = status.pointer("/domains/0/rotation");
    rotation.cloned().context("no rotation")
}

fn number(standing: &Value, name: &str) -> usize {
    let number = standing.get(name).and_then(Value::as_u64).unwrap_or(0);
    usize::try_from(number).unwrap()
}

/// All sends of all rotations that ever were, once none waits for an answer.
async fn sends(hes: &Hes) -> Result<Option<usize>> {
    let list = hes.json("rotation list --all --limit 0").await?;
    let mut sends = 0;
    for rotation in list.as_array().context("no list")? {
        if rotation.get("state").and_then(Value::as_str) == Some("ROTATION_STATE_SENT") {
            return Ok(None);
        }
        sends += number(rotation, "sends");
    }
    Ok(Some(sends))
}

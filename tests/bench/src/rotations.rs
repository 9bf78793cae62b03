//! Passwords that change by themselves, each with all that makes it safe, beside resets that do nothing else.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use e2e::World;
use e2e::keys::Key;
use jiff::Timestamp;
use serde_json::Value;
use testkit::Samba;

use crate::row::{Row, Times};

const DEADLINE: Duration = Duration::from_secs(300);
/// Each with a key, whose client is a process.
const PEOPLE: usize = 100;
/// Rotating less than half as fast as bare resets is too slow.
const TARGET: f64 = 2.0;

pub(crate) async fn measure() -> Result<Row> {
    let (world, mut keys) = World::with_keys(PEOPLE, &[]).await?;
    for key in &mut keys {
        world.hes.come(key, &[])?;
    }
    // What is measured is the change, not how quickly a key finds its way.
    for key in &keys {
        key.until_present().await?;
    }
    let ran = world
        .hes
        .words("rotation now --domain corp --yes -o json")
        .await?;
    ensure!(ran.code == 0, "{ran:?}");
    // Files, because asking the server would take the time that is measured.
    testkit::poll_until(DEADLINE, "every key to have its password", async || {
        keys.iter().all(has_current).then_some(())
    })
    .await?;
    let ours = took(&closed(&world).await?)?;
    for key in &mut keys {
        key.go();
    }
    let logons: Vec<String> = keys.iter().map(|key| key.logon.clone()).collect();
    let floor = bare_resets(&world.samba, &logons)?;
    Ok(Row {
        work: "100 rotations, one domain controller (Samba), SQLite",
        floor: "`ldapmodify`: bare resets on one connection",
        times: Some(Times {
            floor,
            ours,
            target: TARGET,
        }),
        memory: None,
    })
}

fn has_current(key: &Key) -> bool {
    key.slots().is_ok_and(|slots| slots.current.is_some())
}

/// All rotations, once the server's copy of every password is gone.
async fn closed(world: &World) -> Result<Vec<Value>> {
    testkit::poll_until(DEADLINE, "all to be closed", async || {
        let list = world.hes.json("rotation list --all --limit 0").await.ok()?;
        let list = list.as_array()?;
        let closed = list.iter().filter(|rotation| {
            rotation.get("state").and_then(Value::as_str) == Some("ROTATION_STATE_CLOSED")
        });
        (closed.count() == PEOPLE).then(|| list.clone())
    })
    .await
}

/// From the first that was begun to the last that was closed, by the server's own record.
fn took(rotations: &[Value]) -> Result<Duration> {
    let times = |name: &str| -> Result<Vec<Timestamp>> {
        let time = |rotation: &Value| -> Result<Timestamp> {
            let text = rotation.get(name).and_then(Value::as_str);
            Ok(text
                .with_context(|| format!("no {name} in {rotation}"))?
                .parse()?)
        };
        rotations.iter().map(time).collect()
    };
    let begun = times("createTime")?.into_iter().min();
    let closed = times("stateTime")?.into_iter().max();
    let took = closed.zip(begun).context("no rotation")?;
    Ok(Duration::try_from(took.0.duration_since(took.1))?)
}

/// How long OpenLDAP's client takes to reset the same passwords, one after the other, on one connection that it opens.
fn bare_resets(samba: &Samba, logons: &[String]) -> Result<Duration> {
    let administrator = samba.administrator();
    let folder = tempfile::tempdir()?;
    let password = folder.path().join("password");
    std::fs::write(&password, &administrator.password)?;
    let mut changes = String::new();
    for (number, logon) in logons.iter().enumerate() {
        let quoted = format!("\"Bare-reset-{number:04}-of-a-bench\"");
        let value: Vec<u8> = quoted.encode_utf16().flat_map(u16::to_le_bytes).collect();
        write!(
            changes,
            "dn: CN={logon},CN=Users,{}\nchangetype: modify\nreplace: unicodePwd\nunicodePwd:: {}\n\n",
            samba.base_dn(),
            BASE64_STANDARD.encode(value)
        )?;
    }
    let file = folder.path().join("changes.ldif");
    std::fs::write(&file, changes)?;
    let mut command = Command::new("ldapmodify");
    command
        .env("LDAPTLS_CACERT", samba.ca_file())
        .args([
            "-x",
            "-H",
            &samba.ldaps_url(),
            "-D",
            &administrator.upn,
            "-y",
        ])
        .arg(&password)
        .arg("-f")
        .arg(&file)
        .stdout(Stdio::null());
    let started = now();
    let status = command.status().context("failed to run ldapmodify")?;
    let took = started.elapsed();
    ensure!(status.success(), "ldapmodify failed: {status}");
    Ok(took)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

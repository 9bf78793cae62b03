//! The crash test: whatever process dies or stands still, at whatever point of a password change, and however the
//! connection to the domain controller breaks, everybody gets in by what their key keeps, nobody is locked out, and in the
//! end the current password alone is right.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::World;
use e2e::keys::Key;
use testkit::chaos::{Cut, Direction, Mode, Proxy};
use testkit::samba::Options;
use testkit::{Samba, poll_until};

const PEOPLE: usize = 4;

/// How often something falls: in `cargo xtask test`, and with `--long`.
fn falls() -> u64 {
    match std::env::var_os("HES_TEST_LONG") {
        Some(_) => 1_000,
        None => 30,
    }
}

const POINT: &str = "HES_TEST_POINT";
/// What is waited for may never come: a point may lie behind one where nobody came.
const PATIENCE: Duration = Duration::from_secs(12);

/// Where a process of the suite falls.
const OF_THE_SUITE: [&str; 10] = [
    "candidate committed",
    "acceptance committed",
    "send recorded",
    "before the modify",
    "after the modify",
    "send answered",
    "answer noted",
    "verified",
    "conclusion committed",
    "acknowledgement committed",
];
/// Where the client beside a key falls.
const OF_THE_CLIENT: [&str; 3] = ["slot written", "candidate stored", "password made current"];

/// What happens in one round.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Suite(&'static str, &'static str),
    Client(&'static str, &'static str),
    /// The connection to the domain controller is reset after so many records.
    Cut(Direction, u64),
}

/// Every point, killed and stopped, and cuts between, in an order that mixes them.
fn trouble(round: u64) -> Trouble {
    let pick = |list: &[&'static str]| {
        let at = usize::try_from(round / 3).unwrap_or_default() % list.len();
        list.get(at).copied().unwrap_or_default()
    };
    let what = if round.is_multiple_of(2) {
        "kill"
    } else {
        "stop"
    };
    match round % 6 {
        0 | 1 | 4 => Trouble::Suite(pick(&OF_THE_SUITE), what),
        3 => Trouble::Client(
            pick(&OF_THE_CLIENT),
            if round % 4 == 3 { "kill" } else { "stop" },
        ),
        2 => Trouble::Cut(Direction::ToServer, 4 + round / 6 % 12),
        _ => Trouble::Cut(Direction::ToClient, 4 + round / 6 % 12),
    }
}

async fn everybody_gets_in(world: &World, keys: &[Key], when: &str) -> Result<()> {
    for key in keys {
        ensure!(
            world.gets_in(key).await?,
            "{when}: {} does not get in by what the key keeps: {:?}\n{}",
            key.logon,
            key.slots()?,
            world.hes.log()
        );
        let bad = world.samba.get(&key.logon, "badPwdCount").await?;
        let bad: u32 = bad.first().map_or(Ok(0), |count| count.parse())?;
        ensure!(bad < 3, "{when}: {} wrong passwords of {}", bad, key.logon);
    }
    Ok(())
}

async fn come_all(world: &World, keys: &mut [Key]) -> Result<()> {
    for key in keys {
        world.hes.come(key, &[])?;
    }
    Ok(())
}

#[tokio::test]
async fn no_password_is_lost_and_nobody_is_locked_out() -> Result<()> {
    let samba = Samba::start(Options::default().without_old_passwords()).await?;
    let proxy = Proxy::start(samba.ldaps_address()).await?;
    let server = format!("ldaps://localhost:{}", proxy.port());
    let settings = [
        ("HES__ROTATION_SCHEDULER__SEND_DEADLINE", "3s"),
        ("HES__ROTATION_SCHEDULER__QUIESCENCE", "1s"),
    ];
    let (mut world, mut keys) = World::with_keys_at(samba, &server, PEOPLE, &settings).await?;

    let mut fell = 0;
    for round in 0..falls() {
        let trouble = trouble(round);
        let when = format!("round {round}, {trouble:?}");
        let at = usize::try_from(round).unwrap_or_default() % PEOPLE;
        match trouble {
            Trouble::Suite(point, what) => {
                world.hes.set(POINT, Some(&format!("{point}:1:{what}")));
                world.hes.up_again().await?;
                come_all(&world, &mut keys).await?;
            }
            Trouble::Client(point, what) => {
                world.hes.set(POINT, None);
                world.hes.up_again().await?;
                come_all(&world, &mut keys).await?;
                let key = keys.get_mut(at).context("a key")?;
                world
                    .hes
                    .come(key, &[(POINT, &format!("{point}:1:{what}"))])?;
            }
            Trouble::Cut(direction, records) => {
                world.hes.set(POINT, None);
                world.hes.up_again().await?;
                come_all(&world, &mut keys).await?;
                proxy.set(Mode::Cut(Cut::after_tls_records(direction, records).once()));
            }
        }
        let key = keys.get(at).context("a key")?;
        // The suite may fall before it answers.
        let now = format!("rotation now {}", key.employee);
        drop(world.hes.words(&now).await?);
        let cuts = proxy.counters().cuts;
        let has_fallen = poll_until(PATIENCE, "a fall", async || {
            let fallen = match trouble {
                Trouble::Suite(..) => world.hes.has_fallen(),
                Trouble::Client(..) => keys.get_mut(at).is_some_and(Key::has_fallen),
                Trouble::Cut(..) => proxy.counters().cuts > cuts,
            };
            fallen.then_some(())
        })
        .await;
        fell += u32::from(has_fallen.is_ok());
        everybody_gets_in(&world, &keys, &when).await?;
        // One that stood still goes on, long after others have taken its work.
        world.hes.resume();
        for key in &keys {
            key.resume();
        }
        proxy.set(Mode::Pass);
        everybody_gets_in(&world, &keys, &when).await?;
    }
    ensure!(
        u64::from(fell) * 2 > falls(),
        "only {fell} of {} rounds came to their point",
        falls()
    );

    world.hes.set(POINT, None);
    world.hes.up_again().await?;
    come_all(&world, &mut keys).await?;
    for key in &keys {
        let closed = world.hes.until_rotation(key, 1, "CLOSED").await?;
        let slots = key.slots()?;
        let current = slots.current.clone().context("a current password")?;
        ensure!(slots.pending.is_none(), "{}: {slots:?}", key.logon);
        ensure!(
            world.samba.logs_on(&key.logon, &current.value).await?,
            "{}: the current password alone does not get in, after {closed:#}",
            key.logon
        );
    }
    Ok(())
}

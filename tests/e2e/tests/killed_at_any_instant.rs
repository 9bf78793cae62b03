//! `kill -9` at any instant of a sync: after a restart the employees equal the group.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::{GROUP, World};
use testkit::samba::NewUser;

/// How often the suite is killed: in `cargo xtask test`, and with `--long`.
fn kills() -> u64 {
    if std::env::var_os("HES_TEST_LONG").is_some() {
        300
    } else {
        30
    }
}

/// Instants without a clock or a random device: a linear congruential generator with a fixed seed.
struct Instants(u64);

impl Instants {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Changes somebody in the directory, and who should be an employee.
async fn change(world: &World, round: u64, expected: &mut BTreeSet<String>) -> Result<()> {
    let newcomer = format!("new{round}");
    world
        .samba
        .create_user(NewUser::named(&newcomer).mail(format!("{newcomer}@corp.test")))
        .await?;
    world.samba.add_members(GROUP, &[&newcomer]).await?;
    expected.insert(newcomer);
    let first = expected.first().context("somebody")?.clone();
    match round % 3 {
        0 => world.samba.delete(&first).await?,
        1 => world.samba.remove_members(GROUP, &[&first]).await?,
        _ => world.samba.disable(&first).await?,
    }
    expected.remove(&first);
    let last = expected.last().context("somebody")?;
    world
        .samba
        .set(last, "title", &[&format!("Title {round}")])
        .await
}

#[tokio::test]
async fn killed_at_random_instants_the_suite_ends_where_the_directory_is() -> Result<()> {
    let mut world = World::new().await?;
    world.fill(60).await?;
    let generous = [
        "removals.least=100000",
        "removals.most=100000",
        "members_lost.least=100000",
        "members_lost.most=100000",
        "disables.least=100000",
        "disables.most=100000",
    ];
    let more: Vec<_> = generous
        .iter()
        .flat_map(|limit| ["--guard", limit])
        .collect();
    world.add(&more).await?;
    let mut expected: BTreeSet<_> = (0..60).map(|number| format!("person{number}")).collect();
    let mut instants = Instants(2_026);

    for round in 0..kills() {
        change(&world, round, &mut expected).await?;
        world.hes.words("sync run corp").await?;
        // The instant is the point of this test: nothing is waited for.
        tokio::time::sleep(Duration::from_millis(instants.next(400))).await;
        world.hes.up_again().await?;
    }

    let ran = world.sync().await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    let wanted: Vec<_> = expected.iter().map(String::as_str).collect();
    let people = world
        .until("the group's members", |people| people.active() == wanted)
        .await?;
    let last = people.get(expected.last().context("somebody")?)?;
    assert!(last.text("/title").starts_with("Title "), "{last:?}");
    assert_eq!(world.hes.words("audit verify").await?.code, 0);
    let again = world.sync().await?;
    assert_eq!(
        again.json()?.pointer("/state"),
        Some(&"SYNC_RUN_STATE_UNCHANGED".into()),
        "{again:?}"
    );
    assert_eq!(world.people().await?, people);
    Ok(())
}

#[tokio::test]
async fn sigterm_ends_cleanly_in_the_middle_of_a_sync_and_the_next_start_goes_on() -> Result<()> {
    let mut world = World::new().await?;
    world.fill(60).await?;
    world.add(&[]).await?;
    world.hes.words("sync run corp").await?;

    let code = world.hes.terminate().await?;

    assert_eq!(code, Some(0), "{}", world.hes.log());
    world.hes.up_again().await?;
    world.settled(60).await?;
    Ok(())
}

//! Two replicas of each service: whichever is killed, at whatever instant, everything is done, and done once.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use api::event::v1::{Event, event::Payload};
use e2e::changes::{Changes, Instants, generous};
use e2e::{GROUP, Hes, ROTATION_GROUP, World, kills};
use prost::Message as _;
use testkit::samba::Options;
use testkit::{Samba, poll_until};

/// What a killed replica or a broken connection had in hand is delivered again after a minute.
const REDELIVERED: Duration = Duration::from_secs(120);

async fn world() -> Result<World> {
    let samba = Samba::start(Options::default()).await?;
    samba.create_group(GROUP).await?;
    samba.create_group(ROTATION_GROUP).await?;
    let hes = Hes::apart(&[]).await?;
    Ok(World { samba, hes })
}

/// Every state that was ever told of: of whom, its generation, and the ids of the events that told it.
async fn told(world: &mut World) -> Result<BTreeMap<(String, i64), Vec<String>>> {
    let nats = &world.hes.parts()?.nats;
    let mut states: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for stream in ["hes_directory", "hes_employee"] {
        for message in nats.messages(stream).await? {
            let event = Event::decode(message.payload.as_slice())?;
            let state = match event.payload.context("a payload")? {
                Payload::AccountChanged(changed) => {
                    let account = changed.account.context("an account")?;
                    (account.name, account.generation)
                }
                Payload::EmployeeChanged(changed) => {
                    let employee = changed.employee.context("an employee")?;
                    (employee.name, employee.generation)
                }
                Payload::DirectoryPinned(_)
                | Payload::SyncRunChanged(_)
                | Payload::DomainChanged(_)
                | Payload::PasswordlessSettingsChanged(_)
                | Payload::LinkProposalChanged(_)
                | Payload::RotationChanged(_)
                | Payload::DomainRotationChanged(_)
                | Payload::TargetChanged(_)
                | Payload::AuditRecorded(_) => continue,
            };
            states.entry(state).or_default().push(message.id);
        }
    }
    Ok(states)
}

/// What the connector knows is what config-service has taken.
async fn agree(world: &mut World) -> Result<()> {
    let parts = world.hes.parts()?;
    let known = "SELECT object_id, generation FROM accounts ORDER BY object_id";
    let taken = "SELECT object_id, generation FROM account ORDER BY object_id";
    // An event that was in hand when its connection broke comes again after a minute, and it may be of somebody who has
    // left, whom nobody has waited for.
    let mut both = (String::new(), String::new());
    let agreed = poll_until(REDELIVERED, "the services to agree", async || {
        let known = parts.query("ad-connector", known).await.ok()?;
        let taken = parts.query("config-service", taken).await.ok()?;
        both = (known, taken);
        (both.0 == both.1).then_some(())
    });
    agreed
        .await
        .with_context(|| format!("{} and {}", both.0, both.1))?;
    Ok(())
}

/// Nothing was told twice under two ids, no generation was left out, and what was told last is what is stored.
async fn nothing_contradicts(world: &mut World) -> Result<()> {
    agree(world).await?;
    let states = told(world).await?;
    let mut generations: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for ((name, generation), ids) in &states {
        assert_eq!(
            ids.len(),
            1,
            "generation {generation} of {name} was told as {ids:?}"
        );
        generations.entry(name).or_default().push(*generation);
    }
    for (name, generations) in &generations {
        let all: Vec<i64> = (1..=generations.len() as i64).collect();
        assert_eq!(generations, &all, "{name}");
    }
    let parts = world.hes.parts()?;
    for service in ["ad-connector", "config-service"] {
        let waiting = "SELECT COUNT(*) FROM hes_outbox WHERE published_at IS NULL";
        assert_eq!(parts.query(service, waiting).await?, "0", "{service}");
    }
    Ok(())
}

#[tokio::test]
async fn whichever_replica_is_killed_the_state_is_the_directorys_and_events_agree() -> Result<()> {
    let mut world = world().await?;
    world.fill(60).await?;
    world.add(&generous()).await?;
    let (mut changes, mut instants) = (Changes::of(60), Instants(63));

    for _ in 0..kills() {
        changes.next(&world).await?;
        // It fails when the replica that answers is killed meanwhile; the sync that it may have started goes on.
        world.hes.words("sync run corp").await?;
        // The instant is the point of this test: nothing is waited for.
        tokio::time::sleep(Duration::from_millis(instants.next(400))).await;
        let turn = usize::try_from(instants.next(4))?;
        world.hes.kill_one(turn).await?;
    }

    changes.settle(&world).await?;
    nothing_contradicts(&mut world).await
}

#[tokio::test]
async fn connections_that_break_in_the_middle_of_work_lose_nothing_and_do_nothing_twice()
-> Result<()> {
    let mut world = world().await?;
    world.fill(40).await?;
    world.add(&generous()).await?;
    let (mut changes, mut instants) = (Changes::of(40), Instants(7));

    for round in 0..kills() / 2 {
        changes.next(&world).await?;
        world.hes.words("sync run corp").await?;
        tokio::time::sleep(Duration::from_millis(instants.next(300))).await;
        let parts = world.hes.parts()?;
        match round % 3 {
            0 => parts.to_postgres.close_all(),
            1 => parts.to_nats.close_all(),
            _ => {
                parts.to_postgres.close_all();
                parts.to_nats.close_all();
            }
        }
    }

    changes.settle(&world).await?;
    nothing_contradicts(&mut world).await
}

//! PostgreSQL, NATS or the domain controller away for a minute: the rest serves, `hes status` says what is wrong, and
//! everything goes on by itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{GROUP, Hes, ROTATION_GROUP, World};
use serde_json::Value;
use testkit::samba::{NewUser, Options};
use testkit::{Samba, poll_until};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
/// How long it may take until an outage is noticed, or until everything is as it was.
const NOTICED: Duration = Duration::from_secs(45);

/// A suite that has imported five people.
async fn world() -> Result<World> {
    let samba = Samba::start(Options::default()).await?;
    samba.create_group(GROUP).await?;
    samba.create_group(ROTATION_GROUP).await?;
    let hes = Hes::apart(&[]).await?;
    let world = World { samba, hes };
    world.fill(5).await?;
    world.add(&[]).await?;
    ensure!(world.sync().await?.code == 0, "the import failed");
    world.settled(5).await?;
    Ok(world)
}

/// What is wrong with a component of each service, as `hes status` says it.
async fn problems(world: &World, component: &str) -> Result<Vec<String>> {
    let status = world.hes.json("status").await?;
    let parts = status.get("parts").and_then(Value::as_array);
    let problem = |part: &Value| {
        part.get("components")?
            .as_array()?
            .iter()
            .find(|found| found.get("name").and_then(Value::as_str) == Some(component))
            .filter(|found| {
                found.get("state").and_then(Value::as_str) != Some("COMPONENT_STATE_WORKING")
            })
            .and_then(|found| Some(found.get("message")?.as_str()?.to_owned()))
    };
    Ok(parts
        .context("no parts")?
        .iter()
        .filter_map(problem)
        .collect())
}

async fn until_problems(world: &World, component: &str, count: usize) -> Result<Vec<String>> {
    let what = format!("{count} services with a failing {component}");
    poll_until(NOTICED, &what, async || {
        let problems = problems(world, component).await.ok()?;
        (problems.len() == count).then_some(problems)
    })
    .await
}

/// Does it again and again until the minute that began at `since` is over.
async fn all_the_minute(since: Instant, mut each: impl AsyncFnMut() -> Result<()>) -> Result<()> {
    while since.elapsed() < MINUTE {
        each().await?;
    }
    Ok(())
}

async fn join(world: &World, name: &str) -> Result<()> {
    let user = NewUser::named(name).mail(format!("{name}@corp.test"));
    world.samba.create_user(user).await?;
    world.samba.add_members(GROUP, &[name]).await
}

#[tokio::test]
async fn without_postgresql_the_status_says_so_and_work_goes_on_once_it_is_back() -> Result<()> {
    let mut world = world().await?;
    let began = Instant::now();
    world.hes.parts()?.postgres.stop().await?;

    let said = until_problems(&world, "database", 3).await?;
    join(&world, "meanwhile").await?;
    all_the_minute(began, async || {
        let status = world.hes.words("status").await?;
        ensure!(
            status.code == 0 && status.stdout.contains("database: "),
            "{status:?}"
        );
        let list = world.hes.words("domain list").await?;
        ensure!(
            list.code == 1 && list.stderr.contains("DATABASE_UNAVAILABLE"),
            "{list:?}"
        );
        Ok(())
    })
    .await?;
    world.hes.parts()?.postgres.start_again().await?;

    assert!(said.iter().all(|problem| !problem.is_empty()), "{said:?}");
    until_problems(&world, "database", 0).await?;
    assert!(world.hes.parts()?.all_running(), "{}", world.hes.log());
    let ran = world.sync().await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    world.settled(6).await?;
    Ok(())
}

#[tokio::test]
async fn without_nats_everything_serves_and_events_are_told_once_it_is_back() -> Result<()> {
    let mut world = world().await?;
    let began = Instant::now();
    world.hes.parts()?.nats.stop().await?;

    let said = until_problems(&world, "event-bus", 3).await?;
    join(&world, "meanwhile").await?;
    let ran = world.sync().await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    all_the_minute(began, async || {
        let people = world.people().await?;
        ensure!(people.active().len() == 5, "{people:?}");
        Ok(())
    })
    .await?;
    let waiting = problems(&world, "outbox").await?;
    world.hes.parts()?.nats.start_again().await?;

    assert!(
        said.iter().all(|problem| problem.contains("NATS")),
        "{said:?}"
    );
    assert!(
        waiting
            .iter()
            .any(|problem| problem.contains("wait to be told")),
        "{waiting:?}"
    );
    world.settled(6).await?;
    until_problems(&world, "event-bus", 0).await?;
    until_problems(&world, "outbox", 0).await?;
    assert!(world.hes.parts()?.all_running(), "{}", world.hes.log());
    Ok(())
}

#[tokio::test]
async fn without_the_domain_controller_nobody_is_touched_and_the_sync_is_tried_again() -> Result<()>
{
    let mut world = world().await?;
    join(&world, "meanwhile").await?;
    let began = Instant::now();
    world.samba.stop().await;

    let ran = world.sync().await?;
    assert_eq!(ran.code, 1, "{ran:?}");
    all_the_minute(began, async || {
        let people = world.people().await?;
        ensure!(people.active().len() == 5, "{people:?}");
        let status = world.hes.words("status").await?;
        ensure!(
            status.code == 0 && status.stdout.contains("failed"),
            "{status:?}"
        );
        Ok(())
    })
    .await?;
    world.samba.start_again().await?;

    // By itself: the wait doubles from half a minute on.
    poll_until(Duration::from_secs(240), "a sync", async || {
        let people = world.people().await.ok()?;
        (people.active().len() == 6).then_some(())
    })
    .await?;
    assert!(world.hes.parts()?.all_running(), "{}", world.hes.log());
    Ok(())
}

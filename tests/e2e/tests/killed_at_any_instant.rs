//! `kill -9` at any instant of a sync: after a restart the employees equal the group.

use std::time::Duration;

use anyhow::Result;
use e2e::changes::{Changes, Instants, generous};
use e2e::{World, kills};

#[tokio::test]
async fn killed_at_random_instants_the_suite_ends_where_the_directory_is() -> Result<()> {
    let mut world = World::new().await?;
    world.fill(60).await?;
    world.add(&generous()).await?;
    let (mut changes, mut instants) = (Changes::of(60), Instants(2_026));

    for _ in 0..kills() {
        changes.next(&world).await?;
        world.hes.words("sync run corp").await?;
        // The instant is the point of this test: nothing is waited for.
        tokio::time::sleep(Duration::from_millis(instants.next(400))).await;
        world.hes.up_again().await?;
    }

    changes.settle(&world).await
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

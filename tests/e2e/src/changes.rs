//! A directory that keeps changing, at instants that are the same each time.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use testkit::samba::NewUser;

use crate::{GROUP, World};

/// Instants without a clock or a random device: a linear congruential generator with a fixed seed.
pub struct Instants(pub u64);

impl Instants {
    pub fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Limits that no change of a test exceeds.
pub fn generous() -> Vec<&'static str> {
    [
        "removals.least=100000",
        "removals.most=100000",
        "members_lost.least=100000",
        "members_lost.most=100000",
        "disables.least=100000",
        "disables.most=100000",
        "joins.least=100000",
        "joins.most=100000",
    ]
    .into_iter()
    .flat_map(|limit| ["--guard", limit])
    .collect()
}

/// Who should be an employee, as the directory changes.
pub struct Changes {
    pub expected: BTreeSet<String>,
    round: u64,
}

impl Changes {
    /// Starts with `person0`, …, who are in the group.
    pub fn of(people: usize) -> Self {
        Self {
            expected: (0..people)
                .map(|number| format!("person{number}"))
                .collect(),
            round: 0,
        }
    }

    /// Somebody comes, somebody goes in one of three ways, somebody has another title.
    pub async fn next(&mut self, world: &World) -> Result<()> {
        let round = self.round;
        self.round += 1;
        let newcomer = format!("new{round}");
        world
            .samba
            .create_user(NewUser::named(&newcomer).mail(format!("{newcomer}@corp.test")))
            .await?;
        world.samba.add_members(GROUP, &[&newcomer]).await?;
        self.expected.insert(newcomer);
        let first = self.expected.first().context("somebody")?.clone();
        match round % 3 {
            0 => world.samba.delete(&first).await?,
            1 => world.samba.remove_members(GROUP, &[&first]).await?,
            _ => world.samba.disable(&first).await?,
        }
        self.expected.remove(&first);
        let last = self.expected.last().context("somebody")?;
        let title = format!("Title {round}");
        world.samba.set(last, "title", &[&title]).await
    }

    /// After a sync the employees are those expected, with the last title, and another sync changes nothing.
    pub async fn settle(&self, world: &World) -> Result<()> {
        let ran = world.sync().await?;
        assert_eq!(ran.code, 0, "{ran:?}");
        let wanted: Vec<_> = self.expected.iter().map(String::as_str).collect();
        let members = world.members().await?;
        let last = self.expected.last().context("somebody")?;
        let title = format!("Title {}", self.round.saturating_sub(1));
        // All of them, those too who are disabled: events come in their own order.
        let people = world
            .until("the group's members", |people| {
                people.active() == wanted
                    && people.members() == members
                    && people
                        .get(last)
                        .is_ok_and(|last| last.text("/title") == title)
            })
            .await?;
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
}

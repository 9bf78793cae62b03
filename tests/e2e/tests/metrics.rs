//! What the services tell Prometheus: the right numbers, each with its meaning, and none that the documentation lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::{GROUP, Hes, ROTATION_GROUP, World};
use testkit::samba::Options;
use testkit::{Samba, poll_until};

/// A scrape: families with what is said of them, and samples.
struct Scrape {
    help: BTreeSet<String>,
    types: BTreeMap<String, String>,
    samples: Vec<(String, f64)>,
}

impl Scrape {
    fn read(text: &str) -> Result<Self> {
        let mut scrape = Self {
            help: BTreeSet::new(),
            types: BTreeMap::new(),
            samples: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').context("no help")?;
                scrape.help.insert(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').context("no type")?;
                scrape.types.insert(name.to_owned(), kind.to_owned());
            } else {
                let (name, value) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
                scrape.samples.push((name.to_owned(), value.parse()?));
            }
        }
        Ok(scrape)
    }

    /// The value of the sample whose name and labels contain all of these.
    fn value(&self, parts: &[&str]) -> Option<f64> {
        self.samples
            .iter()
            .find(|(name, _)| parts.iter().all(|part| name.contains(part)))
            .map(|(_, value)| *value)
    }
}

/// Each service's scrapes, once any of its replicas has this value.
async fn until(world: &mut World, service: &str, parts: &[&str], wanted: f64) -> Result<()> {
    let what = format!("{parts:?} of {service} to be {wanted}");
    let hes = world.hes.parts()?;
    poll_until(Duration::from_secs(90), &what, async || {
        let pages = hes.metrics().await.ok()?;
        pages
            .iter()
            .filter(|(name, _)| name == service)
            .filter_map(|(_, text)| Scrape::read(text).ok()?.value(parts))
            .any(|value| value == wanted)
            .then_some(())
    })
    .await
}

#[tokio::test]
async fn the_numbers_are_right_and_each_is_explained_there_and_in_the_documentation() -> Result<()>
{
    let samba = Samba::start(Options::default()).await?;
    samba.create_group(GROUP).await?;
    samba.create_group(ROTATION_GROUP).await?;
    let hes = Hes::apart(&[("HES__TELEMETRY__METRICS_LISTEN", "127.0.0.1:0")]).await?;
    let mut world = World { samba, hes };
    world.fill(5).await?;
    world.add(&[]).await?;
    assert_eq!(world.sync().await?.code, 0);
    world.settled(5).await?;
    // Emptying the group is held for a person to decide.
    let people = ["person0", "person1", "person2", "person3", "person4"];
    world.samba.remove_members(GROUP, &people).await?;
    assert_eq!(world.sync().await?.code, 3);

    until(
        &mut world,
        "ad-connector",
        &["hes_sync_accounts{", "presence=\"member\""],
        5.0,
    )
    .await?;
    until(&mut world, "ad-connector", &["hes_sync_held_runs{"], 1.0).await?;
    until(
        &mut world,
        "ad-connector",
        &["hes_sync_runs_total{", "state=\"APPLIED\""],
        1.0,
    )
    .await?;
    until(
        &mut world,
        "config-service",
        &["hes_employees{", "state=\"active\""],
        5.0,
    )
    .await?;
    for service in ["ad-connector", "config-service"] {
        until(&mut world, service, &["hes_outbox_depth{"], 0.0).await?;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/observability.md");
    let page = std::fs::read_to_string(page)?;
    let (mut families, mut called) = (BTreeSet::new(), BTreeSet::new());
    for (service, text) in world.hes.parts()?.metrics().await? {
        let scrape = Scrape::read(&text)?;
        if scrape.value(&["rpc_server_call_duration_seconds_count"]) > Some(0.0) {
            called.insert(service.clone());
        }
        for family in scrape.types.keys() {
            assert!(
                scrape.help.contains(family),
                "{family} of {service} has no HELP"
            );
            assert!(
                page.contains(&format!("`{family}`")),
                "{family} is not documented"
            );
        }
        assert!(
            !text.contains("person0") && !text.contains("corp.test"),
            "{text}"
        );
        families.extend(scrape.types.into_keys());
    }
    assert_eq!(called.len(), 2, "calls of {called:?} alone were counted");
    // And nothing is documented that isn't there, but what only trouble or a password change brings.
    let brought = [
        "hes_dead_letters_total",
        "hes_rotations_moved_total",
        "hes_rotation_alarms_total",
    ];
    for line in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (name, _) = line.split_once('`').context("a name")?;
        assert!(families.contains(name) || brought.contains(&name), "{name}");
    }
    Ok(())
}

//! A domain controller, a running suite, and the domain `corp` between them.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::Samba;
use testkit::poll_until;
use testkit::samba::{NewUser, Options};

use crate::{Hes, People, Ran};

pub const GROUP: &str = "Security Key Owners";
pub const ROTATION_GROUP: &str = "Security Key Auto Password Change";

/// A domain controller of `corp.test` and a suite that knows it as `corp`.
pub struct World {
    pub samba: Samba,
    pub hes: Hes,
}

impl World {
    /// With both groups, empty, and the domain not added yet.
    pub async fn new() -> Result<Self> {
        let samba = Samba::start(Options::default()).await?;
        samba.create_group(GROUP).await?;
        samba.create_group(ROTATION_GROUP).await?;
        let hes = Hes::up().await?;
        Ok(Self { samba, hes })
    }

    /// With so many people (`person0`, …) in the group, imported.
    pub async fn imported(people: usize) -> Result<Self> {
        let world = Self::new().await?;
        world.fill(people).await?;
        world.add(&[]).await?;
        let ran = world.sync().await?;
        ensure!(ran.code == 0, "the import failed: {ran:?}");
        world.settled(people).await?;
        Ok(world)
    }

    /// Creates `person0`, … in the group.
    pub async fn fill(&self, people: usize) -> Result<()> {
        for number in 0..people {
            let name = format!("person{number}");
            let mail = format!("{name}@corp.test");
            let user = NewUser::named(&name)
                .mail(mail)
                .display_name(format!("Person {number}"));
            self.samba.create_user(user).await?;
            self.samba.add_members(GROUP, &[&name]).await?;
        }
        Ok(())
    }

    /// Adds the domain `corp` at the domain controller's own address.
    pub async fn add(&self, more: &[&str]) -> Result<()> {
        let ran = self.add_at("corp", &self.samba.ldaps_url(), more).await?;
        ensure!(ran.code == 0, "could not add the domain: {ran:?}");
        Ok(())
    }

    /// Adds a domain at an address.
    pub async fn add_at(&self, id: &str, server: &str, more: &[&str]) -> Result<Ran> {
        add_domain(&self.hes, &self.samba, id, server, more).await
    }

    pub async fn sync(&self) -> Result<Ran> {
        self.hes.words("sync run corp --wait -o json").await
    }

    pub async fn people(&self) -> Result<People> {
        People::of(&self.hes).await
    }

    /// Waits until this many employees are active: events take a moment.
    pub async fn settled(&self, active: usize) -> Result<People> {
        self.until(&format!("{active} active employees"), |people| {
            people.active().len() == active
        })
        .await
    }

    /// Waits until the employees are as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&People) -> bool) -> Result<People> {
        let mut last = None;
        // What a killed replica had in hand is delivered again after a minute.
        let found = poll_until(Duration::from_secs(120), what, async || {
            let people = self.people().await.ok()?;
            let right = wanted(&people);
            last = Some(people.clone());
            right.then_some(people)
        })
        .await;
        found.with_context(|| format!("the employees are {last:#?}"))
    }

    /// How many accounts the connector knows as members of the group.
    pub async fn members(&self) -> Result<usize> {
        let status = self.hes.json("status").await?;
        let members = status.pointer("/domains/0/syncState/members");
        // A 64-bit number is a text in JSON.
        let members = members.and_then(|members| {
            let text = members.as_str().and_then(|text| text.parse().ok());
            members.as_u64().or(text)
        });
        Ok(usize::try_from(members.context("no count of members")?)?)
    }

    /// The newest run, whole.
    pub async fn last_run(&self) -> Result<Value> {
        let runs = self.hes.json("sync list corp --limit 1").await?;
        let name = runs
            .pointer("/0/name")
            .and_then(Value::as_str)
            .context("no run")?
            .to_owned();
        self.hes.json(&format!("sync show {name}")).await
    }
}

/// Adds the domain of a domain controller under an id, at an address, with its ordinary service account.
pub async fn add_domain(
    hes: &Hes,
    samba: &Samba,
    id: &str,
    server: &str,
    more: &[&str],
) -> Result<Ran> {
    let logon = samba.service();
    let password = hes.file(&format!("{id}.password"), &logon.password)?;
    let name = hes.file(&format!("{id}.logon-name"), &logon.upn)?;
    let mut line: Vec<OsString> = [
        "domain",
        "add",
        "ad",
        id,
        "--domain-name",
        samba.dns_domain(),
    ]
    .map(OsString::from)
    .into();
    line.extend(["--server".into(), server.into()]);
    line.extend(["--ca-file".into(), samba.ca_file().into()]);
    line.extend(["--logon-name-file".into(), name.into()]);
    line.extend(["--password-file".into(), password.into()]);
    line.extend(more.iter().map(OsString::from));
    hes.run(line).await
}

//! People whose passwords change by themselves: each with a key, which is a folder, and the reference client beside it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::Samba;
use testkit::poll_until;
use testkit::programs::{self, Running};
use testkit::samba::{NewUser, Options};

use crate::{GROUP, Hes, ROTATION_GROUP, World};

/// What everybody has before the first change.
pub const FIRST_PASSWORD: &str = "First-Pa55word-of-all";
const DEADLINE: Duration = Duration::from_secs(180);

/// Limits that hold no test back, and no domain of four people either.
pub const FAST: [&str; 8] = [
    "--rotation-limit",
    "canaries=0",
    "--rotation-limit",
    "at_once=100",
    "--rotation-limit",
    "per_hour=100000",
    "--rotation-limit",
    "percent_per_hour=100000",
];

/// One person, and the key.
pub struct Key {
    pub logon: String,
    /// The employee's id.
    pub employee: String,
    pub store: PathBuf,
    client: Option<Running>,
    said: String,
}

/// What a key has of its only account.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    pub previous: Option<Kept>,
    pub current: Option<Kept>,
    pub pending: Option<Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub generation: i64,
    pub value: String,
}

impl Slots {
    /// The first file of the store's accounts; nothing where there is none yet.
    pub fn read(store: &Path) -> Result<Self> {
        let folder = store.join("accounts");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            return Ok(Self::default());
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let file: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            let kept = |slot: &str| {
                let slot = file.get(slot)?;
                Some(Kept {
                    generation: slot.get("generation")?.as_i64()?,
                    value: slot.get("value")?.as_str()?.to_owned(),
                })
            };
            return Ok(Self {
                previous: kept("previous"),
                current: kept("current"),
                pending: kept("pending"),
            });
        }
        Ok(Self::default())
    }

    /// In the order in which they are tried.
    pub fn to_try(&self) -> impl Iterator<Item = &Kept> {
        self.current.iter().chain(&self.pending)
    }
}

impl World {
    /// So many people (`person0`, …) in both groups, who may be reset, imported, each with a key that is away.
    pub async fn with_keys(people: usize, settings: &[(&str, &str)]) -> Result<(Self, Vec<Key>)> {
        let samba = Samba::start(Options::default().without_old_passwords()).await?;
        let server = samba.ldaps_url();
        Self::with_keys_at(samba, &server, people, settings).await
    }

    /// The same, with the domain controller reached at an address.
    pub async fn with_keys_at(
        samba: Samba,
        server: &str,
        people: usize,
        settings: &[(&str, &str)],
    ) -> Result<(Self, Vec<Key>)> {
        samba.create_group(GROUP).await?;
        samba.create_group(ROTATION_GROUP).await?;
        let users = format!("CN=Users,{}", samba.base_dn());
        samba
            .allow_reset_password(&samba.service().name, &users)
            .await?;
        for number in 0..people {
            let name = format!("person{number}");
            let user = NewUser::named(&name).password(FIRST_PASSWORD);
            samba.create_user(user).await?;
            samba.add_members(GROUP, &[&name]).await?;
            samba.add_members(ROTATION_GROUP, &[&name]).await?;
        }
        let hes = Hes::up_with(settings).await?;
        let world = Self { samba, hes };
        let ran = world.add_at("corp", server, &FAST).await?;
        ensure!(ran.code == 0, "could not add the domain: {ran:?}");
        let ran = world.sync().await?;
        ensure!(ran.code == 0, "the import failed: {ran:?}");
        let employees = world.settled(people).await?;
        world.hes.add_client().await?;
        let mut keys = Vec::new();
        for number in 0..people {
            let logon = format!("person{number}");
            let employee = employees.get(&logon)?.name.clone();
            let employee = employee.rsplit('/').next().unwrap_or_default().to_owned();
            let store = world.hes.data().join(format!("key{number}"));
            keys.push(world.hes.enrol(&logon, &employee, &store).await?);
        }
        world.hes.rotating(people).await?;
        Ok((world, keys))
    }

    /// Whether somebody gets in by what the key keeps, tried as a workstation would: current, then pending.
    pub async fn gets_in(&self, key: &Key) -> Result<bool> {
        let slots = Slots::read(&key.store)?;
        let mut tried: Vec<String> = slots.to_try().map(|kept| kept.value.clone()).collect();
        if slots.current.is_none() {
            // Before the first change, what the person knows is the current one.
            tried.insert(0, FIRST_PASSWORD.to_owned());
        }
        for value in tried {
            if self.samba.logs_on(&key.logon, &value).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Hes {
    /// Adds the client that all keys come by, and writes its token where they find it.
    pub async fn add_client(&self) -> Result<()> {
        let token = self.data().join("client.token");
        let add = format!(
            "delivery client add desk --domain corp --offers-per-hour 100000 --token-file {}",
            token.display()
        );
        let ran = self.words(&add).await?;
        ensure!(ran.code == 0, "{ran:?}");
        Ok(())
    }

    /// Gives an employee one more key.
    pub async fn enrol(&self, logon: &str, employee: &str, store: &Path) -> Result<Key> {
        let add = format!("delivery target add {employee} --store {}", store.display());
        // Employees are heard of by events.
        let mut last = None;
        poll_until(DEADLINE, "the employee to be known", async || {
            let ran = self.words(&add).await.ok()?;
            let done = ran.code == 0;
            last = Some(ran);
            done.then_some(())
        })
        .await
        .with_context(|| format!("{last:?}"))?;
        Ok(Key {
            logon: logon.to_owned(),
            employee: employee.to_owned(),
            store: store.to_owned(),
            client: None,
            said: String::new(),
        })
    }

    /// Waits until so many accounts rotate.
    pub async fn rotating(&self, accounts: usize) -> Result<()> {
        let mut last = Value::Null;
        poll_until(
            DEADLINE,
            &format!("{accounts} accounts to rotate"),
            async || {
                last = self.json("rotation forecast corp").await.ok()?;
                let due = last.as_array()?.iter();
                let due = due.filter(|forecast| {
                    forecast.get("dueTime").is_some() && forecast.get("employee").is_some()
                });
                (due.count() == accounts).then_some(())
            },
        )
        .await
        .with_context(|| format!("{last:#}"))
    }

    /// Starts the client beside a key.
    pub fn come(&self, key: &mut Key, environment: &[(&str, &str)]) -> Result<()> {
        key.go();
        let mut command = self.client(key)?;
        command.envs(environment.iter().copied());
        key.client = Some(Running::start(command)?);
        Ok(())
    }

    fn client(&self, key: &Key) -> Result<Command> {
        let token = self.data().join("client.token");
        let ca = self.data().join("ca.pem");
        programs::hes_command([
            "delivery".as_ref(),
            "agent".as_ref(),
            "--store".as_ref(),
            key.store.as_os_str(),
            "--api".as_ref(),
            self.api().as_ref(),
            "--rotation-api".as_ref(),
            self.rotation_api().as_ref(),
            "--api-token-file".as_ref(),
            token.as_os_str(),
            "--api-ca-file".as_ref(),
            ca.as_os_str(),
        ])
    }

    /// Makes an employee's password due.
    pub async fn rotate_now(&self, key: &Key) -> Result<Value> {
        self.json(&format!("rotation now {}", key.employee)).await
    }

    /// The employee's rotations, newest first.
    pub async fn rotations(&self, key: &Key) -> Result<Vec<Value>> {
        let list = format!("rotation list --all --employee {}", key.employee);
        let list = self.json(&list).await?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// Waits until the newest rotation of a generation, or a later one, is in a state.
    pub async fn until_rotation(&self, key: &Key, generation: i64, state: &str) -> Result<Value> {
        let wanted = format!("ROTATION_STATE_{state}");
        let mut last = Vec::new();
        poll_until(
            DEADLINE,
            &format!("password {generation} to be {state}"),
            async || {
                last = self.rotations(key).await.ok()?;
                let newest = last.first()?;
                let is = newest.get("state")?.as_str()? == wanted
                    && newest.get("generation")?.as_str()?.parse::<i64>().ok()? >= generation;
                is.then(|| newest.clone())
            },
        )
        .await
        .with_context(|| format!("{last:#?}\n{}", key.said()))
    }
}

impl Key {
    /// Ends the client, as when the key is pulled.
    pub fn go(&mut self) {
        if let Some(client) = self.client.take() {
            self.said += &(client.stdout() + &client.stderr());
        }
    }

    /// Waits until the server knows that the key is there.
    pub async fn until_present(&self) -> Result<()> {
        poll_until(DEADLINE, "a key to be present", async || {
            self.said().contains("present as ").then_some(())
        })
        .await
    }

    /// Whether the client has ended by itself, or is stopped.
    pub fn has_fallen(&mut self) -> bool {
        self.client
            .as_mut()
            .is_some_and(|client| client.ended().is_some() || client.is_stopped())
    }

    /// Has a client that is stopped go on.
    pub fn resume(&self) {
        if let Some(client) = &self.client {
            client.resume();
        }
    }

    pub fn slots(&self) -> Result<Slots> {
        Slots::read(&self.store)
    }

    /// What its client said on both outputs.
    pub fn said(&self) -> String {
        let now = self.client.as_ref();
        let now = now.map_or_else(String::new, |client| client.stdout() + &client.stderr());
        format!("{}{now}", self.said)
    }
}

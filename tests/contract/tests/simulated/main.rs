//! What only the simulated directory can be made to do: replication held back, time, lockout, and things that go wrong.

mod failing;
mod policies;
mod replicating;

use ad_sim::{NewUser, Settings, Simulation};
use anyhow::{Context as _, Result};
use contract::Client;

pub(crate) const PASSWORD: &str = "Us3r-Passw0rd!";

pub(crate) async fn start(settings: Settings) -> Result<Simulation> {
    Ok(Simulation::start(settings).await?)
}

/// Logged on at one of the domain controllers.
pub(crate) async fn log_on(simulation: &Simulation, number: usize) -> Result<Client> {
    let client = connect(simulation, number).await?;
    let name = simulation.administrator();
    let (code, text) = client
        .bind(&name, simulation.administrator_password())
        .await?;
    anyhow::ensure!(code == 0, "{code} {text}");
    Ok(client)
}

pub(crate) async fn connect(simulation: &Simulation, number: usize) -> Result<Client> {
    let controller = simulation.controllers().get(number);
    let controller = controller.context("no such domain controller")?;
    let url = format!("ldaps://127.0.0.1:{}", controller.address().port());
    Client::connect(&url, simulation.authority()).await
}

/// The sub-code of a logon, or nothing where it went through.
pub(crate) async fn try_logon(
    simulation: &Simulation,
    number: usize,
    password: &str,
) -> Result<String> {
    let client = connect(simulation, number).await?;
    let (code, text) = client.bind("ada@corp.test", password).await?;
    if code == 0 {
        return Ok(String::new());
    }
    let data = text.split("data ").nth(1).unwrap_or_default();
    Ok(data.split(',').next().unwrap_or_default().to_owned())
}

/// A user called Ada at the first domain controller. Returns her name.
pub(crate) fn add_ada(simulation: &Simulation) -> Result<String> {
    let dn = simulation.controller().edit(|directory| {
        let ada = NewUser {
            name: "ada",
            logon: "ada",
            password: PASSWORD,
            ..NewUser::default()
        };
        let users = directory.users();
        directory.add_user(&users, &ada)
    })?;
    Ok(dn)
}

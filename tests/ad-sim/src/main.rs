//! The simulated directory as a program, to be looked at with any LDAP client.

use std::path::PathBuf;

use ad_sim::{Settings, Simulation, company};
use anyhow::{Context as _, Result};
use clap::Parser;

/// Serves a simulated Active Directory over LDAPS on loopback until it is stopped.
///
/// Everything is in memory and made anew at each start: the certificate authority and the administrator's password too,
/// which are written where the arguments say.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The domain's DNS name.
    #[arg(long, default_value = "corp.example")]
    domain: String,
    /// Where to serve LDAPS; 0: any free port.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How many people there are, in groups of 100.
    #[arg(long, default_value_t = 1000)]
    people: usize,
    /// Where to write the authority's certificate, as PEM.
    #[arg(long, value_name = "FILE")]
    ca_file: PathBuf,
    /// Where to write the administrator's password.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "how to reach it is what it is run for")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let settings = Settings {
        port: arguments.port,
        ..Settings::new(&arguments.domain)
    };
    let simulation = Simulation::start(settings).await?;
    let write = |path: &PathBuf, text: &str| {
        std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
    };
    write(&arguments.ca_file, simulation.authority())?;
    write(
        &arguments.password_file,
        simulation.administrator_password(),
    )?;
    let controller = simulation.controller();
    controller.edit(|directory| {
        company::populate(
            directory,
            "Staff",
            "Security Key Owners",
            arguments.people,
            100,
        )
    })?;
    println!(
        "{} serves ldaps://localhost:{}",
        controller.host(),
        controller.address().port()
    );
    println!("log on as {}", simulation.administrator());
    std::future::pending().await
}

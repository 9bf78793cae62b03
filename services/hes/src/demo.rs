//! `hes demo`: everything in this process, a simulated company's directory beside it, and the main job, narrated.

mod company;
mod narrator;
mod story;

use std::net::SocketAddr;

use clap::Args;
use runtime::settings::{environment, load};
use sealing::FileKeyProvider;
use tempfile::TempDir;

use self::{company::Company, narrator::Narrator};
use crate::{
    failure::Failure,
    output::{Screen, print},
    up,
};

const HELP: &str = "\
Examples:
  hes demo
  hes demo --once

Nothing is installed, and nothing on the network is touched: a directory of about 2,000 people is simulated in this \
process and served over LDAPS on loopback, and everything that is stored is deleted at the end. The commands that are \
shown are run as shown.";

/// Arguments of `hes demo`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Demo {
    /// End after the story: with exit code 0 if all of it went right, with 1 if anything did not
    #[arg(long)]
    once: bool,
    /// Where the API is served [default: a free port of 127.0.0.1]
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:0",
        hide_default_value = true
    )]
    listen: SocketAddr,
    /// What is logged, on standard error
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log_filter: String,
}

/// Runs until the story has ended, or, without `--once`, until a signal.
pub(crate) async fn run(demo: Demo, screen: &Screen) -> Result<(), Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Failure::new("could not set up the demo").caused_by(error)
    };
    let folder = TempDir::with_prefix("hes-demo-").map_err(|error| failed(&error))?;
    let kek = folder.path().join("kek");
    FileKeyProvider::create(&kek).map_err(|error| failed(&error))?;
    let layers = up::defaults()
        .environment(environment())
        .flag("up.kek_file", kek.display().to_string())
        .flag("grpc.listen", demo.listen.to_string())
        .flag("telemetry.filter", demo.log_filter.clone());
    let settings = load(&layers).map_err(|error| failed(&error))?;
    let company = Company::open(folder.path()).await?;
    let data = folder.path().join("data");
    up::serve(settings, &data, async |served| {
        let narrator = Narrator::new(screen, served, folder.path());
        story::tell(&narrator, &company).await?;
        if demo.once {
            served.shutdown.trigger();
            return Ok(());
        }
        print(&narrator.what_next(&company))
    })
    .await
}

#![doc = include_str!("../README.md")]

mod arguments;
mod migrate;
mod run;
mod sections;
pub mod settings;

use std::fmt::Debug;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{CommandFactory as _, FromArgMatches as _};
use events::Bus;
use runtime::auth::Authenticator;
use runtime::{Ids, Service, SharedClock, Tasks};
use serde::de::DeserializeOwned;
use storage::{Database, Migrations};

pub use migrate::{Migrated, migrate};
pub use run::Peers;
pub use sections::{Authentication, Sealing};

use arguments::Arguments;

/// What is one service's own about its program.
pub trait Program {
    /// The service's name, which is the program's too.
    const NAME: &'static str;
    /// For `--help`: what it does, in a line.
    const ABOUT: &'static str;
    /// The sections that only this program has, and their commented defaults.
    type Settings: DeserializeOwned + Debug + Send;
    /// What is made of them before the service starts.
    type Prepared: Send;

    /// The commented defaults of [`Program::Settings`].
    fn defaults() -> Vec<&'static str>;

    fn migrations() -> &'static Migrations;

    /// Who may come with a token; every other caller is known by certificate.
    fn authenticator(settings: &Self::Settings) -> Result<Authenticator>;

    /// Checks the settings and reads the files they name. What is wrong is told here, at the start: later, a database
    /// that is away is waited for.
    fn prepare(settings: Self::Settings, ground: &Ground) -> Result<Self::Prepared>;

    /// The service on what it stands on.
    fn build(prepared: Self::Prepared, base: Base) -> Result<Service>;
}

/// What is known before any server is asked.
pub struct Ground {
    /// Ways to other services.
    pub peers: Peers,
    /// Where the data lies, if it is in files.
    pub data_directory: Option<PathBuf>,
}

/// What every service stands on.
pub struct Base {
    pub database: Database,
    pub bus: Arc<dyn Bus>,
    pub clock: SharedClock,
    pub ids: Ids,
    pub tasks: Tasks,
    /// Names this process among those that share the database.
    pub instance: String,
}

/// Runs a service until a signal, or until it can't go on.
pub fn main<P: Program>() -> ExitCode {
    heap::give_back_what_is_free();
    let command = Arguments::command().name(P::NAME).about(P::ABOUT);
    let arguments = match Arguments::from_arg_matches(&command.get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run::run::<P>(arguments)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(P::NAME, &error);
            ExitCode::FAILURE
        }
    }
}

/// The error and what it stems from, each on a line.
#[expect(
    clippy::print_stderr,
    reason = "the last word of a program whose logging may not be set up"
)]
fn complain(name: &str, error: &anyhow::Error) {
    eprintln!("error: {name}: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because {cause}");
    }
}

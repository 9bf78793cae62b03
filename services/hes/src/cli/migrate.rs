//! `hes migrate`: a service's database, brought to this version's schema before the service starts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use program::Migrated;
use serde_json::{Value, json};

use crate::{failure::Failure, output::Output};

pub(crate) const HELP: &str = "\
Services that run apart refuse to start on a database that lacks migrations, so this is a step of its own: run it with the
new version, then replace the services. `hes up` needs none of it: it migrates its own files.

Examples:
  hes migrate config-service --settings /etc/hes/config-service.toml --check
  hes migrate ad-connector --settings /etc/hes/ad-connector.toml

It needs the service's [database] section only, from the file or the environment. Run by several at once, one works and the
others wait. With --check the exit code is 3 when something is lacking.";

/// Arguments of `hes migrate`.
#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// Whose database
    #[arg(value_enum)]
    service: Whose,
    /// The service's settings, in TOML
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Only say what is lacking
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whose {
    ConfigService,
    AdConnector,
    RotationScheduler,
}

impl Migrate {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let migrated = match self.service {
            Whose::ConfigService => {
                program::migrate::<config_service::Program>(self.settings, self.check).await
            }
            Whose::AdConnector => {
                program::migrate::<ad_connector::Program>(self.settings, self.check).await
            }
            Whose::RotationScheduler => {
                program::migrate::<rotation_scheduler::Program>(self.settings, self.check).await
            }
        };
        let Migrated { steps } = migrated.map_err(|error| {
            let failure = Failure::new("could not migrate the database");
            failure.caused_by(error.as_ref())
        })?;
        let value = steps
            .iter()
            .map(|step| json!({ "version": step.version, "name": step.name }))
            .collect();
        output.value(&Value::Array(value), |_| {
            match (self.check, steps.is_empty()) {
                (_, true) => "The database has this version's schema.".to_owned(),
                (true, false) => format!("Lacking: {}", names(&steps)),
                (false, false) => format!("Done: {}", names(&steps)),
            }
        })?;
        if self.check && !steps.is_empty() {
            return Err(Failure::held("the database lacks migrations")
                .next("run it without --check, then start the services"));
        }
        Ok(())
    }
}

fn names(steps: &[storage::Step]) -> String {
    let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
    names.join(", ")
}

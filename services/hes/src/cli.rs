//! The command line: noun, verb. What scripts rely on stands here: names, flags, exit codes.

mod audit;
mod delivery;
mod domain;
mod employee;
mod generate;
mod migrate;
mod rotation;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod trace;

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use runtime::{Clock, SystemClock};
use url::Url;

use crate::{
    demo,
    failure::Failure,
    output::{Format, Output, Screen, note},
    remote::Remote,
    up,
};

const EXAMPLES: &str = "\
Start here:
  hes demo                          see it at work on a simulated directory
  hes up --data-dir ./data          run everything; prints how to reach it
  hes status                        is it well?
  hes domain add ad --help          connect an Active Directory domain
  hes domain test ID                every step graded, and what to do where it fails
  hes sync run ID --dry-run         what a sync would do
  hes sync run ID --wait            import
  hes rotation forecast ID          whose password is due when

Exit codes:
  0  done, or nothing to do
  1  failed
  2  the command line is wrong
  3  a plan is held for a person to decide (hes sync show, approve, reject)";

/// Imports people from directories such as Active Directory as employees, keeps them right, and changes their passwords
#[derive(Debug, Parser)]
#[command(name = "hes", version, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    noun: Noun,
}

/// What every command understands, before or after its own flags.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Form of the result; JSON is the proto3 JSON mapping of the message, a list is an array
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Format,
    /// Where the API is
    #[arg(long, global = true, value_name = "URL", env = "HES_API", hide_env_values = true, default_value = DEFAULT_API, value_parser = api_url)]
    pub(crate) api: Url,
    /// Where rotation-scheduler is, where it is not reached by --api [default: the same as --api]
    #[arg(long, global = true, value_name = "URL", env = "HES_ROTATION_API", hide_env_values = true, value_parser = api_url)]
    pub(crate) rotation_api: Option<Url>,
    /// File of the bearer token; with `hes up` that is DIR/admin.token
    #[arg(long, global = true, value_name = "FILE", env = "HES_API_TOKEN_FILE", value_parser = path)]
    api_token_file: Option<PathBuf>,
    /// Certificates of the authority to trust, PEM; with `hes up` that is DIR/ca.pem [default: the public ones]
    #[arg(long, global = true, value_name = "FILE", env = "HES_API_CA_FILE", value_parser = path)]
    api_ca_file: Option<PathBuf>,
}

const DEFAULT_API: &str = "https://127.0.0.1:7443";

/// A variable that is set to nothing is as good as unset.
fn api_url(text: &str) -> Result<Url, String> {
    let text = if text.is_empty() { DEFAULT_API } else { text };
    // Without `https://`, a host with its port reads as a URL of the scheme `host:`.
    text.parse()
        .ok()
        .filter(Url::has_host)
        .ok_or_else(|| format!("expected https://HOST[:PORT], such as {DEFAULT_API}"))
}

/// Empty, for the same reason, is no file.
fn path(text: &str) -> Result<PathBuf, Infallible> {
    Ok(text.into())
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Run all services in this process, until SIGTERM or Ctrl-C
    Up(Box<up::Up>),
    /// See it at work: everything in this process, on a simulated company's directory
    Demo(demo::Demo),
    /// Show whether the services are well, and how each domain's sync stands
    #[command(after_help = status::HELP)]
    Status(status::Status),
    /// Domains: the directories people are imported from
    #[command(subcommand)]
    Domain(domain::Verb),
    /// Syncs: start them, watch them, decide the plans that are held
    #[command(subcommand)]
    Sync(sync::Verb),
    /// Employees: the people imported, and the links between their accounts
    #[command(subcommand)]
    Employee(employee::Verb),
    /// Password changes: when they are due, how they stand, what waits for a person
    #[command(subcommand)]
    Rotation(rotation::Verb),
    /// Delivery: the keys that passwords are delivered to, and the programs that deliver
    #[command(subcommand)]
    Delivery(Box<delivery::Verb>),
    /// The audit log: who did what, when
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Bring a service's database to this version's schema
    #[command(after_help = migrate::HELP)]
    Migrate(migrate::Migrate),
    /// Make the secrets that services running apart are given
    #[command(subcommand)]
    Generate(generate::Verb),
}

impl Globals {
    pub(crate) fn token_file(&self) -> Option<&Path> {
        self.api_token_file
            .as_deref()
            .filter(|path| !path.as_os_str().is_empty())
    }

    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.api_ca_file
            .as_deref()
            .filter(|path| !path.as_os_str().is_empty())
    }
}

/// What a command works with.
pub(crate) struct Context {
    pub(crate) remote: Remote,
    pub(crate) output: Output,
}

/// Runs one command to its exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let screen = Screen::of_this_process(SystemClock.now());
    match execute(cli, &screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            note(&failure.render(&screen.for_stderr()));
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Runs a command as part of another one.
pub(crate) async fn run_within(cli: Cli, screen: &Screen) -> Result<(), Failure> {
    // Boxed: one of the commands is the one that this is a part of.
    Box::pin(cli.noun.run(&cli.globals, screen)).await
}

fn execute(cli: Cli, screen: &Screen) -> Result<(), Failure> {
    let Cli { globals, noun } = cli;
    // One command waits for one answer at a time; services need every core.
    let mut threads = if matches!(noun, Noun::Up(_) | Noun::Demo(_)) {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = threads
        .enable_all()
        .build()
        .map_err(|error| Failure::new("could not start").caused_by(&error))?;
    let name = noun.name();
    let command = noun.run(&globals, screen);
    match name {
        Some(name) => runtime.block_on(trace::of_command(command, name)),
        None => runtime.block_on(command),
    }
}

impl Noun {
    /// Of its span; `hes up` has telemetry of its own.
    fn name(&self) -> Option<&'static str> {
        match self {
            Self::Up(_) | Self::Demo(_) => None,
            Self::Status(_) => Some("hes status"),
            Self::Domain(_) => Some("hes domain"),
            Self::Sync(_) => Some("hes sync"),
            Self::Employee(_) => Some("hes employee"),
            Self::Rotation(_) => Some("hes rotation"),
            // A stream of hours would be one span.
            Self::Delivery(verb) if verb.is_agent() => None,
            Self::Delivery(_) => Some("hes delivery"),
            Self::Audit(_) => Some("hes audit"),
            Self::Migrate(_) => Some("hes migrate"),
            Self::Generate(_) => Some("hes generate"),
        }
    }

    async fn run(self, globals: &Globals, screen: &Screen) -> Result<(), Failure> {
        let context = || -> Result<Context, Failure> {
            Ok(Context {
                remote: Remote::new(globals)?,
                output: Output::new(globals.output, screen.clone()),
            })
        };
        match self {
            Self::Up(up) => up::run(*up).await,
            Self::Demo(demo) => demo::run(demo, screen).await,
            Self::Status(status) => status.run(&context()?).await,
            Self::Domain(verb) => verb.run(&context()?).await,
            Self::Sync(verb) => verb.run(&context()?).await,
            Self::Employee(verb) => verb.run(&context()?).await,
            Self::Rotation(verb) => verb.run(&context()?).await,
            Self::Delivery(verb) => verb.run(&context()?).await,
            Self::Audit(verb) => verb.run(&context()?).await,
            Self::Migrate(migrate) => {
                migrate
                    .run(&Output::new(globals.output, screen.clone()))
                    .await
            }
            Self::Generate(verb) => verb.run(),
        }
    }
}

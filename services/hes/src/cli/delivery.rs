//! `hes delivery`: the keys that passwords are delivered to, the programs that deliver, and the reference one.

mod view;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use api::rotation::v1::{
    CreateDeliveryClientRequest, EnrollTargetRequest, ListDeliveryClientsRequest,
    ListTargetsRequest, RevokeDeliveryClientRequest, RevokeTargetRequest,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::{ArgGroup, Args, Subcommand};
use runtime::{Shutdown, Tasks};

use super::Context;
use crate::agent::{self, Store};
use crate::{
    confirm::Confirm,
    failure::Failure,
    output::{note, print},
    remote,
};

const AGENT_HELP: &str = "\
Example:
  hes delivery client add desk-4 --domain corp --token-file desk-4.token
  hes delivery target add EMPLOYEE --store ./key
  hes delivery agent --store ./key --api-token-file desk-4.token

The reference client, for trying out and for authors of clients: the folder stands for a security key, and holds passwords \
readable for whoever can read its files. docs/delivery.md says what a client does and why. Ends with Ctrl-C.";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Targets: the keys that keep employees' passwords
    #[command(subcommand)]
    Target(Target),
    /// Clients: the programs that deliver to targets
    #[command(subcommand)]
    Client(Client),
    /// Be the client of a target whose key is a folder
    #[command(after_help = AGENT_HELP)]
    Agent(Agent),
    /// Show what a folder that is a key has stored
    Store(ShowStore),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Target {
    /// Enrol a key of an employee
    Add(AddTarget),
    /// List targets
    List(ListOfTargets),
    /// Revoke a target for good: a lost key, say
    ///
    /// It receives nothing more. Enrol a new one, then `hes rotation now EMPLOYEE`: the lost key's passwords are worth
    /// nothing from then on.
    Revoke {
        /// The target's id
        id: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("keys").required(true).args(["store", "sealing_key"]))]
pub(crate) struct AddTarget {
    /// The employee's id, from `hes employee list`
    employee: String,
    /// The folder that is the key; made with new keys where there is none
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The key's X25519 public key, base64
    #[arg(long, value_name = "BASE64", requires = "signing_key")]
    sealing_key: Option<String>,
    /// The key's Ed25519 public key, base64
    #[arg(long, value_name = "BASE64", requires = "sealing_key")]
    signing_key: Option<String>,
    /// The name shown to people
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    name: String,
}

#[derive(Args, Debug)]
pub(crate) struct ListOfTargets {
    /// Only this employee's
    #[arg(long, value_name = "ID")]
    employee: Option<String>,
    /// Revoked ones too
    #[arg(long)]
    all: bool,
    /// At most this many; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Add a client, and write its token to a file
    Add(AddClient),
    /// List clients
    List,
    /// Revoke a client's token for good
    Revoke {
        /// The client's id
        id: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

#[derive(Args, Debug)]
pub(crate) struct AddClient {
    /// The client's id: 1 to 63 of a-z, 0-9, `.` and `-`
    id: String,
    /// A domain whose passwords it may receive; may be given several times
    #[arg(long = "domain", value_name = "ID", required = true)]
    domains: Vec<String>,
    /// Where its token goes, readable by its owner alone; must not exist
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Passwords it may be offered within an hour; more stops the domain
    #[arg(long, value_name = "N", default_value_t = 100)]
    offers_per_hour: i32,
}

#[derive(Args, Debug)]
pub(crate) struct Agent {
    /// The folder that is the key
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct ShowStore {
    /// The folder that is the key
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
}

impl Verb {
    /// Whether it runs until it is ended.
    pub(super) fn is_agent(&self) -> bool {
        matches!(self, Self::Agent(_))
    }

    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Target(Target::Add(args)) => args.run(context).await,
            Self::Target(Target::List(args)) => args.run(context).await,
            Self::Target(Target::Revoke { id, confirm }) => {
                confirm.ask(&format!("Revoke target {id} for good?"))?;
                let request = RevokeTargetRequest {
                    name: remote::target(&id),
                };
                let answer = context.remote.deliveries().revoke_target(request).await;
                let target = answer
                    .map_err(|status| {
                        Failure::call(format!("could not revoke target {id}"), &status)
                    })?
                    .into_inner();
                context
                    .output
                    .message(&target, |screen| view::target(&target, screen))
            }
            Self::Client(Client::Add(args)) => args.run(context).await,
            Self::Client(Client::List) => {
                let request = ListDeliveryClientsRequest {};
                let answer = context
                    .remote
                    .deliveries()
                    .list_delivery_clients(request)
                    .await
                    .map_err(|status| Failure::call("could not list delivery clients", &status))?
                    .into_inner();
                context.output.list(&answer.clients, |screen| {
                    view::clients(&answer.clients, screen)
                })
            }
            Self::Client(Client::Revoke { id, confirm }) => {
                confirm.ask(&format!("Revoke the token of client {id} for good?"))?;
                let request = RevokeDeliveryClientRequest {
                    name: format!("deliveryClients/{id}"),
                };
                let answer = context
                    .remote
                    .deliveries()
                    .revoke_delivery_client(request)
                    .await;
                let client = answer
                    .map_err(|status| {
                        Failure::call(format!("could not revoke client {id}"), &status)
                    })?
                    .into_inner();
                let clients = [client];
                context
                    .output
                    .list(&clients, |screen| view::clients(&clients, screen))
            }
            Self::Agent(args) => args.run(context).await,
            Self::Store(args) => {
                let store = Store::open(&args.store)?;
                let slots = store.all()?;
                context.output.value(&view::slots_value(&slots), |screen| {
                    view::slots(&slots, screen)
                })
            }
        }
    }
}

impl AddTarget {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let store = self.store.as_deref().map(Store::open).transpose()?;
        if let Some(name) = store.as_ref().map(Store::target).transpose()?.flatten() {
            return Err(Failure::new("could not enrol the target")
                .because(format!("this store is enrolled already, as {name}"))
                .next("give another --store: a target that was revoked does not come back"));
        }
        let (sealing_key, signing_key) = match &store {
            Some(store) => (
                store.sealing.public().to_bytes().to_vec(),
                store.signing.public().to_bytes().to_vec(),
            ),
            None => (
                bytes("--sealing-key", self.sealing_key.as_deref())?,
                bytes("--signing-key", self.signing_key.as_deref())?,
            ),
        };
        let request = EnrollTargetRequest {
            employee: remote::employee(&self.employee),
            display_name: self.name,
            sealing_key,
            signing_key,
        };
        let answer = context.remote.deliveries().enroll_target(request).await;
        let target = answer
            .map_err(|status| {
                Failure::call(
                    format!("could not enrol a target of employee {}", self.employee),
                    &status,
                )
            })?
            .into_inner();
        if let Some(store) = &store {
            store.put_target(&target.name)?;
        }
        context
            .output
            .message(&target, |screen| view::target(&target, screen))?;
        note(&format!(
            "its passwords come with their next change; to have that now: hes rotation now {}",
            self.employee
        ));
        Ok(())
    }
}

fn bytes(flag: &str, text: Option<&str>) -> Result<Vec<u8>, Failure> {
    BASE64_STANDARD
        .decode(text.unwrap_or_default())
        .map_err(|error| Failure::usage(format!("{flag} is not base64")).caused_by(&error))
}

impl ListOfTargets {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.remote.deliveries();
        let employee = self
            .employee
            .as_deref()
            .map(remote::employee)
            .unwrap_or_default();
        let targets = remote::list(self.limit, async |page_size, page_token| {
            let request = ListTargetsRequest {
                employee: employee.clone(),
                show_revoked: self.all,
                page_size,
                page_token,
            };
            let page = client.clone().list_targets(request).await?.into_inner();
            Ok((page.targets, page.next_page_token))
        })
        .await
        .map_err(|status| Failure::call("could not list targets", &status))?;
        context.output.list(&targets.items, |screen| {
            view::targets(&targets.items, screen)
        })?;
        targets.note_more();
        Ok(())
    }
}

impl AddClient {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        // Before the client is made: its token is told once.
        let failed = |error: std::io::Error| {
            Failure::new(format!("could not make {}", self.token_file.display()))
                .caused_by(&error)
                .next("give a file that doesn't exist, in a folder that does")
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.token_file)
            .map_err(failed)?;
        let request = CreateDeliveryClientRequest {
            client_id: self.id.clone(),
            domains: self.domains.iter().map(|id| remote::domain(id)).collect(),
            offers_per_hour: self.offers_per_hour,
        };
        let answer = context
            .remote
            .deliveries()
            .create_delivery_client(request)
            .await;
        let answer = match answer {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                // Nothing is in it.
                drop(std::fs::remove_file(&self.token_file));
                let tried = format!("could not add delivery client {}", self.id);
                return Err(Failure::call(tried, &status));
            }
        };
        writeln!(file, "{}", answer.token)
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        note(&format!("its token is in {}", self.token_file.display()));
        let clients: Vec<_> = answer.client.into_iter().collect();
        context
            .output
            .list(&clients, |screen| view::clients(&clients, screen))
    }
}

impl Agent {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let store = Store::open(&self.store)?;
        let tasks = Tasks::new(Shutdown::new());
        let shutdown = tasks.shutdown().clone();
        shutdown
            .on_signals(&tasks)
            .map_err(|error| Failure::new("could not start").caused_by(&error))?;
        print(&format!("the key in {} is served", self.store.display()))?;
        agent::run(&context.remote.deliveries(), &store, &shutdown).await
    }
}

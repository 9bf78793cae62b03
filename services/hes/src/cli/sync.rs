//! `hes sync`: start syncs, watch them, decide the plans that are held.

pub(super) mod view;
mod wait;

use api::connector::v1::{
    ApproveSyncRunRequest, GetSyncRunRequest, ListPlanItemsRequest, ListSyncRunsRequest, PlanItem,
    RejectSyncRunRequest, StartSyncRequest, SyncMode, SyncRun,
};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::Context;
use crate::{
    confirm::Confirm,
    failure::Failure,
    output::{last_part, note, value},
    remote,
};

const RUN_HELP: &str = "\
Examples:
  hes sync run corp --dry-run             what a sync would do; nothing is changed
  hes sync run corp --wait                sync, and wait for the end
  hes sync run corp --dry-run -o json     the run, with its plan in `planItems`

Exit codes, with --wait or --dry-run:
  0  applied, unchanged, or planned
  1  failed; nothing was changed
  3  held, or with --dry-run: would be held; see hes sync show, approve, reject";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Sync a domain now
    ///
    /// Reads the directory, plans what changes, and applies the plan unless the guard holds it. Without --wait, prints
    /// the queued run and returns. Domains also sync by themselves, on their interval.
    #[command(after_help = RUN_HELP)]
    Run(Run),
    /// List runs, newest first
    List(List),
    /// Show a run and its plan
    Show(Show),
    /// Approve a held plan
    ///
    /// The directory is read again, and what was approved and still holds is applied, nothing else. People may be
    /// deactivated by it: look at `hes sync show RUN` first.
    Approve(Approve),
    /// Reject a held plan: nothing of it is applied
    Reject {
        /// The run's id
        run: String,
        /// Accepted, and needless: rejecting changes nobody
        #[arg(short, long, hide = true)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The domain's id
    id: String,
    /// Read everything, even where a delta would do
    #[arg(long)]
    full: bool,
    /// Plan and show the plan; apply nothing. Waits for the plan
    #[arg(long)]
    dry_run: bool,
    /// Wait for the end, and tell it by the exit code
    #[arg(long)]
    wait: bool,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only this domain's
    id: Option<String>,
    /// At most this many; 0 is all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The run's id
    run: String,
    /// At most this many items of the plan; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Approve {
    /// The run's id
    run: String,
    /// Wait until it is applied, and tell it by the exit code, as `hes sync run --wait` does
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    confirm: Confirm,
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Run(args) => args.run(context).await,
            Self::List(args) => args.run(context).await,
            Self::Show(args) => {
                let run = get(context, &remote::run(&args.run)).await?;
                show(context, &run, args.limit).await
            }
            Self::Approve(args) => args.run(context).await,
            Self::Reject { run, yes: _ } => reject(context, &run).await,
        }
    }
}

impl Run {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let request = StartSyncRequest {
            domain: remote::domain(&self.id),
            mode: if self.full {
                SyncMode::Full
            } else {
                SyncMode::Auto
            }
            .into(),
            validate_only: self.dry_run,
            ..StartSyncRequest::default()
        };
        let queued = context
            .remote
            .syncs()
            .start_sync(request)
            .await
            .map_err(|status| {
                Failure::call(format!("could not start a sync of `{}`", self.id), &status)
            })?
            .into_inner();
        if !self.wait && !self.dry_run {
            context
                .output
                .message(&queued, |screen| view::run(&queued, screen))?;
            let id = view::id(&queued);
            note(&format!("queued; see how it goes: hes sync show {id}"));
            return Ok(());
        }
        let run = wait::until_settled(context, queued).await?;
        if self.dry_run {
            show(context, &run, 0).await?;
        } else {
            context
                .output
                .message(&run, |screen| view::run(&run, screen))?;
        }
        wait::verdict(&run)
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.remote.syncs();
        let parent = remote::domain(self.id.as_deref().unwrap_or("-"));
        let runs = remote::list(self.limit, async |page_size, page_token| {
            let request = ListSyncRunsRequest {
                parent: parent.clone(),
                page_size,
                page_token,
            };
            let page = client.clone().list_sync_runs(request).await?.into_inner();
            Ok((page.sync_runs, page.next_page_token))
        })
        .await
        .map_err(|status| Failure::call("could not list syncs", &status))?;
        context
            .output
            .list(&runs.items, |screen| view::runs(&runs.items, screen))?;
        runs.note_more();
        Ok(())
    }
}

impl Approve {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let name = remote::run(&self.run);
        let held = get(context, &name).await?;
        self.confirm.ask(&format!(
            "Apply the held plan of `{}` ({})?",
            view::domain(&held),
            view::plan(&held)
        ))?;
        let request = ApproveSyncRunRequest {
            name,
            ..ApproveSyncRunRequest::default()
        };
        let approved = context
            .remote
            .syncs()
            .approve_sync_run(request)
            .await
            .map_err(|status| {
                Failure::call(format!("could not approve run {}", self.run), &status)
            })?
            .into_inner();
        if !self.wait {
            context
                .output
                .message(&approved, |screen| view::run(&approved, screen))?;
            note(&format!(
                "approved; see how it goes: hes sync show {}",
                view::id(&approved)
            ));
            return Ok(());
        }
        let run = wait::until_settled(context, approved).await?;
        context
            .output
            .message(&run, |screen| view::run(&run, screen))?;
        wait::verdict(&run)
    }
}

async fn reject(context: &Context, id: &str) -> Result<(), Failure> {
    let request = RejectSyncRunRequest {
        name: remote::run(id),
        ..RejectSyncRunRequest::default()
    };
    let run = context
        .remote
        .syncs()
        .reject_sync_run(request)
        .await
        .map_err(|status| Failure::call(format!("could not reject run {id}"), &status))?
        .into_inner();
    context
        .output
        .message(&run, |screen| view::run(&run, screen))
}

async fn get(context: &Context, name: &str) -> Result<SyncRun, Failure> {
    let request = GetSyncRunRequest {
        name: name.to_owned(),
    };
    let answer = context.remote.syncs().get_sync_run(request).await;
    Ok(answer
        .map_err(|status| Failure::call(format!("could not get run {}", last_part(name)), &status))?
        .into_inner())
}

/// The run and its plan. In JSON the run's own fields, with the plan as one more: `planItems`.
async fn show(context: &Context, run: &SyncRun, limit: usize) -> Result<(), Failure> {
    let client = context.remote.syncs();
    let items = remote::list(limit, async |page_size, page_token| {
        let request = ListPlanItemsRequest {
            parent: run.name.clone(),
            page_size,
            page_token,
        };
        let page = client.clone().list_plan_items(request).await?.into_inner();
        Ok((page.plan_items, page.next_page_token))
    })
    .await
    .map_err(|status| {
        Failure::call(
            format!("could not list the plan of run {}", view::id(run)),
            &status,
        )
    })?;
    context
        .output
        .value(&with_plan(run, &items.items)?, |screen| {
            view::run_and_plan(run, &items.items, screen)
        })?;
    items.note_more();
    Ok(())
}

fn with_plan(run: &SyncRun, items: &[PlanItem]) -> Result<Value, Failure> {
    let mut shown = value(run)?;
    if let Value::Object(fields) = &mut shown {
        let items = items.iter().map(value).collect::<Result<_, _>>()?;
        fields.insert("planItems".to_owned(), Value::Array(items));
    }
    Ok(shown)
}

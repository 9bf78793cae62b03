//! `hes employee proposals`: links that are not certain enough to be made without a person.

use api::config::v1::{DecideLinkProposalRequest, LinkProposal, ListLinkProposalsRequest};
use clap::{Args, Subcommand};

use super::view;
use crate::{cli::Context, failure::Failure, remote};

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Proposals {
    /// Decided ones too
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    decision: Option<Decision>,
}

#[derive(Debug, Subcommand)]
enum Decision {
    /// Link the two employees
    Accept {
        /// The proposal's id
        id: String,
    },
    /// Never link the two by this again
    Reject {
        /// The proposal's id
        id: String,
    },
}

impl Proposals {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.decision {
            None => list(context, self.all).await,
            Some(Decision::Accept { id }) => decide(context, &id, true).await,
            Some(Decision::Reject { id }) => decide(context, &id, false).await,
        }
    }
}

async fn list(context: &Context, show_decided: bool) -> Result<(), Failure> {
    let client = context.remote.employees();
    let proposals = remote::list(0, async |page_size, page_token| {
        let request = ListLinkProposalsRequest {
            page_size,
            page_token,
            show_decided,
        };
        let page = client
            .clone()
            .list_link_proposals(request)
            .await?
            .into_inner();
        Ok((page.link_proposals, page.next_page_token))
    })
    .await
    .map_err(|status| Failure::call("could not list proposed links", &status))?;
    context.output.list(&proposals.items, |screen| {
        view::proposals(&proposals.items, screen)
    })
}

async fn decide(context: &Context, id: &str, accept: bool) -> Result<(), Failure> {
    let verb = if accept { "accept" } else { "reject" };
    let request = DecideLinkProposalRequest {
        name: remote::proposal(id),
        accept,
    };
    let proposal: LinkProposal = context
        .remote
        .employees()
        .decide_link_proposal(request)
        .await
        .map_err(|status| Failure::call(format!("could not {verb} link proposal {id}"), &status))?
        .into_inner();
    context.output.message(&proposal, |screen| {
        view::proposals(std::slice::from_ref(&proposal), screen)
    })
}

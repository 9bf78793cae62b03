//! `hes domain`: the directories people are imported from.

mod add;
mod guard;
mod logon;
mod passwordless;
mod rotation;
mod settings;
mod test;
#[cfg(test)]
mod tests;
mod update;
pub(super) mod view;

use api::config::v1::{
    DeleteDomainRequest, Domain, GetDomainRequest, ListDomainsRequest, RemoveCredentialsRequest,
    SetCredentialsRequest, UndeleteDomainRequest, set_credentials_request,
};
use api::rotation::v1::{DomainRotation, GetDomainRotationRequest};
use clap::{Args, Subcommand};

use super::Context;
use crate::{
    confirm::Confirm,
    failure::Failure,
    input::Inputs,
    output::{note, print},
    remote,
};

const CREDENTIALS_HELP: &str = "\
Examples:
  hes domain set-credentials corp --logon-name svc-hes@corp.example.com --password-file ./password
  vault read -field=password ad/hes | \\
      hes domain set-credentials corp --logon-name svc-hes@corp.example.com --password-file -

Next: hes domain test corp";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Add a domain
    #[command(subcommand, arg_required_else_help = true)]
    Add(add::Kind),
    /// List domains
    List(List),
    /// Show one domain's settings; never its credentials
    Get {
        /// The domain's id
        id: String,
    },
    /// Change settings of a domain; what isn't named stays as it is
    #[command(after_help = update::HELP)]
    Update(Box<update::Update>),
    /// Test a domain step by step; each step is graded, with what to do where it fails
    #[command(after_help = test::HELP)]
    Test(test::Test),
    /// Replace a domain's credentials, or skip them
    #[command(after_help = CREDENTIALS_HELP)]
    SetCredentials(SetCredentials),
    /// Remove a domain's credentials: its sync and rotation stop at once, nobody is touched
    RemoveCredentials(Destroy),
    /// Delete a domain: its sync and rotation stop, nobody is touched, for 30 days it can be undeleted
    Delete(Delete),
    /// Bring a deleted domain back
    Undelete {
        /// The domain's id
        id: String,
    },
    /// Passwordless workstation logon of a domain
    #[command(subcommand)]
    Passwordless(passwordless::Verb),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Deleted ones too
    #[arg(long)]
    show_deleted: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SetCredentials {
    /// The domain's id
    id: String,
    #[command(flatten)]
    logon: logon::Logon,
}

#[derive(Args, Debug)]
pub(crate) struct Destroy {
    /// The domain's id
    id: String,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    what: Destroy,
    /// Only if its etag is still this one (from `hes domain get ID -o json`)
    #[arg(long, value_name = "ETAG")]
    etag: Option<String>,
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Add(kind) => kind.run(context).await,
            Self::List(args) => args.run(context).await,
            Self::Get { id } => {
                let domain = get(context, &id).await?;
                if !context.output.is_for_people() {
                    return show(context, &domain);
                }
                let rotation = rotation_of(context, &domain).await;
                print(&view::domain_with_rotation(
                    &domain,
                    rotation.as_ref(),
                    context.output.screen(),
                ))
            }
            Self::Update(args) => args.run(context).await,
            Self::Test(args) => args.run(context).await,
            Self::SetCredentials(args) => args.run(context).await,
            Self::RemoveCredentials(args) => remove_credentials(context, args).await,
            Self::Delete(args) => args.run(context).await,
            Self::Undelete { id } => undelete(context, &id).await,
            Self::Passwordless(verb) => verb.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let domains = all(context, self.show_deleted).await?;
        context
            .output
            .list(&domains, |screen| view::domains(&domains, screen))
    }
}

impl SetCredentials {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let logon = match self.logon.read(&mut Inputs::default())? {
            Some(credentials) => set_credentials_request::Logon::Credentials(credentials),
            None => set_credentials_request::Logon::SkipCredentials(true),
        };
        let request = SetCredentialsRequest {
            name: remote::domain(&self.id),
            logon: Some(logon),
        };
        let answer = context.remote.domains().set_credentials(request).await;
        let domain = answer
            .map_err(|status| {
                Failure::call(
                    format!("could not set the credentials of `{}`", self.id),
                    &status,
                )
            })?
            .into_inner();
        show(context, &domain)
    }
}

impl Delete {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let Destroy { id, confirm } = self.what;
        confirm.ask(&format!(
            "Delete domain `{id}`? Its sync and rotation stop; nobody is touched."
        ))?;
        let request = DeleteDomainRequest {
            name: remote::domain(&id),
            etag: self.etag.unwrap_or_default(),
        };
        let answer = context.remote.domains().delete_domain(request).await;
        let domain = answer
            .map_err(|status| Failure::call(format!("could not delete domain `{id}`"), &status))?
            .into_inner();
        show(context, &domain)?;
        note(&format!(
            "deleted; for 30 days it comes back by: hes domain undelete {id}"
        ));
        Ok(())
    }
}

async fn remove_credentials(
    context: &Context,
    Destroy { id, confirm }: Destroy,
) -> Result<(), Failure> {
    confirm.ask(&format!(
        "Remove the credentials of `{id}`? Its sync and rotation stop at once; nobody is touched."
    ))?;
    let request = RemoveCredentialsRequest {
        name: remote::domain(&id),
    };
    let answer = context.remote.domains().remove_credentials(request).await;
    let domain = answer
        .map_err(|status| {
            Failure::call(
                format!("could not remove the credentials of `{id}`"),
                &status,
            )
        })?
        .into_inner();
    show(context, &domain)
}

async fn undelete(context: &Context, id: &str) -> Result<(), Failure> {
    let request = UndeleteDomainRequest {
        name: remote::domain(id),
    };
    let answer = context.remote.domains().undelete_domain(request).await;
    let domain = answer
        .map_err(|status| Failure::call(format!("could not undelete domain `{id}`"), &status))?
        .into_inner();
    show(context, &domain)
}

pub(super) async fn all(context: &Context, show_deleted: bool) -> Result<Vec<Domain>, Failure> {
    let client = context.remote.domains();
    let domains = remote::list(0, async |page_size, page_token| {
        let request = ListDomainsRequest {
            page_size,
            page_token,
            show_deleted,
        };
        let page = client.clone().list_domains(request).await?.into_inner();
        Ok((page.domains, page.next_page_token))
    })
    .await
    .map_err(|status| Failure::call("could not list domains", &status))?;
    Ok(domains.items)
}

async fn get(context: &Context, id: &str) -> Result<Domain, Failure> {
    let request = GetDomainRequest {
        name: remote::domain(id),
    };
    let answer = context.remote.domains().get_domain(request).await;
    Ok(answer
        .map_err(|status| Failure::call(format!("could not get domain `{id}`"), &status))?
        .into_inner())
}

/// How rotation stands in a domain; nothing where it can't be told.
pub(super) async fn rotation_of(context: &Context, domain: &Domain) -> Option<DomainRotation> {
    let request = GetDomainRotationRequest {
        domain: domain.name.clone(),
    };
    let answer = context
        .remote
        .rotations()
        .get_domain_rotation(request)
        .await;
    Some(answer.ok()?.into_inner())
}

fn show(context: &Context, domain: &Domain) -> Result<(), Failure> {
    context
        .output
        .message(domain, |screen| view::domain(domain, screen))
}

//! `hes domain update`: changes what is named, and nothing else.

use api::config::v1::UpdateDomainRequest;
use clap::Args;
use prost_types::FieldMask;

use super::{settings::Settings, show};
use crate::{cli::Context, failure::Failure, input::Inputs, output::note, remote};

pub(super) const HELP: &str = "\
Examples:
  hes domain update corp --sync-interval 15m --guard removals.percent=10
  hes domain update corp --server ldaps://dc1.corp.example.com --server ldaps://dc2.corp.example.com
  hes domain update corp --base-dn '' --include-ou ''       an empty value is the default again

A list replaces the one before. Naming a group, even by the same name, finds it anew. Also: --no-start-tls, \
--nested-groups, --public-authorities. Credentials: hes domain set-credentials. The domain name never changes.";

#[derive(Args, Debug)]
pub(crate) struct Update {
    /// The domain's id
    id: String,
    /// Domain controller, ldaps://HOST[:PORT], or ldap://HOST[:PORT] with --start-tls; repeat for several, tried in
    /// order
    #[arg(
        long = "server",
        value_name = "URL",
        value_delimiter = ',',
        help_heading = "Connection"
    )]
    servers: Option<Vec<String>>,
    #[command(flatten)]
    settings: Settings,
    /// Only if the domain's etag is still this one (from `hes domain get ID -o json`)
    #[arg(long, value_name = "ETAG")]
    etag: Option<String>,
    /// Check the settings, show what would be stored, and store nothing
    #[arg(long)]
    validate_only: bool,
}

impl Update {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let id = self.id.clone();
        let validate_only = self.validate_only;
        let request = self.request()?;
        let domain = context
            .remote
            .domains()
            .update_domain(request)
            .await
            .map_err(|status| Failure::call(format!("could not update domain `{id}`"), &status))?
            .into_inner();
        show(context, &domain)?;
        if validate_only {
            note("valid; nothing was stored");
        }
        Ok(())
    }

    pub(super) fn request(self) -> Result<UpdateDomainRequest, Failure> {
        let edit = self
            .settings
            .edit(self.servers.as_deref(), &mut Inputs::default())?;
        if edit.paths.is_empty() {
            return Err(
                Failure::usage(format!("nothing to change of domain `{}`", self.id))
                    .next("name a setting; see: hes domain update --help"),
            );
        }
        let mut domain = edit.domain;
        domain.name = remote::domain(&self.id);
        domain.etag = self.etag.unwrap_or_default();
        Ok(UpdateDomainRequest {
            domain: Some(domain),
            update_mask: Some(FieldMask { paths: edit.paths }),
            validate_only: self.validate_only,
        })
    }
}

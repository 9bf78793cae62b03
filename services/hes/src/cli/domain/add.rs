//! `hes domain add`: one subcommand a kind of directory.

use api::config::v1::{CreateDomainRequest, Domain, create_domain_request, domain::Directory};
use clap::{Args, Subcommand};

use super::{logon::Logon, settings::Settings, show};
use crate::{cli::Context, failure::Failure, input::Inputs, output::note};

const HELP: &str = "\
Examples:
  # The password is asked for: standard input is a terminal.
  hes domain add ad corp --domain-name corp.example.com --server ldaps://dc1.corp.example.com \\
      --ca-file corp-ca.pem --logon-name svc-hes@corp.example.com --password-file -

  # Known, but neither synced nor rotated yet.
  hes domain add ad lab --domain-name lab.example.com --server ldaps://dc1.lab.example.com \\
      --ca-file lab-ca.pem --skip-credentials

The account needs to read the directory: an ordinary domain account does. Delegated Reset Password is for rotation only.

Next: hes domain test corp, then hes sync run corp --dry-run";

#[derive(Debug, Subcommand)]
pub(crate) enum Kind {
    /// An Active Directory domain
    #[command(after_help = HELP)]
    Ad(Box<ActiveDirectory>),
}

#[derive(Args, Debug)]
pub(crate) struct ActiveDirectory {
    /// Id of the domain here: 1 to 63 of a-z 0-9 . - beginning with a letter or digit; it never changes
    id: String,
    /// DNS name of the domain; it never changes
    #[arg(long, value_name = "DNS", help_heading = "Connection")]
    domain_name: String,
    /// Domain controller, ldaps://HOST[:PORT], or ldap://HOST[:PORT] with --start-tls; repeat for several, tried in
    /// order
    #[arg(
        long = "server",
        value_name = "URL",
        required = true,
        value_delimiter = ',',
        help_heading = "Connection"
    )]
    servers: Vec<String>,
    /// Check the settings, show what would be stored, and store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    logon: Logon,
}

impl Kind {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Ad(args) => args.run(context).await,
        }
    }
}

impl ActiveDirectory {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let id = self.id.clone();
        let validate_only = self.validate_only;
        let request = self.request()?;
        let domain = context
            .remote
            .domains()
            .create_domain(request)
            .await
            .map_err(|status| Failure::call(format!("could not add domain `{id}`"), &status))?
            .into_inner();
        show(context, &domain)?;
        if validate_only {
            note("valid; nothing was stored");
        } else if context.output.is_for_people() {
            note(&format!("added; next: hes domain test {id}"));
        }
        Ok(())
    }

    pub(super) fn request(self) -> Result<CreateDomainRequest, Failure> {
        let mut inputs = Inputs::default();
        let mut domain: Domain = self.settings.edit(Some(&self.servers), &mut inputs)?.domain;
        if let Some(Directory::ActiveDirectory(directory)) = &mut domain.directory {
            directory.domain_name = self.domain_name;
        }
        let logon = match self.logon.read(&mut inputs)? {
            Some(credentials) => create_domain_request::Logon::Credentials(credentials),
            None => create_domain_request::Logon::SkipCredentials(true),
        };
        Ok(CreateDomainRequest {
            domain_id: self.id,
            domain: Some(domain),
            logon: Some(logon),
            validate_only: self.validate_only,
            request_id: String::new(),
        })
    }
}

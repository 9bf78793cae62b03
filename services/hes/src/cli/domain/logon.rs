//! What a directory is logged on to with. A secret comes from a file or standard input, never from an argument (K2).

use api::config::v1::{ActiveDirectoryCredentials, Credentials, credentials};
use clap::{ArgGroup, Args};
use secrecy::ExposeSecret;

use crate::{
    failure::Failure,
    input::{Inputs, Source},
};

/// An account of the domain.
#[derive(Args, Debug)]
#[command(next_help_heading = "Credentials", group = ArgGroup::new("name").args(["logon_name", "logon_name_file"]))]
pub(crate) struct Account {
    /// Account to log on with: name@domain, NETBIOS\name, or a distinguished name
    #[arg(long, value_name = "NAME", requires = "password_file")]
    logon_name: Option<String>,
    /// File of that name; - is standard input
    #[arg(long, value_name = "FILE", requires = "password_file")]
    logon_name_file: Option<Source>,
    /// File of its password; - is standard input
    #[arg(long, value_name = "FILE", requires = "name")]
    password_file: Option<Source>,
}

/// Credentials, or the explicit choice of none.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("logon").required(true).args(["logon_name", "logon_name_file", "skip_credentials"]))]
pub(crate) struct Logon {
    #[command(flatten)]
    account: Account,
    /// No credentials, deliberately: the domain is known; its sync and rotation are off
    #[arg(long, conflicts_with = "password_file", help_heading = "Credentials")]
    skip_credentials: bool,
}

impl Account {
    /// The credentials, if any are given.
    pub(super) fn read(&self, inputs: &mut Inputs) -> Result<Option<Credentials>, Failure> {
        let Some(password_file) = &self.password_file else {
            return Ok(None);
        };
        let logon_name = match (&self.logon_name, &self.logon_name_file) {
            (Some(name), _) => name.clone(),
            (None, Some(file)) => inputs
                .secret("--logon-name-file", file)?
                .expose_secret()
                .to_owned(),
            (None, None) => return Ok(None),
        };
        let password = inputs.secret("--password-file", password_file)?;
        let account = ActiveDirectoryCredentials {
            logon_name,
            password: password.expose_secret().to_owned(),
        };
        Ok(Some(Credentials {
            kind: Some(credentials::Kind::ActiveDirectory(account)),
            expire_time: None,
        }))
    }
}

impl Logon {
    /// `None` when they are skipped.
    pub(super) fn read(&self, inputs: &mut Inputs) -> Result<Option<Credentials>, Failure> {
        if self.skip_credentials {
            return Ok(None);
        }
        self.account.read(inputs)
    }
}

//! `hes domain passwordless`: workstation logon without a password, set from a file.

use api::config::v1::{
    GetPasswordlessSettingsRequest, PasswordlessSettings, UpdatePasswordlessSettingsRequest,
    passwordless_settings::Authority,
};
use clap::{Args, Subcommand};
use prost_types::FieldMask;
use serde_json::Value;

use super::view;
use crate::{
    cli::Context,
    failure::Failure,
    input::{Inputs, Source},
    remote,
};

const HELP: &str = "\
The file is TOML, YAML or JSON, by its name's end; - is standard input, YAML or JSON. It holds all the settings: what it \
leaves out has its default again. Its fields are those of `hes domain passwordless get ID -o json`, so that can be edited \
and set; an `etag` in it must still be the present one.

Example, passwordless.toml:
  enabled = true
  validity = \"31536000s\"          # a year; 1 hour to 10 years
  renewBefore = \"2592000s\"        # 30 days before its end
  targetGroup = \"Passwordless\"    # empty: everyone in the sync group
  [adcs]                          # Active Directory
  certificateAuthority = 'ca1.corp.example.com\\Corp Issuing CA'
  certificateTemplate = \"SmartcardLogon\"

For Entra, instead of [adcs]: [rootCertificate] with certificatePem and crlUrl.";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show a domain's settings
    Get {
        /// The domain's id
        id: String,
    },
    /// Set them from a file
    #[command(after_help = HELP)]
    Set(Set),
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    /// The domain's id
    id: String,
    /// The settings; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Source,
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Get { id } => {
                let settings = get(context, &id).await?;
                show(context, &settings)
            }
            Self::Set(args) => args.run(context).await,
        }
    }
}

impl Set {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let text = Inputs::default().text("--file", &self.file)?;
        let mut settings = parse(&self.file, &text)?;
        let name = remote::passwordless(&self.id);
        if !settings.name.is_empty() && settings.name != name {
            return Err(
                Failure::usage(format!("{} is not of domain `{}`", self.file, self.id))
                    .because(format!("its name is {}", settings.name))
                    .next("take the line `name` out of it"),
            );
        }
        settings.name = name;
        let current = get(context, &self.id).await?;
        let request = UpdatePasswordlessSettingsRequest {
            update_mask: Some(FieldMask {
                paths: paths(&settings, &current),
            }),
            passwordless_settings: Some(settings),
            validate_only: false,
        };
        let answer = context
            .remote
            .domains()
            .update_passwordless_settings(request)
            .await;
        let tried = format!("could not set the passwordless settings of `{}`", self.id);
        let settings = answer
            .map_err(|status| Failure::call(tried, &status))?
            .into_inner();
        show(context, &settings)
    }
}

/// All that can be written. Of the authority, the one that is given, or else the one that goes.
fn paths(settings: &PasswordlessSettings, current: &PasswordlessSettings) -> Vec<String> {
    let authority = settings.authority.as_ref().or(current.authority.as_ref());
    let authority = authority.map(|authority| match authority {
        Authority::Adcs(_) => "adcs",
        Authority::RootCertificate(_) => "root_certificate",
    });
    ["enabled", "validity", "renew_before", "target_group"]
        .into_iter()
        .chain(authority)
        .map(str::to_owned)
        .collect()
}

fn parse(source: &Source, text: &str) -> Result<PasswordlessSettings, Failure> {
    let failed = || Failure::new(format!("could not read the settings in {source}"));
    let extension = match source {
        Source::File(path) => path.extension(),
        Source::Stdin => None,
    };
    let value: Value = if extension.is_some_and(|extension| extension == "toml") {
        toml::from_str(text).map_err(|error| failed().because(error.to_string()))?
    } else {
        // JSON is YAML.
        yaml_serde::from_str(text).map_err(|error| failed().because(error.to_string()))?
    };
    api::json::from_value(&value).map_err(|error| {
        failed()
            .caused_by(&error)
            .next("see an example: hes domain passwordless set --help")
    })
}

async fn get(context: &Context, id: &str) -> Result<PasswordlessSettings, Failure> {
    let request = GetPasswordlessSettingsRequest {
        name: remote::passwordless(id),
    };
    let answer = context
        .remote
        .domains()
        .get_passwordless_settings(request)
        .await;
    Ok(answer
        .map_err(|status| {
            Failure::call(
                format!("could not get the passwordless settings of `{id}`"),
                &status,
            )
        })?
        .into_inner())
}

fn show(context: &Context, settings: &PasswordlessSettings) -> Result<(), Failure> {
    context
        .output
        .message(settings, |screen| view::passwordless(settings, screen))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(name: &str) -> Source {
        Source::File(Path::new(name).to_owned())
    }

    #[test]
    fn the_example_in_the_help_is_valid_and_is_the_same_in_every_form() {
        let example: String = HELP
            .lines()
            .skip_while(|line| !line.ends_with(".toml:"))
            .skip(1)
            .take_while(|line| !line.is_empty())
            .fold(String::new(), |text, line| text + line + "\n");

        let settings = parse(&file("passwordless.toml"), &example).unwrap();

        assert!(settings.enabled);
        assert_eq!(settings.validity.unwrap().seconds, 31_536_000);
        assert!(
            matches!(&settings.authority, Some(Authority::Adcs(adcs)) if adcs.certificate_authority.contains('\\'))
        );
        let json = api::json::to_value(&settings).unwrap();
        assert_eq!(
            parse(&file("p.json"), &json.to_string()),
            Ok(settings.clone())
        );
        assert_eq!(
            parse(&Source::Stdin, &yaml_serde::to_string(&json).unwrap()),
            Ok(settings)
        );
    }

    #[test]
    fn a_misspelled_field_is_refused_by_name() {
        let failure = parse(&file("p.toml"), "enabeld = true").unwrap_err();
        assert!(format!("{failure:?}").contains("enabeld"));
    }

    #[test]
    fn leaving_the_authority_out_removes_the_one_that_is_set() {
        let current = PasswordlessSettings {
            authority: Some(Authority::Adcs(Default::default())),
            ..Default::default()
        };
        assert!(paths(&PasswordlessSettings::default(), &current).contains(&"adcs".to_owned()));
    }
}

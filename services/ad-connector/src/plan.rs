//! A domain's settings, as `ad-client` wants them.

use ad_client::{ReadScope, Server, Target, Timeouts, UserFilter};
use api::config::v1 as proto;
use connector::{Credentials, Failure, FailureReason};
use secrecy::ExposeSecret;

use crate::settings::Directory;

/// Where to connect and what to read.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    pub(crate) scope: ReadScope,
    pub(crate) dns_domain: String,
    pub(crate) nested_groups: bool,
}

pub(crate) fn of(domain: &proto::Domain, settings: &Directory) -> Result<Wanted, Failure> {
    use proto::domain::Directory as Kind;
    let Some(Kind::ActiveDirectory(given)) = &domain.directory else {
        return Err(invalid("the domain is not an Active Directory domain"));
    };
    let servers = given
        .servers
        .iter()
        .map(|server| {
            server
                .parse::<Server>()
                .map_err(|error| invalid(error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    let user_filter = match given.user_filter.trim() {
        "" => None,
        filter => Some(UserFilter::parse(filter).map_err(|error| {
            Failure::lasting(
                FailureReason::FilterInvalid,
                error.to_string(),
                "Correct the filter in the domain's settings.",
            )
        })?),
    };
    let text = |value: &str| (!value.trim().is_empty()).then(|| value.trim().to_owned());
    let defaults = Timeouts::default();
    Ok(Wanted {
        target: Target {
            servers,
            start_tls: given.start_tls,
            ca_pem: text(&given.ca_bundle_pem).map(String::into_bytes),
            timeouts: Timeouts {
                connect: settings.connect_timeout,
                operation: settings.operation_timeout,
                idle: defaults.idle,
            },
        },
        scope: ReadScope {
            base_dn: text(&given.base_dn),
            include_ous: given.include_ous.clone(),
            exclude_ous: given.exclude_ous.clone(),
            user_filter,
            page_size: settings.page_size,
            range_window: usize::try_from(settings.range_window).unwrap_or(1500),
        },
        dns_domain: given.domain_name.clone(),
        nested_groups: given.nested_groups.unwrap_or(true),
    })
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::lasting(
        FailureReason::SettingsInvalid,
        message,
        "Correct the domain's settings.",
    )
}

/// What to log on with.
pub(crate) fn logon(
    credentials: &Credentials,
    dns_domain: &str,
) -> Result<ad_client::Credentials, Failure> {
    match credentials {
        Credentials::ActiveDirectory {
            logon_name,
            password,
        } => {
            let logon = ad_client::Credentials::new(logon_name.expose_secret(), password.clone());
            Ok(logon.in_domain(dns_domain))
        }
        Credentials::EntraClientSecret { .. }
        | Credentials::EntraCertificate { .. }
        | Credentials::EntraFederatedToken { .. } => Err(Failure::lasting(
            FailureReason::CredentialsMissing,
            "the credentials set are not those of an Active Directory account",
            "Set a logon name and its password.",
        )),
    }
}

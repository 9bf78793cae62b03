//! The API, as the command line reaches it.

mod names;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use api::{
    config::v1::{
        audit_service_client::AuditServiceClient, domain_service_client::DomainServiceClient,
        employee_service_client::EmployeeServiceClient, status_service_client::StatusServiceClient,
    },
    connector::v1::sync_service_client::SyncServiceClient,
    rotation::v1::{
        delivery_service_client::DeliveryServiceClient,
        rotation_service_client::RotationServiceClient,
    },
};
use runtime::{
    Channel,
    grpc::channel::{self, ConnectError, Options},
};
use secrecy::SecretString;
use tonic::Status;
use tonic_health::pb::health_client::HealthClient;
use url::Url;
use zeroize::Zeroizing;

use crate::{cli::Globals, failure::Failure, output::note};

pub(crate) use names::{account, domain, employee, passwordless, proposal, rotation, run, target};

/// Items asked for at once: an answer stays well below what a client takes.
const PAGE: usize = 500;

/// The clients of every service, on one connection that is made when it is first used.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    channel: Channel,
    /// To rotation-scheduler.
    rotation: Channel,
    pub(crate) url: String,
}

impl Remote {
    pub(crate) fn new(globals: &Globals) -> Result<Self, Failure> {
        let reach = |url: &Url| Self::reach(url.as_str(), globals.token_file(), globals.ca_file());
        let remote = reach(&globals.api)?;
        Ok(match &globals.rotation_api {
            Some(url) => Self {
                rotation: reach(url)?.channel,
                ..remote
            },
            None => remote,
        })
    }

    /// The API at a URL, with a token and an authority from files.
    pub(crate) fn reach(
        url: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let url = url.trim_end_matches('/').to_owned();
        let options = Options {
            ca_file: ca_file.map(Path::to_owned),
            token: token_file.map(token).transpose()?,
            ..Options::default()
        };
        let channel = channel::connect(&url, &options).map_err(|error| refused(&url, &error))?;
        Ok(Self {
            rotation: channel.clone(),
            channel,
            url,
        })
    }

    pub(crate) fn domains(&self) -> DomainServiceClient<Channel> {
        DomainServiceClient::new(self.channel.clone())
    }

    pub(crate) fn syncs(&self) -> SyncServiceClient<Channel> {
        SyncServiceClient::new(self.channel.clone())
    }

    pub(crate) fn employees(&self) -> EmployeeServiceClient<Channel> {
        EmployeeServiceClient::new(self.channel.clone())
    }

    pub(crate) fn rotations(&self) -> RotationServiceClient<Channel> {
        RotationServiceClient::new(self.rotation.clone())
    }

    pub(crate) fn deliveries(&self) -> DeliveryServiceClient<Channel> {
        DeliveryServiceClient::new(self.rotation.clone())
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub(crate) fn status(&self) -> StatusServiceClient<Channel> {
        StatusServiceClient::new(self.channel.clone())
    }

    pub(crate) fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
    }
}

fn refused(url: &str, error: &ConnectError) -> Failure {
    let failure =
        Failure::new(format!("could not set up the connection to {url}")).caused_by(error);
    match error {
        ConnectError::Url { .. } | ConnectError::Host { .. } => {
            failure.next("give --api or HES_API as https://HOST[:PORT]")
        }
        ConnectError::TokenInTheClear { .. } => failure.next("use https://"),
        ConnectError::Tls { .. } => failure.next("check --api-ca-file (HES_API_CA_FILE)"),
        ConnectError::Token => failure.next("check --api-token-file (HES_API_TOKEN_FILE)"),
    }
}

fn token(path: &Path) -> Result<SecretString, Failure> {
    let failed = || {
        Failure::new(format!(
            "could not read the API token from {}",
            path.display()
        ))
    };
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| {
            failed()
                .caused_by(&error)
                .next("check --api-token-file (HES_API_TOKEN_FILE)")
        })?;
    if let Ok(metadata) = fs::metadata(path)
        && metadata.permissions().mode() & 0o077 != 0
    {
        note(&format!(
            "warning: other accounts of this machine can read the token in {0}; run: chmod 600 {0}",
            path.display()
        ));
    }
    match text.trim() {
        "" => Err(failed().because("it is empty")),
        token => Ok(SecretString::from(token)),
    }
}

/// Some or all items of a list.
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    /// There are more than were asked for.
    pub(crate) more: bool,
}

/// Reads page after page, until there is no more or `limit` is reached; 0 is no limit.
pub(crate) async fn list<T>(
    limit: usize,
    mut page: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Status>,
) -> Result<Listed<T>, Status> {
    let mut items = Vec::new();
    let mut token = String::new();
    loop {
        let wanted = match limit {
            0 => PAGE,
            limit => PAGE.min(limit - items.len()),
        };
        let (page_items, next) = page(i32::try_from(wanted).unwrap_or(i32::MAX), token).await?;
        items.extend(page_items);
        let full = limit != 0 && items.len() >= limit;
        if full || next.is_empty() {
            let more = !next.is_empty() || (limit != 0 && items.len() > limit);
            if limit != 0 {
                items.truncate(limit);
            }
            return Ok(Listed { items, more });
        }
        token = next;
    }
}

impl<T> Listed<T> {
    /// Says, to people, that this is not all.
    pub(crate) fn note_more(&self) {
        if self.more {
            note(&format!(
                "these are the first {}; --limit N shows more, --limit 0 all",
                self.items.len()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn numbers(limit: usize, of: usize) -> (usize, bool) {
        let listed = list(limit, async |size, token: String| {
            let from: usize = token.parse().unwrap_or(0);
            let to = of.min(from + usize::try_from(size).unwrap());
            let next = if to < of {
                to.to_string()
            } else {
                String::new()
            };
            Ok(((from..to).collect(), next))
        })
        .await
        .unwrap();
        assert!(listed.items.iter().copied().eq(0..listed.items.len()));
        (listed.items.len(), listed.more)
    }

    #[tokio::test]
    async fn a_list_has_every_page_or_as_many_items_as_asked_for() {
        assert_eq!(numbers(0, 1234).await, (1234, false));
        assert_eq!(numbers(0, 0).await, (0, false));
        assert_eq!(numbers(700, 1234).await, (700, true));
        assert_eq!(numbers(1234, 1234).await, (1234, false));
        assert_eq!(numbers(5000, 1234).await, (1234, false));
    }
}

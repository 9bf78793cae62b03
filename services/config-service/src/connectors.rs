//! The way to the connectors, by kind of directory. Both serve one contract.

use api::connector::v1::connector_service_client::ConnectorServiceClient;
use directory::DirectoryKind;
use runtime::Channel;
use runtime::grpc::{Failure, Reason};

/// How each kind's connector is reached; `None` where this installation runs none.
#[derive(Clone, Debug, Default)]
pub struct Connectors {
    pub active_directory: Option<Channel>,
    pub entra_id: Option<Channel>,
}

pub(crate) type Client = ConnectorServiceClient<Channel>;

impl Connectors {
    pub(crate) fn client(&self, kind: DirectoryKind) -> Result<Client, Failure> {
        let (channel, service) = match kind {
            DirectoryKind::ActiveDirectory => (&self.active_directory, "ad-connector"),
            DirectoryKind::EntraId => (&self.entra_id, "entra-connector"),
        };
        match channel {
            Some(channel) => Ok(Client::new(channel.clone())),
            None => Err(Failure::new(
                Reason::ServiceUnavailable,
                format!("this installation runs no {service}; start one, and name its address in this service's settings"),
            )
            .with("service", service)),
        }
    }

    /// The same, with the services' names.
    pub(crate) fn named(&self) -> Vec<(&'static str, Client)> {
        [
            ("ad-connector", &self.active_directory),
            ("entra-connector", &self.entra_id),
        ]
        .into_iter()
        .filter_map(|(name, channel)| Some((name, Client::new(channel.clone()?))))
        .collect()
    }

    /// Every connector there is, in a fixed order.
    pub(crate) fn all(&self) -> Vec<Client> {
        [&self.active_directory, &self.entra_id]
            .into_iter()
            .flatten()
            .map(|channel| Client::new(channel.clone()))
            .collect()
    }
}

/// A connector's answer, as it is handed on: its own failures unchanged, its absence said in words.
pub(crate) fn handed_on(status: tonic::Status) -> tonic::Status {
    let ours = Reason::of(&status);
    let absent = status.code() == tonic::Code::Unavailable
        && matches!(
            ours,
            None | Some(Reason::Unreachable | Reason::ShuttingDown)
        );
    if !absent {
        return status;
    }
    tracing::warn!(error = %status.message(), "a connector doesn't answer");
    Failure::new(
        Reason::ServiceUnavailable,
        "the domain's connector doesn't answer, and whether it did what was asked is unknown; see that it runs, then try \
         again",
    )
    .into_status()
}

//! The way to passwords, by kind of directory. Both connectors serve one contract.

use api::config::v1::{Domain, domain::Directory};
use api::connector::v1::connector_service_client::ConnectorServiceClient;
use api::connector::v1::password_service_client::PasswordServiceClient;
use runtime::Channel;
use runtime::grpc::Reason;
use tonic::Status;

/// How each kind's connector is reached; `None` where this installation runs none.
#[derive(Clone, Debug, Default)]
pub struct Connectors {
    pub active_directory: Option<Channel>,
    pub entra_id: Option<Channel>,
}

impl Connectors {
    fn channel(&self, domain: &Domain) -> Option<Channel> {
        match domain.directory.as_ref()? {
            Directory::ActiveDirectory(_) => self.active_directory.clone(),
            Directory::Entra(_) => self.entra_id.clone(),
        }
    }

    pub(crate) fn passwords(&self, domain: &Domain) -> Option<PasswordServiceClient<Channel>> {
        self.channel(domain).map(PasswordServiceClient::new)
    }

    pub(crate) fn accounts(&self, domain: &Domain) -> Option<ConnectorServiceClient<Channel>> {
        self.channel(domain).map(ConnectorServiceClient::new)
    }
}

/// Whether a failed call says for certain that nothing was sent to the directory. Only the connector's own words do: a
/// connection that broke, or a deadline that passed, says nothing of what the connector did.
pub(crate) fn nothing_was_sent(status: &Status) -> bool {
    let Some(reason) = Reason::of(status) else {
        return false;
    };
    [
        Reason::InvalidField,
        Reason::NotFound,
        Reason::DomainDeleted,
        Reason::CredentialsMissing,
        Reason::DirectoryUnreachable,
        Reason::DirectoryUntrusted,
        Reason::DirectoryLogonRefused,
        Reason::DirectoryRefused,
        Reason::DirectoryMismatch,
        Reason::ServiceUnavailable,
        Reason::PermissionDenied,
        Reason::Unauthenticated,
    ]
    .contains(&reason)
}

/// Whether the directory refuses the suite's own logon: nothing more is asked of it before a person has seen to it.
pub(crate) fn is_logon_refused(status: &Status) -> bool {
    Reason::of(status) == Some(Reason::DirectoryLogonRefused)
}

#[cfg(test)]
mod tests {
    use runtime::grpc::Failure;

    use super::*;

    #[test]
    fn a_broken_connection_proves_nothing() {
        let ours = |reason| Status::from(Failure::new(reason, "x"));
        assert!(nothing_was_sent(&ours(Reason::DirectoryUnreachable)));
        assert!(nothing_was_sent(&ours(Reason::CredentialsMissing)));
        for status in [
            // Made by the channel when a connection is lost in the middle of a call.
            ours(Reason::Unreachable),
            ours(Reason::DeadlineExceeded),
            ours(Reason::ShuttingDown),
            ours(Reason::Internal),
            ours(Reason::DatabaseUnavailable),
            Status::unavailable("connection reset"),
            Status::cancelled("gone"),
        ] {
            assert!(!nothing_was_sent(&status), "{status:?}");
        }
    }
}

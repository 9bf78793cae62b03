//! What can go wrong in speaking to a domain controller.

use std::io;
use std::time::Duration;

use crate::bind::BindReason;
use crate::connect::Server;
use crate::tls::{TlsFailure, TlsReason};

/// A failed operation. Each variant says what was tried; the cause is the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to resolve the name `{}` of {server}", server.host())]
    NameResolution {
        server: Server,
        #[source]
        source: io::Error,
    },
    #[error("failed to connect to {server}")]
    Connect {
        server: Server,
        #[source]
        source: io::Error,
    },
    #[error("{server} refused StartTLS (result {code}: {text})")]
    StartTls {
        server: Server,
        code: u32,
        text: String,
    },
    #[error("failed to establish TLS with {server}: {failure}")]
    Tls {
        server: Server,
        failure: Box<TlsFailure>,
    },
    #[error("{server} refused the bind: {reason}")]
    Bind { server: Server, reason: BindReason },
    #[error("{server} demands an encrypted or signed connection before a bind (result 8)")]
    StrongerAuthRequired { server: Server },
    /// RFC 4513 5.1.2: a simple bind with a name and no password succeeds as anonymous.
    #[error(
        "an empty password was not sent: a directory takes it as an anonymous bind and answers success"
    )]
    EmptyPassword,
    #[error("failed to {what}: the directory answered {} ({code}): {text}", code_name(*code))]
    Refused {
        what: &'static str,
        code: u32,
        text: String,
    },
    #[error("no such object: {dn}")]
    NoSuchObject { dn: String },
    #[error("no answer within {after:?} when trying to {what}")]
    Timeout { what: &'static str, after: Duration },
    #[error("lost the connection when trying to {what}")]
    Lost {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The directory answered success, and yet not all of it is there.
    #[error("failed to {what} completely: {why}")]
    Incomplete { what: &'static str, why: String },
    #[error(transparent)]
    Scope(#[from] crate::reader::ScopeError),
}

/// Whether trying again later, or at another domain controller, may help without anyone changing anything.
impl Error {
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NameResolution { .. }
            | Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Lost { .. }
            | Self::Incomplete { .. } => true,
            Self::Tls { failure, .. } => failure.reason == TlsReason::Closed,
            // timeLimitExceeded, busy, unavailable
            Self::Refused { code, .. } => matches!(code, 3 | 51 | 52),
            Self::StartTls { .. }
            | Self::Bind { .. }
            | Self::StrongerAuthRequired { .. }
            | Self::EmptyPassword
            | Self::NoSuchObject { .. }
            | Self::Scope(_) => false,
        }
    }

    /// What the administrator can do about it.
    pub fn what_to_do(&self) -> String {
        match self {
            Self::NameResolution { server, .. } => format!(
                "Check the spelling of `{}` and that the name servers of the machine this runs on know it.",
                server.host()
            ),
            Self::Connect { server, .. } => format!(
                "Check that the domain controller is running and that a firewall lets port {} through.",
                server.port()
            ),
            Self::StartTls { .. } => {
                "Install a server certificate on the domain controller, or use an ldaps:// server.".to_owned()
            }
            Self::Tls { failure, .. } => failure.what_to_do(),
            Self::Bind { reason, .. } => reason.what_to_do().to_owned(),
            Self::StrongerAuthRequired { .. } => {
                "Use an ldaps:// server, or ldap:// with StartTLS.".to_owned()
            }
            Self::EmptyPassword => "Set the password of the account used to log on.".to_owned(),
            Self::Refused { code: 50, .. } => {
                "Give the account used to log on the right to read this.".to_owned()
            }
            Self::Refused { .. } => {
                "Look the result up in the domain controller's Directory Service event log.".to_owned()
            }
            Self::NoSuchObject { .. } => {
                "Correct the distinguished name, or let the account used to log on see the object.".to_owned()
            }
            Self::Timeout { .. } => {
                "Check the load of the domain controller and the network to it; nothing was changed.".to_owned()
            }
            Self::Lost { .. } | Self::Incomplete { .. } => {
                "Nothing was changed; it is tried again. If it stays, look at the domain controller and the network."
                    .to_owned()
            }
            Self::Scope(error) => error.what_to_do(),
        }
    }
}

/// RFC 4511's name of a result code.
pub(crate) fn code_name(code: u32) -> &'static str {
    match code {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        16 => "noSuchAttribute",
        18 => "inappropriateMatching",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        80 => "other",
        _ => "an error",
    }
}

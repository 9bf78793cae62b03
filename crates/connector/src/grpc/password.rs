//! PasswordService: one account's password, for the scheduler alone.

use std::sync::Arc;
use std::time::Duration;

use api::connector::v1 as proto;
use api::connector::v1::password_service_server::PasswordService;
use api::name::AccountName;
use directory::AccountKey;
use jiff::Timestamp;
use prost::Message as _;
use runtime::grpc::{Failure, Reason};
use secrecy::SecretString;
use tonic::{Request, Response, Status};

use super::error::{look_up, no_domain, off};
use crate::configured::Configured;
use crate::credentials::Credentials;
use crate::failure::{self, FailureReason};
use crate::passwords::{Logon, Passwords, Set, Verify};
use crate::source::Directory;
use crate::supervisor::Supervisor;

/// How far ahead a deadline may lie: further, and one of the two clocks is wrong.
const LONGEST: Duration = Duration::from_secs(60);

/// The service.
pub(crate) struct PasswordCalls<D> {
    pub(crate) supervisor: Arc<Supervisor<D>>,
}

#[tonic::async_trait]
impl<D: Directory + Passwords> PasswordService for PasswordCalls<D> {
    async fn read(
        &self,
        request: Request<proto::ReadRequest>,
    ) -> Result<Response<proto::ReadResponse>, Status> {
        let request = request.into_inner();
        let account = account("account", &request.account)?;
        let previous = match request.previous_anchor.as_slice() {
            [] => None,
            bytes => {
                let (of, anchor) = anchor("previous_anchor", bytes)?;
                if of != account {
                    let problem = "is of another account";
                    return Err(Failure::invalid("previous_anchor", problem).into());
                }
                Some(anchor)
            }
        };
        let (domain, credentials) = self.domain(&account).await?;
        let logon = logon(&domain, &credentials);
        let read = self
            .supervisor
            .directory
            .read(logon, account.object, previous);
        let (mut response, mut anchor) =
            read.await.map_err(|failure| refused(&account, failure))?;
        anchor.account = AccountName(account).to_string();
        response.anchor = anchor.encode_to_vec();
        Ok(Response::new(response))
    }

    async fn set(
        &self,
        request: Request<proto::SetRequest>,
    ) -> Result<Response<proto::SetResponse>, Status> {
        let request = request.into_inner();
        let value = SecretString::from(request.value);
        let (account, anchor) = anchor("anchor", &request.anchor)?;
        let number = u32::try_from(request.send_number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Failure::invalid("send_number", "counts from 1"))?;
        if is_empty(&value) {
            return Err(Failure::invalid("value", "is empty").into());
        }
        let deadline = request
            .deadline
            .as_ref()
            .and_then(|time| Timestamp::new(time.seconds, time.nanos).ok())
            .ok_or_else(|| Failure::invalid("deadline", "is required"))?;
        let left = Duration::try_from(deadline.duration_since(self.supervisor.clock.now()))
            .unwrap_or_default();
        if left.is_zero() || left > LONGEST {
            return Ok(Response::new(proto::SetResponse {
                outcome: proto::SetOutcome::Refused.into(),
                refusal: proto::RefusalReason::Deadline.into(),
                ..proto::SetResponse::default()
            }));
        }
        let (domain, credentials) = self.domain(&account).await?;
        let set = Set {
            object: account.object,
            anchor,
            number,
            value,
            within: left,
        };
        let sent = self
            .supervisor
            .directory
            .set(logon(&domain, &credentials), set);
        let response = sent.await.map_err(|failure| refused(&account, failure))?;
        tracing::info!(
            account = %AccountName(account),
            rotation = %request.intent,
            send = number,
            outcome = response.outcome().as_str_name(),
            "a password was sent"
        );
        Ok(Response::new(response))
    }

    async fn verify(
        &self,
        request: Request<proto::VerifyRequest>,
    ) -> Result<Response<proto::VerifyResponse>, Status> {
        let request = request.into_inner();
        let trial = request.trial();
        let value = SecretString::from(request.value);
        let (account, anchor) = anchor("anchor", &request.anchor)?;
        let is_tried = match trial {
            proto::Trial::Unspecified | proto::Trial::Never => false,
            proto::Trial::WhereItMayFit | proto::Trial::Always => true,
        };
        if is_tried && is_empty(&value) {
            let problem = "is empty: a directory would take it for an anonymous logon";
            return Err(Failure::invalid("value", problem).into());
        }
        let count = |field: &'static str, number: i32| {
            u32::try_from(number).map_err(|_| Failure::invalid(field, "is negative"))
        };
        let verify = Verify {
            object: account.object,
            anchor,
            value: is_tried.then_some(value),
            trial,
            applied_sends: count("applied_sends", request.applied_sends)?,
            unknown_sends: count("unknown_sends", request.unknown_sends)?,
            convergence: request.convergence,
        };
        let (domain, credentials) = self.domain(&account).await?;
        let verified = self
            .supervisor
            .directory
            .verify(logon(&domain, &credentials), verify);
        let response = verified
            .await
            .map_err(|failure| refused(&account, failure))?;
        Ok(Response::new(response))
    }
}

impl<D: Directory> PasswordCalls<D> {
    /// The account's domain as config-service has it this moment: credentials that were removed are not used again.
    async fn domain(&self, account: &AccountKey) -> Result<(Configured, Credentials), Status> {
        let seat = self.supervisor.look_up(&account.domain).await;
        let Some(seat) = seat.map_err(look_up)? else {
            return Err(no_domain(&account.domain));
        };
        let domain = seat.configured.borrow().clone();
        if let Some(failure) = domain.off_because() {
            return Err(off(&account.domain, &failure));
        }
        let credentials = self.supervisor.peer.credentials(&domain).await;
        let credentials = credentials.map_err(|failure| refused(account, failure))?;
        Ok((domain, credentials))
    }
}

fn logon<'a>(domain: &'a Configured, credentials: &'a Credentials) -> Logon<'a> {
    Logon {
        domain: &domain.message,
        credentials,
        credentials_version: domain.credentials_version,
    }
}

fn account(field: &'static str, name: &str) -> Result<AccountKey, Status> {
    let AccountName(account) = name
        .parse()
        .map_err(|error| Failure::invalid(field, format!("{error}")))?;
    Ok(account)
}

/// An anchor, and whose it is.
fn anchor(
    field: &'static str,
    bytes: &[u8],
) -> Result<(AccountKey, proto::PasswordAnchor), Status> {
    let foreign = || Failure::invalid(field, "is not an anchor that Read returned");
    let anchor = proto::PasswordAnchor::decode(bytes).map_err(|_| foreign())?;
    let AccountName(account) = anchor.account.parse().map_err(|_| foreign())?;
    if anchor.servers.is_empty() {
        return Err(foreign().into());
    }
    Ok((account, anchor))
}

fn is_empty(value: &SecretString) -> bool {
    use secrecy::ExposeSecret as _;
    value.expose_secret().is_empty()
}

/// A failure of the directory. Nothing was sent.
fn refused(account: &AccountKey, failure: failure::Failure) -> Status {
    let reason = match failure.reason {
        FailureReason::BindRefused => Reason::DirectoryLogonRefused,
        FailureReason::CredentialsMissing => Reason::CredentialsMissing,
        FailureReason::CredentialsUnavailable => Reason::ServiceUnavailable,
        FailureReason::DomainDeleted => Reason::DomainDeleted,
        FailureReason::DirectoryChanged => Reason::DirectoryMismatch,
        FailureReason::TlsCertificateExpired
        | FailureReason::TlsUnknownIssuer
        | FailureReason::TlsNameMismatch => Reason::DirectoryUntrusted,
        _ if failure.transient => Reason::DirectoryUnreachable,
        FailureReason::NameResolution
        | FailureReason::Unreachable
        | FailureReason::Timeout
        | FailureReason::ReadIncomplete => Reason::DirectoryUnreachable,
        FailureReason::TlsFailed
        | FailureReason::AccessDenied
        | FailureReason::DirectoryRefused
        | FailureReason::SettingsInvalid
        | FailureReason::FilterInvalid
        | FailureReason::OuMissing
        | FailureReason::ScopeEmpty
        | FailureReason::GroupMissing
        | FailureReason::GroupAmbiguous
        | FailureReason::GroupChanged
        | FailureReason::DirectoryDuplicate => Reason::DirectoryRefused,
        FailureReason::Internal => Reason::Internal,
    };
    Failure::new(reason, format!("{}. {}", failure.message, failure.remedy))
        .with("account", AccountName(account.clone()))
        .into()
}

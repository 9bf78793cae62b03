//! Passwords of a directory, as both connectors bring them.

use std::future::Future;
use std::time::Duration;

use api::config::v1 as config;
use api::connector::v1 as proto;
use directory::ObjectId;
use secrecy::SecretString;

use crate::credentials::Credentials;
use crate::failure::Failure;

/// A domain to log on to.
#[derive(Clone, Copy, Debug)]
pub struct Logon<'a> {
    pub domain: &'a config::Domain,
    pub credentials: &'a Credentials,
    /// Another one is another logon.
    pub credentials_version: i64,
}

/// A password to set.
#[derive(Debug)]
pub struct Set {
    pub object: ObjectId,
    pub anchor: proto::PasswordAnchor,
    /// Which send of this value it is, from 1: so many writes of ours there may be before it, less one.
    pub number: u32,
    pub value: SecretString,
    /// Nothing is written to the socket once this has passed, by a monotonic clock.
    pub within: Duration,
}

/// What to find out of a password that was sent.
#[derive(Debug)]
pub struct Verify {
    pub object: ObjectId,
    pub anchor: proto::PasswordAnchor,
    /// None where it is not to be tried.
    pub value: Option<SecretString>,
    pub trial: proto::Trial,
    pub applied_sends: u32,
    pub unknown_sends: u32,
    pub convergence: bool,
}

/// One kind of directory's passwords. It retries nothing: whoever calls knows what was sent before.
pub trait Passwords: Send + Sync + 'static {
    /// How an account stands, with the anchor as a message. `previous` is an anchor whose server is away.
    fn read(
        &self,
        logon: Logon<'_>,
        object: ObjectId,
        previous: Option<proto::PasswordAnchor>,
    ) -> impl Future<Output = Result<(proto::ReadResponse, proto::PasswordAnchor), Failure>> + Send;

    /// Sends a password once. An error says that nothing was sent.
    fn set(
        &self,
        logon: Logon<'_>,
        set: Set,
    ) -> impl Future<Output = Result<proto::SetResponse, Failure>> + Send;

    /// What the directory shows of a password that was sent.
    fn verify(
        &self,
        logon: Logon<'_>,
        verify: Verify,
    ) -> impl Future<Output = Result<proto::VerifyResponse, Failure>> + Send;
}

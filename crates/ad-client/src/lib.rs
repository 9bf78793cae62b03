#![doc = include_str!("../README.md")]

pub mod access;
mod bind;
pub mod check;
mod connect;
mod control;
mod dn;
mod entry;
mod error;
mod filter;
mod identity;
mod issue;
mod lookup;
mod member;
mod memo;
mod object;
mod page;
pub mod password;
mod range;
mod reader;
mod session;
mod time;
mod tls;
mod walk;

pub use bind::{BindReason, Trial};
pub use connect::{
    Connector, Credentials, Scheme, Server, ServerError, Target, TargetError, Timeouts,
};
pub use dn::{Dn, DnError};
pub use error::Error;
pub use filter::{FilterError, UserFilter};
pub use identity::Identity;
pub use issue::{Issue, IssueKind};
pub use lookup::GroupMatch;
pub use reader::{Page, Proof, Read, ReadScope, ScopeError, Whereabouts};
pub use session::Session;
pub use tls::{CaError, Presented, TlsFailure, TlsReason};

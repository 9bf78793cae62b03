//! Who is calling, and whether they may (K4).
//!
//! An identity comes from the process itself (an in-process channel), from a bearer token, or from a client
//! certificate; never from any other metadata. What it may call stands in the method's descriptor, as
//! `hes.auth.v1.access`.

mod access;
mod caller;
mod token;

pub(crate) use access::Method;
pub use access::{Denial, OnDenial, Rule, RuleError, Rules};
pub use caller::{Caller, Role, ServiceName, ServiceNameError};
pub use token::{
    Authenticator, BootstrapToken, NotAuthenticated, TokenHash, TokenHashError, Tokens,
};

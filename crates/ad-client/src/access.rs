//! Whether the bind account may do something to an object, decided from the object's security descriptor.
//!
//! A directory leaves out what one may not read, and says no only to who tries. Neither helps to tell a cleared
//! attribute from a hidden one, or to warn before a password must be set. So the decision the directory would make is
//! made here, from the same facts: the object's DACL and the account's token. [`descriptor`] and [`evaluate`] are pure;
//! [`token`], [`schema`] and [`rights`] read what they need.

mod descriptor;
mod evaluate;
mod rights;
mod schema;
mod token;

pub use descriptor::{Ace, AceKind, DescriptorError, SecurityDescriptor};
pub use evaluate::{Access, RESET_PASSWORD, Subject, Token, may_control, may_read};
pub use rights::Readability;
pub(crate) use rights::{ATTRIBUTES, reset_access};
pub use schema::{AttributeSchema, ldap_name};

#[cfg(test)]
mod tests;

//! LDAP as bytes. Written here, and not taken from a crate: those that serve LDAP hold filter values for text, which a
//! GUID is not (docs/adr/0011).

pub(crate) mod ber;
pub(crate) mod filter;
pub(crate) mod message;
pub(crate) mod outcome;

//! Syncs of a real Active Directory domain controller. One is shared by all tests; each makes its own groups and people.
#![expect(clippy::unwrap_used, reason = "what tests share fails the test")]

mod dc;
mod failures;
mod groups;
mod passwords;
mod people;

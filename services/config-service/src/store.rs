//! The service's own database: SQL and rows, one file a concern. Absence is an answer (`None`), not an error.

mod account;
mod audit;
mod credential;
mod domain;
mod employee;
mod link;
mod passwordless;
mod request;
mod work;

pub(crate) use account::{
    AccountRow, account, accounts_like, accounts_of, forget_generations, put_account,
};
pub(crate) use audit::{append, events_after, events_before, forget_told, head, note_told};
pub(crate) use credential::{
    SealedCredential, credential, credentials_not_under, delete_credential, put_credential,
};
pub(crate) use domain::{
    CredentialRow, DomainRow, domain, domains, domains_page, domains_to_purge, insert_domain,
    purge_domain, put_pinned, update_domain,
};
pub(crate) use employee::{
    EmployeeFilter, EmployeeRow, SentEmployee, delete_employee, employee, employees_in_domain,
    employees_page, employees_to_purge, put_employee,
};
pub(crate) use link::{
    ProposalRow, decide_proposal, forget_unlink, insert_proposal, insert_unlink, merge_proposals,
    move_proposals, proposal, proposals_page, settle_proposals, unlinks_of,
};
pub(crate) use passwordless::{PasswordlessRow, passwordless, put_passwordless};
pub(crate) use request::{AnsweredRequest, answered_request, forget_requests, insert_request};
pub(crate) use work::{Work, WorkKind, advance_work, ask_work, finish_work, pending_work};

/// Why the database gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database failed")]
    Database(#[from] storage::Error),
    /// Damage, or a row of a newer version of this service.
    #[error("{what} `{key}` is stored in a form that can't be read")]
    Corrupt { what: &'static str, key: String },
}

impl StoreError {
    pub(crate) fn corrupt(what: &'static str, key: impl ToString) -> Self {
        Self::Corrupt {
            what,
            key: key.to_string(),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// A protobuf message out of a column.
fn decode<M: prost::Message + Default>(bytes: &[u8], what: &'static str, key: &str) -> Result<M> {
    M::decode(bytes).map_err(|_| StoreError::corrupt(what, key))
}

//! What people link and take apart.

use std::collections::BTreeSet;

use api::config::v1::{LinkProposalState, LinkReason};
use directory::{AccountKey, DomainId};
use sync::employee::EmployeeId;
use sync::links::Unlink;
use uuid::Uuid;

use super::book::Book;
use crate::store::{self, AccountRow, ProposalRow, StoreError};

/// Why employees can't be linked, or an account taken out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error(
        "there is no employee `{0}`; it may have been linked to another one or deleted: list the employees"
    )]
    NoEmployee(EmployeeId),
    #[error("there is no link proposal `{0}`; list the proposals")]
    NoProposal(Uuid),
    #[error("`{0}` can't be linked with itself; name two employees")]
    Same(EmployeeId),
    #[error(
        "both employees have an account in domain `{0}`, so they are two people; if one of the accounts is theirs no \
         more, unlink it first"
    )]
    SameDomain(DomainId),
    #[error("the account isn't one of employee `{0}`; get the employee to see its accounts")]
    NotTheirs(EmployeeId),
    #[error(
        "the account is the only one of employee `{0}`; there is nothing to take it apart from"
    )]
    OnlyAccount(EmployeeId),
    #[error("link proposal `{0}` has been decided already; link or unlink the employees directly")]
    Decided(Uuid),
    #[error("failed to store the link")]
    Store(#[from] StoreError),
}

impl Book<'_> {
    /// Moves the accounts of `gone` to `kept`.
    pub(crate) async fn link(
        &mut self,
        kept: EmployeeId,
        gone: EmployeeId,
    ) -> Result<(), LinkError> {
        if kept == gone {
            return Err(LinkError::Same(kept));
        }
        let stay = self.accounts(kept).await?;
        let come = self.accounts(gone).await?;
        if let Some(domain) = shared_domain(&stay, &come) {
            return Err(LinkError::SameDomain(domain));
        }
        for mut row in come {
            for other in &stay {
                let pair = Unlink(row.key.clone(), other.key.clone());
                store::forget_unlink(&mut self.tx, &pair).await?;
            }
            row.employee = Some(kept);
            row.link_reason = LinkReason::Manual;
            row.linked_by.clone_from(&self.actor);
            row.linked = Some(self.now);
            self.put_account(&row).await?;
        }
        store::merge_proposals(&mut self.tx, kept, gone).await?;
        let record = self.record("employee.link", kept).detail("other", gone);
        store::append(&mut self.tx, record).await?;
        let (actor, now) = (self.actor.clone(), self.now);
        for proposal in store::settle_proposals(&mut self.tx, kept, &actor, now).await? {
            self.tell_proposal("decided", &proposal).await?;
        }
        // Without accounts now: this ends it.
        self.refresh(gone).await?;
        self.refresh(kept).await?;
        Ok(())
    }

    /// Gives an account an employee of its own, for good.
    pub(crate) async fn unlink(
        &mut self,
        from: EmployeeId,
        key: &AccountKey,
    ) -> Result<EmployeeId, LinkError> {
        let accounts = self.accounts(from).await?;
        let (mut taken, rest): (Vec<AccountRow>, Vec<AccountRow>) =
            accounts.into_iter().partition(|row| row.key == *key);
        let Some(mut row) = taken.pop() else {
            return Err(LinkError::NotTheirs(from));
        };
        if rest.is_empty() {
            return Err(LinkError::OnlyAccount(from));
        }
        for other in &rest {
            let pair = Unlink(row.key.clone(), other.key.clone());
            store::insert_unlink(&mut self.tx, &pair, &self.actor, self.now).await?;
        }
        self.found(&mut row).await?;
        let employee = row.employee.unwrap_or(from);
        store::move_proposals(&mut self.tx, key, employee).await?;
        let record = self
            .record("employee.unlink", from)
            .detail("account", key)
            .detail("new", employee);
        store::append(&mut self.tx, record).await?;
        self.refresh(from).await?;
        self.refresh(employee).await?;
        Ok(employee)
    }

    /// Links what was proposed, or refuses it for good.
    pub(crate) async fn decide(
        &mut self,
        id: Uuid,
        accept: bool,
    ) -> Result<ProposalRow, LinkError> {
        let mut row = store::proposal(&mut self.tx, id)
            .await?
            .ok_or(LinkError::NoProposal(id))?;
        if row.state != LinkProposalState::Open {
            return Err(LinkError::Decided(id));
        }
        row.state = if accept {
            LinkProposalState::Accepted
        } else {
            LinkProposalState::Rejected
        };
        row.decided_by.clone_from(&self.actor);
        row.decided = Some(self.now);
        store::decide_proposal(&mut self.tx, id, row.state, &self.actor, self.now).await?;
        let action = if accept { "link.accept" } else { "link.reject" };
        let record = self.record(action, row.employee).detail("proposal", id);
        store::append(&mut self.tx, record).await?;
        if accept {
            // The older employee stays: others have known it longer.
            let (kept, gone) = (row.candidate, row.employee);
            self.link(kept, gone).await?;
            row.employee = kept;
        } else {
            let pair = Unlink(row.account.clone(), row.candidate_account.clone());
            store::insert_unlink(&mut self.tx, &pair, &self.actor, self.now).await?;
        }
        self.tell_proposal("decided", &row).await?;
        Ok(row)
    }

    async fn accounts(&mut self, employee: EmployeeId) -> Result<Vec<AccountRow>, LinkError> {
        let accounts = store::accounts_of(&mut self.tx, employee).await?;
        if accounts.is_empty() {
            return Err(LinkError::NoEmployee(employee));
        }
        Ok(accounts)
    }
}

/// A person has one account in a domain. One that was deleted counts too: a new account of the same name is a new
/// person until somebody says otherwise, by unlinking the old one.
fn shared_domain(a: &[AccountRow], b: &[AccountRow]) -> Option<DomainId> {
    let domains: BTreeSet<&DomainId> = a.iter().map(|row| &row.key.domain).collect();
    b.iter()
        .map(|row| &row.key.domain)
        .find(|domain| domains.contains(domain))
        .cloned()
}

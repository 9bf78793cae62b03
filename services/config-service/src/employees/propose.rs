//! Links that a person has to decide.

use std::collections::BTreeSet;

use api::config::v1::{LinkProposal, LinkProposalState};
use api::convert::time;
use api::event::v1::{LinkProposalChanged, event::Payload};
use api::name::{AccountName, EmployeeName, LinkProposalName};
use sync::employee::EmployeeId;
use sync::links::{Doubt, LinkReason};

use super::book::Book;
use super::party;
use crate::announce::{Subject, announce};
use crate::store::{self, AccountRow, ProposalRow};

impl Book<'_> {
    /// Proposes to link the account with each of `employees`. One who has an account of the same domain isn't proposed:
    /// such a link can't be made, by nobody.
    pub(super) async fn propose(
        &mut self,
        row: &AccountRow,
        likes: &[AccountRow],
        employees: &[EmployeeId],
        reason: LinkReason,
        doubts: &[Doubt],
    ) -> store::Result<()> {
        let Some(employee) = row.employee else {
            return Ok(());
        };
        for candidate in employees {
            let theirs: Vec<&AccountRow> = likes
                .iter()
                .filter(|like| like.employee == Some(*candidate))
                .collect();
            if theirs.iter().any(|like| like.key.domain == row.key.domain) {
                continue;
            }
            let Some(resembles) = theirs.into_iter().find(|like| resembles(row, like, reason))
            else {
                continue;
            };
            let proposal = ProposalRow {
                id: self.ids.uuid_at(self.now),
                employee,
                candidate: *candidate,
                account: row.key.clone(),
                candidate_account: resembles.key.clone(),
                reason: sentence(reason, doubts),
                state: LinkProposalState::Open,
                created: self.now,
                decided_by: String::new(),
                decided: None,
            };
            if store::insert_proposal(&mut self.tx, &proposal).await? {
                let record = self
                    .record("employee.link.propose", employee)
                    .detail("proposal", proposal.id)
                    .detail("candidate", candidate);
                store::append(&mut self.tx, record).await?;
                self.tell_proposal("proposed", &proposal).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn tell_proposal(
        &mut self,
        verb: &'static str,
        row: &ProposalRow,
    ) -> store::Result<()> {
        let subject = Subject::employee(&EmployeeName(row.employee.0).to_string(), "link", verb);
        let payload = Payload::LinkProposalChanged(LinkProposalChanged {
            link_proposal: Some(message(row)),
        });
        announce(&mut self.tx, self.ids, self.now, subject, payload).await
    }
}

fn resembles(row: &AccountRow, other: &AccountRow, reason: LinkReason) -> bool {
    let (account, other) = (&row.known.account, &other.known.account);
    match reason {
        LinkReason::SecurityIdentifier => account.sid.is_some() && account.sid == other.sid,
        LinkReason::Mail => {
            let mail = party::mail(account.mail.as_deref());
            mail.is_some() && mail == party::mail(other.mail.as_deref())
        }
    }
}

pub(crate) fn message(row: &ProposalRow) -> LinkProposal {
    LinkProposal {
        name: LinkProposalName(row.id).to_string(),
        employee: EmployeeName(row.employee.0).to_string(),
        candidate: EmployeeName(row.candidate.0).to_string(),
        account: AccountName(row.account.clone()).to_string(),
        candidate_account: AccountName(row.candidate_account.clone()).to_string(),
        reason: row.reason.clone(),
        state: row.state.into(),
        create_time: Some(time::to_proto(row.created)),
        decided_by: row.decided_by.clone(),
        decide_time: row.decided.map(time::to_proto),
    }
}

fn sentence(reason: LinkReason, doubts: &[Doubt]) -> String {
    let what = match reason {
        LinkReason::SecurityIdentifier => "The security identifiers say that they are one person",
        LinkReason::Mail => "They have the same mail address",
    };
    let doubts: BTreeSet<&str> = doubts.iter().map(|doubt| doubted(*doubt)).collect();
    let doubts: Vec<&str> = doubts.into_iter().collect();
    format!("{what}, but {}.", doubts.join(", and "))
}

fn doubted(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::SeveralEmployees => "several employees match",
        Doubt::SameDomain => "one of them has an account in the same domain already",
        Doubt::NotUnique => "another account of the same domain has it too",
        Doubt::NotAuthoritative => "not both domains are authoritative for the address",
        Doubt::Guest => "one of the accounts is a guest's",
        Doubt::Privileged => "one of the accounts is privileged",
        Doubt::NotPresent => "one of the accounts has left",
    }
}

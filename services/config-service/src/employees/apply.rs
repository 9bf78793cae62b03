//! An account, as its connector tells of it, becomes part of an employee.

use api::config::v1::LinkReason;
use api::convert::account::KnownAccount;
use api::directory::v1 as proto;
use directory::Presence;
use sync::links::{Decision, Doubt, LinkReason as Why, decide};

use super::book::Book;
use super::party::party;
use crate::store::{self, AccountRow};

/// What became of a told account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Taken,
    /// What is known is as new or newer.
    Old,
    /// Of a domain that isn't configured here.
    Foreign,
}

/// Why a told account can't be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// It will not become valid by being told again.
    #[error("a told account is invalid")]
    Invalid(#[source] api::convert::ConvertError),
    #[error("failed to store a told account")]
    Store(#[from] store::StoreError),
}

impl Book<'_> {
    /// Takes an account if it is newer than what is known.
    pub(crate) async fn apply(&mut self, told: proto::Account) -> Result<Applied, ApplyError> {
        let known = KnownAccount::try_from(told.clone()).map_err(ApplyError::Invalid)?;
        let key = known.key();
        if !self.facts.knows(&key.domain) {
            return Ok(Applied::Foreign);
        }
        let stored = store::account(&mut self.tx, &key).await?;
        if stored
            .as_ref()
            .is_some_and(|stored| stored.known.generation >= known.generation)
        {
            return Ok(Applied::Old);
        }
        let mut row = match stored {
            Some(stored) => AccountRow {
                since: if stored.known.presence == known.presence {
                    stored.since
                } else {
                    self.now
                },
                state: told,
                known,
                ..stored
            },
            None => AccountRow {
                key,
                state: told,
                known,
                since: self.now,
                employee: None,
                link_reason: LinkReason::Unspecified,
                linked_by: String::new(),
                linked: None,
            },
        };
        // Only a member of the sync group makes an employee, or joins one; it stays one's when it leaves.
        if row.employee.is_none() && row.known.presence == Presence::Member {
            self.settle(&mut row).await?;
        } else {
            self.put_account(&row).await?;
        }
        if let Some(employee) = row.employee {
            self.refresh(employee).await?;
        }
        Ok(Applied::Taken)
    }

    /// Finds out whose account this is, once and for good.
    async fn settle(&mut self, row: &mut AccountRow) -> store::Result<()> {
        let account = party(row, &self.facts);
        let mail = account.mail.as_ref().map(|mail| mail.as_str().to_owned());
        let sid = account.sid.as_ref().map(ToString::to_string);
        let likes = store::accounts_like(&mut self.tx, mail.as_deref(), sid.as_deref()).await?;
        let others = likes.accounts.iter();
        let others: Vec<_> = others.map(|like| party(like, &self.facts)).collect();
        let unlinks = store::unlinks_of(&mut self.tx, &row.key).await?;
        let decision = match decide(&account, &others, &unlinks) {
            // Nobody can say that it is the only one.
            Decision::LinkTo { employee, reason } if likes.crowded => Decision::Propose {
                employees: vec![employee],
                reason,
                doubts: vec![Doubt::NotUnique],
            },
            decision @ (Decision::Keep(_)
            | Decision::NewEmployee
            | Decision::LinkTo { .. }
            | Decision::Propose { .. }) => decision,
        };
        match decision {
            Decision::Keep(employee) => {
                row.employee = Some(employee);
                self.put_account(row).await?;
            }
            Decision::LinkTo { employee, reason } => {
                row.employee = Some(employee);
                row.link_reason = match reason {
                    Why::SecurityIdentifier => LinkReason::SecurityIdentifier,
                    Why::Mail => LinkReason::Mail,
                };
                row.linked = Some(self.now);
                self.put_account(row).await?;
                let record = self
                    .record("employee.link", employee)
                    .detail("account", &row.key)
                    .detail("reason", row.link_reason.as_str_name());
                store::append(&mut self.tx, record).await?;
            }
            Decision::NewEmployee => self.found(row).await?,
            Decision::Propose {
                employees,
                reason,
                doubts,
            } => {
                self.found(row).await?;
                self.propose(row, &likes.accounts, &employees, reason, &doubts)
                    .await?;
            }
        }
        Ok(())
    }

    /// Makes a new employee of the account.
    pub(super) async fn found(&mut self, row: &mut AccountRow) -> store::Result<()> {
        let employee = self.new_employee();
        self.insert(employee).await?;
        row.employee = Some(employee);
        row.link_reason = LinkReason::First;
        row.linked_by = String::new();
        row.linked = Some(self.now);
        self.put_account(row).await
    }
}

//! What is told of accounts and employees, taken down: whether and when an account rotates follows from it, and a rotation
//! that may not go on is parked.

use std::collections::HashMap;

use api::config::v1::Employee;
use api::directory::v1::{Account, DirectoryPinned};
use api::name::{AccountName, DomainName, EmployeeName};
use directory::{AccountKey, DomainId};
use jiff::{SignedDuration, Timestamp};
use rotation::{Event, State};
use storage::Transaction;
use tracing::debug;
use uuid::Uuid;

use crate::enrolment;
use crate::ledger::{Ledger, LedgerError};
use crate::store::{self, AccountRow, DomainRow, Kind, RotationRow};

/// Whom a snapshot of all employees is asked for by.
pub(crate) const EMPLOYEES: &str = "employees";
/// A lock-out so soon after a rotation may be its doing.
const AFTERMATH: SignedDuration = SignedDuration::from_hours(24);

/// Takes down what is told, in one transaction.
pub(crate) struct Book<'a> {
    ledger: &'a Ledger,
    tx: Transaction,
    now: Timestamp,
    domains: HashMap<DomainId, Option<DomainRow>>,
    moved: Vec<RotationRow>,
    touched: Vec<DomainId>,
}

impl<'a> Book<'a> {
    pub(crate) async fn open(ledger: &'a Ledger) -> Result<Self, LedgerError> {
        Ok(Self {
            now: ledger.now(),
            tx: ledger.db.begin().await?,
            ledger,
            domains: HashMap::new(),
            moved: Vec::new(),
            touched: Vec::new(),
        })
    }

    pub(crate) async fn close(self) -> Result<(), LedgerError> {
        self.tx.commit().await?;
        for row in &self.moved {
            self.ledger.ring(row);
        }
        for domain in &self.touched {
            self.ledger.bells.ring_domain(domain);
        }
        Ok(())
    }

    pub(crate) fn transaction(&mut self) -> &mut Transaction {
        &mut self.tx
    }

    async fn domain(&mut self, id: &DomainId) -> Result<Option<DomainRow>, LedgerError> {
        if let Some(known) = self.domains.get(id) {
            return Ok(known.clone());
        }
        let row = store::domain(&mut self.tx, id).await?;
        self.domains.insert(id.clone(), row.clone());
        Ok(row)
    }

    /// Takes which directory a domain turned out to be: nothing rotates before that is known.
    pub(crate) async fn pinned(&mut self, told: DirectoryPinned) -> Result<(), LedgerError> {
        let Ok(DomainName(id)) = told.domain.parse::<DomainName>() else {
            return Ok(());
        };
        if let Some(mut domain) = self.domain(&id).await?
            && domain.settings.identity != told.identity
        {
            domain.settings.identity = told.identity;
            store::put_settings(&mut self.tx, &id, &domain.settings, self.now).await?;
            self.domains.remove(&id);
            self.touched.push(id);
        }
        Ok(())
    }

    /// Takes an account's state, if it is newer than what is known.
    pub(crate) async fn account(&mut self, told: Account) -> Result<(), LedgerError> {
        let Ok(AccountName(key)) = told.name.parse::<AccountName>() else {
            debug!("passed over an account of no name");
            return Ok(());
        };
        // One that is not known yet: its snapshot is taken when it is.
        let Some(domain) = self.domain(&key.domain).await? else {
            return Ok(());
        };
        let mut row = store::account(&mut self.tx, &key)
            .await?
            .unwrap_or_else(|| AccountRow::new(key));
        if told.generation <= row.state.generation {
            return Ok(());
        }
        let was_locked = row.state.state.is_some_and(|state| state.locked);
        let is_locked = told.state.is_some_and(|state| state.locked);
        row.state = told;
        let rotated_lately = row.password_generation > 0
            && row
                .known_set
                .is_some_and(|set| self.now.duration_since(set) < AFTERMATH);
        if is_locked && !was_locked && rotated_lately {
            let subject = AccountName(row.key.clone()).to_string();
            let domain = &row.key.domain;
            store::insert_incident(&mut self.tx, domain, Kind::LockedOut, &subject, self.now)
                .await?;
        }
        self.bring_up_to_date(&domain, row).await
    }

    /// Decides anew whether and when an account rotates, and parks or resumes its rotation.
    pub(crate) async fn bring_up_to_date(
        &mut self,
        domain: &DomainRow,
        mut row: AccountRow,
    ) -> Result<(), LedgerError> {
        enrolment::enrol(domain, &mut row, self.now);
        store::put_account(&mut self.tx, &row).await?;
        if !self.touched.contains(&domain.id) {
            self.touched.push(domain.id.clone());
        }
        let Some(id) = row.open_rotation else {
            return Ok(());
        };
        let mut open = self.ledger.load(&mut self.tx, id).await?;
        let stop = enrolment::stop(domain, &row);
        let event = match (stop, open.rotation.parked, open.rotation.state) {
            (Some(stop), parked, _) if parked != Some(stop) => Event::Stop(stop),
            // A person decides what becomes of one that is held.
            (None, Some(_), State::Held(_)) | (Some(_), _, _) | (None, None, _) => return Ok(()),
            (None, Some(_), _) => Event::Resume,
        };
        match self
            .ledger
            .step(&mut self.tx, &mut open, event, self.now)
            .await
        {
            Ok(_) => self.moved.push(open),
            Err(LedgerError::Rejected(error)) => debug!(%error, "left as it is"),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes which accounts are an employee's. `is_whole`: of a snapshot, which is taken whatever was known.
    pub(crate) async fn employee(
        &mut self,
        told: Employee,
        is_whole: bool,
    ) -> Result<(), LedgerError> {
        let Ok(EmployeeName(id)) = told.name.parse::<EmployeeName>() else {
            debug!("passed over an employee of no name");
            return Ok(());
        };
        let is_newer = store::note_employee(&mut self.tx, id, told.generation).await?;
        if !is_newer && !is_whole {
            return Ok(());
        }
        let mut theirs: Vec<AccountKey> = Vec::new();
        for account in told
            .accounts
            .into_iter()
            .filter_map(|account| account.account)
        {
            if let Ok(AccountName(key)) = account.name.parse::<AccountName>() {
                self.account(account).await?;
                theirs.push(key);
            }
        }
        if told.deleted {
            theirs.clear();
        }
        for row in store::accounts_of_employee(&mut self.tx, id).await? {
            if !theirs.contains(&row.key) {
                self.assign(row, None).await?;
                // Whose it is now was told already, and taken for old; or it comes next. Asking costs little.
                store::ask_work(&mut self.tx, EMPLOYEES, "an account lost its employee").await?;
                self.ledger.bells.ring_list();
            }
        }
        for key in theirs {
            if let Some(row) = store::account(&mut self.tx, &key).await?
                && row.employee != Some(id)
            {
                self.assign(row, Some(id)).await?;
            }
        }
        Ok(())
    }

    /// What is on its way to the keys of whom the account was another's goes no further (S8: a link gives no right to
    /// another account's password). Only what may be the password already is still found out and delivered where it went.
    async fn follow(&mut self, account: &AccountRow, employee: Uuid) -> Result<(), LedgerError> {
        if let Some(id) = account.open_rotation {
            let mut open = self.ledger.load(&mut self.tx, id).await?;
            if open.employee == employee {
                return Ok(());
            }
            match open.rotation.state {
                State::Planned => {}
                State::Prepared if open.rotation.is_unused() => {
                    self.ledger
                        .step(&mut self.tx, &mut open, Event::Outdated, self.now)
                        .await?;
                    // Those who were offered it hear that it is taken back.
                    self.moved.push(open.clone());
                }
                State::Prepared
                | State::Sent
                | State::Acked
                | State::Unknown
                | State::Committed
                | State::Confirmed
                | State::Held(_)
                | State::Closed
                | State::Aborted(_) => return Ok(()),
            }
            open.employee = employee;
            store::put_rotation(&mut self.tx, &open).await?;
            self.moved.push(open);
        }
        store::forget_deliveries_to_others(&mut self.tx, &account.key, employee).await?;
        Ok(())
    }

    async fn assign(
        &mut self,
        mut row: AccountRow,
        employee: Option<Uuid>,
    ) -> Result<(), LedgerError> {
        row.employee = employee;
        store::put_account(&mut self.tx, &row).await?;
        if let Some(employee) = employee {
            self.follow(&row, employee).await?;
        }
        if !self.touched.contains(&row.key.domain) {
            self.touched.push(row.key.domain.clone());
        }
        Ok(())
    }
}

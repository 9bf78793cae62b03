//! One transaction's worth of changes to employees.

use api::config::v1::Employee;
use api::convert::time;
use api::event::v1::{EmployeeChanged, event::Payload};
use api::name::EmployeeName;
use jiff::Timestamp;
use runtime::Ids;
use storage::Transaction;
use sync::employee::EmployeeId;

use super::compose::{Composed, compose};
use super::facts::Facts;
use super::party;
use crate::announce::{Subject, announce};
use crate::audit::Record;
use crate::store::{self, AccountRow, EmployeeRow};

/// Changes in hand. They happen when the transaction is committed.
pub(crate) struct Book<'a> {
    pub(super) tx: Transaction,
    pub(super) ids: &'a Ids,
    pub(super) now: Timestamp,
    /// On whose behalf.
    pub(super) actor: String,
    pub(super) facts: Facts,
}

impl<'a> Book<'a> {
    pub(crate) async fn open(
        mut tx: Transaction,
        ids: &'a Ids,
        now: Timestamp,
        actor: impl Into<String>,
    ) -> store::Result<Self> {
        let facts = Facts::of(&store::domains(&mut tx).await?);
        Ok(Self {
            tx,
            ids,
            now,
            actor: actor.into(),
            facts,
        })
    }

    /// For what else belongs into the same transaction.
    pub(crate) fn transaction(&mut self) -> &mut Transaction {
        &mut self.tx
    }

    /// Reads the domains again, after one of them changed in this transaction.
    pub(crate) async fn domains_changed(&mut self) -> store::Result<()> {
        self.facts = Facts::of(&store::domains(&mut self.tx).await?);
        Ok(())
    }

    pub(crate) async fn close(self) -> store::Result<()> {
        Ok(self.tx.commit().await?)
    }

    /// An employee without accounts yet: link one and refresh.
    pub(super) fn new_employee(&self) -> EmployeeId {
        EmployeeId(self.ids.uuid_at(self.now))
    }

    pub(super) async fn put_account(&mut self, row: &AccountRow) -> store::Result<()> {
        let mail = party::mail(row.known.account.mail.as_deref());
        store::put_account(&mut self.tx, row, mail.as_ref().map(sync::Mail::as_str)).await
    }

    /// Makes the record of an employee, before its accounts can refer to it.
    pub(super) async fn insert(&mut self, id: EmployeeId) -> store::Result<()> {
        let row = EmployeeRow {
            id,
            state: Employee::default(),
            generation: 0,
            created: self.now,
            updated: self.now,
            purges: None,
        };
        store::put_employee(&mut self.tx, &row, &Default::default()).await
    }

    /// Recomputes an employee from its accounts, and writes, tells and audits the difference, if there is one.
    pub(crate) async fn refresh(&mut self, id: EmployeeId) -> store::Result<()> {
        let Some(mut row) = store::employee(&mut self.tx, id).await? else {
            return Ok(());
        };
        let accounts = store::accounts_of(&mut self.tx, id).await?;
        let composed = compose(id, &accounts, &self.facts, self.now);
        if accounts.is_empty() || composed.removable {
            return self.delete(row).await;
        }
        let Composed {
            mut employee,
            purges,
            terms,
            ..
        } = composed;
        // What counts changes is not itself a change.
        employee.generation = row.state.generation;
        employee.etag.clone_from(&row.state.etag);
        employee.create_time = row.state.create_time;
        employee.update_time = row.state.update_time;
        if employee == row.state {
            return Ok(());
        }
        let verb = if row.generation == 0 {
            "created"
        } else {
            "updated"
        };
        let fields = changed_fields(&row.state, &employee);
        row.generation += 1;
        row.updated = self.now;
        row.purges = purges;
        employee.generation = row.generation;
        employee.etag = etag(row.generation);
        employee.create_time = Some(time::to_proto(row.created));
        employee.update_time = Some(time::to_proto(row.updated));
        row.state = employee;
        store::put_employee(&mut self.tx, &row, &terms).await?;
        let action = if verb == "created" {
            "employee.create"
        } else {
            "employee.update"
        };
        let record = self.record(action, id).detail("fields", fields.join(","));
        self.tell(verb, row.state, record).await
    }

    /// Deletes an employee for good.
    async fn delete(&mut self, row: EmployeeRow) -> store::Result<()> {
        store::delete_employee(&mut self.tx, row.id).await?;
        if row.generation == 0 {
            // Never told of: nobody needs to hear of its end.
            return Ok(());
        }
        let mut employee = row.state;
        employee.generation = row.generation + 1;
        employee.etag = etag(row.generation + 1);
        employee.active = false;
        employee.deleted = true;
        employee.update_time = Some(time::to_proto(self.now));
        let record = self.record("employee.delete", row.id);
        self.tell("deleted", employee, record).await
    }

    async fn tell(
        &mut self,
        verb: &'static str,
        employee: Employee,
        record: Record,
    ) -> store::Result<()> {
        store::append(&mut self.tx, record).await?;
        let subject = Subject::employee(&employee.name, "employee", verb);
        let payload = Payload::EmployeeChanged(EmployeeChanged {
            employee: Some(employee),
        });
        announce(&mut self.tx, self.ids, self.now, subject, payload).await
    }

    pub(super) fn record(&self, action: &'static str, id: EmployeeId) -> Record {
        Record::done(
            self.now,
            self.actor.as_str(),
            action,
            EmployeeName(id.0).to_string(),
        )
    }
}

pub(super) fn etag(generation: i64) -> String {
    format!("g{generation}")
}

/// Names of the fields that differ. Names only: the values are people's.
fn changed_fields(before: &Employee, after: &Employee) -> Vec<&'static str> {
    let fields: [(&'static str, bool); 11] = [
        ("active", before.active != after.active),
        ("display_name", before.display_name != after.display_name),
        ("given_name", before.given_name != after.given_name),
        ("surname", before.surname != after.surname),
        ("mail", before.mail != after.mail),
        ("phone", before.phone != after.phone),
        ("department", before.department != after.department),
        ("company", before.company != after.company),
        ("title", before.title != after.title),
        ("accounts", before.accounts != after.accounts),
        ("purge_time", before.purge_time != after.purge_time),
    ];
    fields
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}

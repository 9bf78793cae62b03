//! Employees and the links between their accounts (S8).
//!
//! Everything is a function of what is stored: an account as its connector told of it, the domains' settings, and what
//! people linked and took apart. A change of any of them ends in [`Book::refresh`], which writes, tells and audits what
//! became of the employee, and does nothing where nothing became of it.

mod apply;
mod book;
mod compose;
mod facts;
mod heard;
mod link;
mod party;
mod propose;
mod read;

use std::sync::Arc;

use api::config::v1::Employee;
use tokio::sync::broadcast;

pub(crate) use apply::{Applied, ApplyError};
pub(crate) use book::Book;
pub(crate) use heard::EmployeeEvents;
pub(crate) use link::LinkError;
pub(crate) use read::{Employees, ReadError, account_key, employee_id, proposal_id};

/// A watcher that falls this far behind takes a snapshot.
const BEHIND: usize = 1024;

/// Who watches employees through this process. They are told what the bus tells, so that it is the same whichever replica
/// changed an employee.
#[derive(Clone, Debug)]
pub(crate) struct Watchers(broadcast::Sender<Told>);

/// What watchers are told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Changed(Arc<Employee>),
    /// Changes were missed.
    Gap,
}

impl Default for Watchers {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Watchers {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Told> {
        self.0.subscribe()
    }

    /// Nobody watching is no error.
    fn tell(&self, told: Told) {
        drop(self.0.send(told));
    }
}

//! Employees and the links between their accounts (S8).
//!
//! Everything is a function of what is stored: an account as its connector told of it, the domains' settings, and what
//! people linked and took apart. A change of any of them ends in [`Book::refresh`], which writes, tells and audits what
//! became of the employee, and does nothing where nothing became of it.

mod apply;
mod book;
mod compose;
mod facts;
mod link;
mod party;
mod propose;
mod read;

use std::sync::Arc;

use api::config::v1::Employee;
use tokio::sync::broadcast;

pub(crate) use apply::{Applied, ApplyError};
pub(crate) use book::Book;
pub(crate) use link::LinkError;
pub(crate) use read::{Employees, ReadError, account_key, employee_id, proposal_id};

/// Tells those who watch, after the commit. A watcher that falls this far behind takes a snapshot.
const BEHIND: usize = 1024;

/// Where changed employees are announced to watchers of this process.
#[derive(Clone, Debug)]
pub(crate) struct Watchers(broadcast::Sender<Arc<Employee>>);

impl Default for Watchers {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Watchers {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Employee>> {
        self.0.subscribe()
    }

    /// Nobody watching is no error.
    pub(crate) fn tell(&self, changed: Vec<Employee>) {
        for employee in changed {
            drop(self.0.send(Arc::new(employee)));
        }
    }
}

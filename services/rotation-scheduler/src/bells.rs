//! Who looks again when something was committed: the worker of a domain, the streams of an employee's targets, and
//! whoever keeps the list of domains. A bell says nothing but "look": what is to be seen is in the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use directory::DomainId;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub(crate) struct Bells(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    domains: Mutex<HashMap<DomainId, Arc<Notify>>>,
    employees: Mutex<HashMap<Uuid, watch::Sender<()>>>,
    list: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing within can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bells {
    /// The bell of a domain's worker.
    pub(crate) fn domain(&self, domain: &DomainId) -> Arc<Notify> {
        Arc::clone(locked(&self.0.domains).entry(domain.clone()).or_default())
    }

    pub(crate) fn ring_domain(&self, domain: &DomainId) {
        self.domain(domain).notify_one();
    }

    /// The same, by a domain's id as an event tells it.
    pub(crate) fn ring_domain_named(&self, domain: &str) {
        if let Ok(domain) = domain.parse() {
            self.ring_domain(&domain);
        }
    }

    pub(crate) fn ring_all_domains(&self) {
        for bell in locked(&self.0.domains).values() {
            bell.notify_one();
        }
    }

    /// Hears of an employee's targets from now on.
    pub(crate) fn listen(&self, employee: Uuid) -> watch::Receiver<()> {
        let mut employees = locked(&self.0.employees);
        // Those that nobody listens to any more.
        employees.retain(|_, bell| bell.receiver_count() > 0);
        employees
            .entry(employee)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe()
    }

    pub(crate) fn ring_employee(&self, employee: Uuid) {
        if let Some(bell) = locked(&self.0.employees).get(&employee) {
            bell.send_replace(());
        }
    }

    /// The bell of whoever keeps the list of domains and the snapshots.
    pub(crate) fn list(&self) -> &Notify {
        &self.0.list
    }

    pub(crate) fn ring_list(&self) {
        self.0.list.notify_one();
    }
}

//! Fakes of the two ports. They keep state, so a test asserts on what is known afterwards and not on calls; and they
//! fail at the step a test names, before or after the step took effect.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

use directory::{Account, AccountState, Kind, ObjectId};
use uuid::Uuid;

use crate::SourceError;

mod source;
mod store;

pub use source::FakeSource;
pub use store::{FakeRun, FakeStore, Told};

/// What a fake says when it was told to fail, or was asked for what it must refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FakeError {
    #[error("told to fail at this step")]
    Injected { transient: bool },
    #[error("the run does not exist")]
    NoSuchRun,
    #[error("the run's state does not lead there")]
    WrongState,
}

impl SourceError for FakeError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Injected { transient: true })
    }
}

/// When the fakes that share it fail: at one step, counted over all of them.
#[derive(Clone, Debug)]
pub struct Faults {
    steps_left: Arc<AtomicI64>,
    /// Whether the step took effect before it failed, as a commit does whose answer is lost.
    after: bool,
    transient: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self::never()
    }
}

impl Faults {
    pub fn never() -> Self {
        Self {
            steps_left: Arc::new(AtomicI64::new(i64::MAX)),
            after: false,
            transient: false,
        }
    }

    /// The `n`-th step (from 0) fails and does nothing.
    pub fn before_step(n: i64) -> Self {
        let never = Self::never();
        never.steps_left.store(n, Ordering::Relaxed);
        never
    }

    /// The `n`-th step (from 0) does its work and fails.
    pub fn after_step(n: i64) -> Self {
        Self {
            after: true,
            ..Self::before_step(n)
        }
    }

    /// The failure says that trying again may help.
    pub fn transient(self) -> Self {
        Self {
            transient: true,
            ..self
        }
    }

    /// Whether the fault has happened.
    pub fn happened(&self) -> bool {
        self.steps_left.load(Ordering::Relaxed) < 0
    }

    /// Does one step, or fails before or after it.
    pub(crate) fn step<V>(
        &self,
        work: impl FnOnce() -> Result<V, FakeError>,
    ) -> Result<V, FakeError> {
        let failure = Err(FakeError::Injected {
            transient: self.transient,
        });
        let fails = self.steps_left.fetch_sub(1, Ordering::Relaxed) == 0;
        if fails && !self.after {
            return failure;
        }
        let done = work();
        if fails { failure } else { done }
    }
}

/// The object with this number. `number` must not be 0.
pub fn object(number: u128) -> ObjectId {
    ObjectId::from_uuid(Uuid::from_u128(number.max(1))).unwrap_or_else(|_| object(number + 1))
}

/// An ordinary, enabled account.
pub fn account(id: ObjectId, logon_name: &str) -> Account {
    Account {
        id,
        sid: None,
        kind: Kind::Member,
        logon_name: logon_name.to_owned(),
        dn: format!("CN={logon_name},CN=Users,DC=example,DC=com"),
        user_principal_name: Some(format!("{logon_name}@example.com")),
        display_name: Some(logon_name.to_owned()),
        given_name: None,
        surname: None,
        mail: Some(format!("{logon_name}@example.com")),
        phone: None,
        department: None,
        company: None,
        title: None,
        state: AccountState::enabled(),
        password_last_set: None,
        expires: None,
        unreadable: Vec::new(),
    }
}

/// Runs a future over the fakes, which never wait.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

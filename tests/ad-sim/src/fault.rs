//! Things that go wrong on purpose: each once, where and when the script says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::wire::message::Request;

/// What a fault waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    pub operation: Operation,
    /// How many such requests pass before it.
    pub after: u32,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Bind,
    Search,
    Modify,
    Any,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends without an answer; nothing is done.
    Drop,
    /// All is done, and the connection ends before it is told.
    DropAfter,
    /// A search gives this many entries, and the connection ends.
    CutAfter(usize),
    /// This code, as a busy or failing domain controller gives it; nothing is done.
    Refuse(u8),
    /// This code after this many entries of a search: what was seen is not all.
    RefuseAfter(usize, u8),
    /// What comes is no LDAP.
    Garble,
    /// The answer comes late.
    Delay(Duration),
}

/// What is to go wrong, in the order in which it was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Arc<Mutex<Vec<(When, Fault)>>>);

impl Script {
    pub(crate) fn add(&self, when: When, fault: Fault) {
        self.lock().push((when, fault));
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// What goes wrong with this request, if anything does.
    pub(crate) fn strikes(&self, request: &Request) -> Option<Fault> {
        let mut script = self.lock();
        let place = script
            .iter()
            .position(|(when, _)| when.operation.is(request))?;
        let (when, _) = script.get_mut(place)?;
        if when.after > 0 {
            when.after -= 1;
            return None;
        }
        Some(script.remove(place).1)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(When, Fault)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operation {
    fn is(self, request: &Request) -> bool {
        match self {
            Self::Bind => matches!(request, Request::Bind { .. }),
            Self::Search => matches!(request, Request::Search(_)),
            Self::Modify => matches!(request, Request::Modify { .. }),
            Self::Any => !matches!(request, Request::Unbind | Request::Abandon),
        }
    }
}

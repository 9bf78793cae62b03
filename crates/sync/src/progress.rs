//! Telling how far a run is.

use std::fmt;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    Identify,
    ResolveGroups,
    Read,
    Expand,
    Plan,
    Apply,
}

impl fmt::Display for Phase {
    /// Completes "failed to …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identify => "identify the directory",
            Self::ResolveGroups => "find the groups",
            Self::Read => "read the directory",
            Self::Expand => "expand the groups' members",
            Self::Plan => "plan the changes",
            Self::Apply => "apply the changes",
        })
    }
}

/// How much a run has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub pages: u64,
    pub accounts: u64,
    pub groups: u64,
    pub edges: u64,
    /// Objects compared.
    pub compared: u64,
    /// Changes planned.
    pub planned: u64,
    /// Changes applied.
    pub applied: u64,
    pub issues: u64,
}

/// Whoever wants to know. Called often: it must be quick, and must not fail.
pub trait Progress: Send + Sync {
    fn report(&self, phase: Phase, tally: &Tally);
}

/// Nobody wants to know.
impl Progress for () {
    fn report(&self, _: Phase, _: &Tally) {}
}

impl<F: Fn(Phase, &Tally) + Send + Sync> Progress for F {
    fn report(&self, phase: Phase, tally: &Tally) {
        self(phase, tally);
    }
}

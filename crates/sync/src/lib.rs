#![doc = include_str!("../README.md")]

mod change;
mod counts;
mod diff;
pub mod employee;
pub mod guard;
mod issue;
mod known;
pub mod links;
mod mail;
mod plan;
mod progress;
pub mod run;
mod source;
mod state;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use change::{Cause, Change, ChangeKind, Field, FieldChange, Standing};
pub use counts::{Class, Counts, GroupRole};
pub use diff::diff;
pub use guard::{Limits, Verdict, guard};
pub use issue::{Issue, IssueCode};
pub use known::{Known, Membership, Seen, Sighting, merge};
pub use mail::{Mail, MailError};
pub use plan::{Item, ItemKey};
pub use progress::{Phase, Progress, Tally};
pub use run::{Error, Refusal, Settings, execute};
pub use source::{
    Completion, GroupRef, Identity, Page, Read, Reading, Resolved, Source, SourceError, Whereabouts,
};
pub use state::{RunEvent, RunId, RunState};
pub use store::{
    Advance, Base, Batch, Expansion, FailureCode, GroupPin, HeldGroups, Keep, Pins, Record, Roots,
    Row, Store,
};

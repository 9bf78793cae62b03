#![doc = include_str!("../README.md")]

pub mod admission;
pub mod breaker;
pub mod calendar;
pub mod machine;
pub mod password;
pub mod schedule;

pub use admission::{Admission, Limits};
pub use breaker::{Breach, Tally};
pub use calendar::{Calendar, Opening};
pub use machine::{
    AbortReason, Answer, Change, Effect, Event, HeldReason, Match, Refusal, Rejected, Rotation,
    Rules, State, Stop, Todo, Trial,
};
pub use password::{Entropy, Requirements, Unattainable, generate};
pub use schedule::Schedule;

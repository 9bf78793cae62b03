//! A row of the table.

use std::fmt;
use std::time::Duration;

pub(crate) const HEADER: &str = "\
| work | floor | floor took | ours took | ratio | target | memory |
|---|---|---|---|---|---|---|";

/// What was measured, beside the least that could do it.
pub(crate) struct Row {
    pub(crate) work: &'static str,
    pub(crate) floor: &'static str,
    /// Nothing where only memory counts.
    pub(crate) times: Option<Times>,
    pub(crate) memory: Option<Memory>,
}

pub(crate) struct Times {
    pub(crate) floor: Duration,
    pub(crate) ours: Duration,
    /// The highest ratio that is fine.
    pub(crate) target: f64,
}

pub(crate) struct Memory {
    /// In MiB.
    pub(crate) took: f64,
    /// In MiB: the most that is fine; nothing where it is only told.
    pub(crate) target: Option<f64>,
    /// Of what.
    pub(crate) what: &'static str,
}

impl Times {
    fn ratio(&self) -> f64 {
        self.ours.as_secs_f64() / self.floor.as_secs_f64()
    }
}

impl Row {
    pub(crate) fn is_met(&self) -> bool {
        let in_time = self
            .times
            .as_ref()
            .is_none_or(|times| times.ratio() <= times.target);
        let in_room = self
            .memory
            .as_ref()
            .is_none_or(|memory| memory.target.is_none_or(|target| memory.took <= target));
        in_time && in_room
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} | {} |", self.work, self.floor)?;
        match &self.times {
            Some(times) => write!(
                f,
                " {:.2?} | {:.2?} | {:.2} | ≤ {:.1} |",
                times.floor,
                times.ours,
                times.ratio(),
                times.target
            )?,
            None => f.write_str(" – | – | – | – |")?,
        }
        match &self.memory {
            Some(memory) => {
                write!(f, " {:.1} MiB {}", memory.took, memory.what)?;
                if let Some(target) = memory.target {
                    write!(f, " (≤ {target:.0})")?;
                }
                f.write_str(" |")
            }
            None => f.write_str(" – |"),
        }
    }
}

/// The middle one.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

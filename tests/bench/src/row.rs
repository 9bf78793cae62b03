//! A row of the table.

use std::fmt;
use std::time::Duration;

pub(crate) const HEADER: &str = "\
| work | floor | floor p50 | ours p50 | ratio | target |
|---|---|---|---|---|---|";

/// What was measured, beside the least that could do it.
pub(crate) struct Row {
    pub(crate) work: &'static str,
    pub(crate) floor: &'static str,
    pub(crate) floor_took: Duration,
    pub(crate) ours_took: Duration,
    pub(crate) target: f64,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours_took.as_secs_f64() / self.floor_took.as_secs_f64()
    }

    pub(crate) fn is_met(&self) -> bool {
        self.ratio() <= self.target
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {:.2?} | {:.2?} | {:.2} | ≤ {:.1} |",
            self.work,
            self.floor,
            self.floor_took,
            self.ours_took,
            self.ratio(),
            self.target
        )
    }
}

/// The middle one.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

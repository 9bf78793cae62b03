//! Sums of what test executables report.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Totals {
    /// Reads every `test result:` line. None: there was no such line, so the executable didn't finish.
    pub(crate) fn read(output: &str) -> Option<Self> {
        let mut totals = None;
        for line in output.lines() {
            let Some((_, counts)) = line.split_once("test result: ") else {
                continue;
            };
            let count = |what: &str| {
                counts
                    .split([';', '.'])
                    .find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
            };
            *totals.get_or_insert_with(Self::default) += Self {
                passed: count("passed")?,
                failed: count("failed")?,
                skipped: count("ignored")?,
            };
        }
        totals
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed() {
        let output = "running 3 tests\n\
             test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s\n\n\
             test result: FAILED. 40 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";

        let totals = Totals::read(output).unwrap();

        assert_eq!(totals.to_string(), "42 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn an_executable_that_died_reports_nothing() {
        assert_eq!(Totals::read("running 3 tests\ntest a ... "), None);
    }
}

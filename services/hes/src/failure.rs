//! What went wrong, for the person who typed the command: what was tried, why it failed, what to do next.

mod status;
#[cfg(test)]
mod tests;

use std::error::Error;

use crate::output::{Screen, Tone, printable};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    Held = 3,
}

/// A command that did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    tried: String,
    why: Vec<String>,
    next: Vec<String>,
    pub(crate) exit: Exit,
}

impl Failure {
    /// What was tried, such as ``could not delete domain `corp` ``.
    pub(crate) fn new(tried: impl Into<String>) -> Self {
        Self {
            tried: tried.into(),
            why: Vec::new(),
            next: Vec::new(),
            exit: Exit::Failed,
        }
    }

    /// The command line itself is wrong.
    pub(crate) fn usage(tried: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::new(tried)
        }
    }

    /// Held for a person to decide.
    pub(crate) fn held(tried: impl Into<String>) -> Self {
        Self {
            exit: Exit::Held,
            ..Self::new(tried)
        }
    }

    #[must_use]
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// The error and all it stems from, each on a line.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.why.push(error.to_string());
            cause = error.source();
        }
        self
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }

    pub(crate) fn render(&self, screen: &Screen) -> String {
        let mut text = format!(
            "{} {}",
            screen.paint(Tone::Bad, "error:"),
            printable(&self.tried)
        );
        let mut said: Vec<&str> = Vec::new();
        for why in &self.why {
            // Libraries like to repeat their cause's message in their own.
            if !said.iter().any(|earlier| earlier.contains(why.as_str())) {
                text.push_str(&format!("\n  {}", indented(why)));
                said.push(why);
            }
        }
        for next in &self.next {
            text.push_str(&format!(
                "\n{} {}",
                screen.paint(Tone::Strong, "next:"),
                indented(next)
            ));
        }
        text
    }
}

fn indented(text: &str) -> String {
    printable(text.trim_end()).replace('\n', "\n  ")
}

//! How far long work has come: a bar on a terminal, plain lines otherwise; always on standard error.

use std::{borrow::Cow, io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{note, printable};

const TICK: Duration = Duration::from_millis(120);
const ASCII_TICKS: &str = "|/-\\ ";

/// One piece of long work. Cleared from the terminal when dropped.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    said: String,
}

impl Progress {
    pub(crate) fn start() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(spinner());
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            bar,
            said: String::new(),
        }
    }

    /// What is going on. Off a terminal, a line when `step` is another than before; `detail` is for the terminal, where
    /// it moves.
    pub(crate) fn say(&mut self, step: &str, detail: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(join(step, detail)),
            None if self.said != step => note(&printable(step)),
            None => {}
        }
        step.clone_into(&mut self.said);
    }

    /// How much of it is done, where that is known.
    pub(crate) fn position(&mut self, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            if bar.length() != Some(of) {
                bar.set_length(of);
                bar.set_style(bar_style());
            }
            bar.set_position(done);
        }
    }

    /// Runs `print` without the bar in its way.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn join(step: &str, detail: &str) -> Cow<'static, str> {
    match detail {
        "" => printable(step).into(),
        detail => printable(&format!("{step}: {detail}")).into(),
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::default_spinner().tick_chars(ASCII_TICKS)
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} [{bar:30}] {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .tick_chars(ASCII_TICKS)
        .progress_chars("=> ")
}

use std::{env, io::IsTerminal};

use console::Term;
use jiff::Timestamp;

/// Of a terminal that doesn't tell.
const USUAL_WIDTH: u16 = 80;

/// Where people read: how wide it is, what it can show, and what time it is there.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    /// Characters a line; `None` when the reader is a program, for which nothing is wrapped.
    pub(crate) width: Option<u16>,
    pub(crate) colours: bool,
    /// Whether marks beyond ASCII can be shown.
    pub(crate) unicode: bool,
    pub(crate) now: Timestamp,
}

impl Screen {
    /// Standard output of this process.
    pub(crate) fn of_this_process(now: Timestamp) -> Self {
        let term = Term::stdout();
        let is_terminal = std::io::stdout().is_terminal();
        Self {
            width: is_terminal.then(|| {
                term.size_checked()
                    .map_or(USUAL_WIDTH, |(_, columns)| columns)
            }),
            colours: is_terminal && colours_wanted(),
            unicode: is_unicode(&locale()),
            now,
        }
    }

    /// The same place, for what is written to standard error.
    pub(crate) fn for_stderr(&self) -> Self {
        Self {
            colours: std::io::stderr().is_terminal() && colours_wanted(),
            ..self.clone()
        }
    }

    /// Paints `text` where colours are shown.
    pub(crate) fn paint(&self, tone: super::Tone, text: &str) -> String {
        match tone.sequence() {
            Some(sequence) if self.colours => format!("\u{1b}[{sequence}m{text}\u{1b}[0m"),
            Some(_) | None => text.to_owned(),
        }
    }
}

/// `NO_COLOR` set to anything but nothing turns colours off (no-color.org), as does a terminal that can't show them.
fn colours_wanted() -> bool {
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    !plain && !dumb
}

fn locale() -> String {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

fn is_unicode(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

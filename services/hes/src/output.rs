//! What a command prints: its result, on standard output, in the form asked for. The one place that writes there.
//!
//! Everything else, such as errors, progress and hints, goes to standard error, so that a result can be piped.

mod screen;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod words;

use std::io::{self, Write};

use prost::{Message, Name};
use serde_json::Value;

pub(crate) use screen::Screen;
pub(crate) use table::{Cell, Record, Table, Tone};
pub(crate) use words::{ago, count, date_time, from_now, last_part, printable, span, word};

use crate::failure::Failure;

/// The form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    // For people: fitted to the terminal, times relative to now.
    #[default]
    Table,
    // The proto3 JSON mapping of the message; a list is an array.
    Json,
    // The same value.
    Yaml,
}

/// Prints results in one form.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    format: Format,
    screen: Screen,
}

impl Output {
    pub(crate) fn new(format: Format, screen: Screen) -> Self {
        Self { format, screen }
    }

    pub(crate) fn screen(&self) -> &Screen {
        &self.screen
    }

    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// One message; `people` says it in words.
    pub(crate) fn message<M: Message + Name>(
        &self,
        message: &M,
        people: impl FnOnce(&Screen) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => print(&people(&self.screen)),
            Format::Json | Format::Yaml => self.write(&value(message)?),
        }
    }

    /// A list of messages.
    pub(crate) fn list<M: Message + Name>(
        &self,
        messages: &[M],
        people: impl FnOnce(&Screen) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => print(&people(&self.screen)),
            Format::Json | Format::Yaml => self.write(&Value::Array(
                messages.iter().map(value).collect::<Result<_, _>>()?,
            )),
        }
    }

    /// What is no single message.
    pub(crate) fn value(
        &self,
        value: &Value,
        people: impl FnOnce(&Screen) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => print(&people(&self.screen)),
            Format::Json | Format::Yaml => self.write(value),
        }
    }

    fn write(&self, value: &Value) -> Result<(), Failure> {
        let text = match self.format {
            Format::Yaml => yaml_serde::to_string(value).map_err(|error| error.to_string()),
            Format::Json | Format::Table => {
                serde_json::to_string_pretty(value).map_err(|error| error.to_string())
            }
        };
        print(&text.map_err(|why| Failure::new("could not write the result").because(why))?)
    }
}

/// The JSON form of a message.
pub(crate) fn value<M: Message + Name>(message: &M) -> Result<Value, Failure> {
    api::json::to_value(message)
        .map_err(|error| Failure::new("could not write the result").caused_by(&error))
}

/// Writes `text` to standard output, on lines of its own, at once.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        // The reader, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new("could not write to standard output").caused_by(&error)),
        Ok(()) => Ok(()),
    }
}

/// Writes a line for people to standard error. Nobody there to read it is no error.
pub(crate) fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

//! Asks before what can't be undone.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use crate::failure::Failure;

/// The flag of verbs that destroy.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Confirm {
    /// Don't ask; required when there is no terminal to ask on
    #[arg(short, long)]
    yes: bool,
}

impl Confirm {
    /// Goes on only if `--yes` was given, or a person at a terminal says so.
    pub(crate) fn ask(self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(
                Failure::usage(format!("not done without a confirmation: {question}"))
                    .because("there is no terminal to ask on")
                    .next("give --yes if that is what you want"),
            );
        }
        let answer = read_answer(question)
            .map_err(|error| Failure::new("could not ask for a confirmation").caused_by(&error))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("not done: not confirmed")),
        }
    }
}

fn read_answer(question: &str) -> io::Result<String> {
    let mut err = io::stderr().lock();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}

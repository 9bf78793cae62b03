#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, reason = "a command line's answers")]

mod bench;
mod buf;
mod check;
mod compile;
mod generate;
mod imports;
mod packages;
mod python;
mod run;
mod test;
mod totals;

use std::process::ExitCode;

use clap::Parser;

/// The developer's commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Install what the tests need, build everything, run every test.
    Test(test::Arguments),
    /// Format, lints, import rules, generated code, protobuf rules.
    Check,
    /// Measure, in a release build, the rows of the README's table of speed.
    Bench,
    /// Generate Rust from the protobuf files.
    Gen(generate::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Test(arguments) => test::run(&arguments),
        Command::Check => check::run(),
        Command::Bench => bench::run(),
        Command::Gen(arguments) => generate::run(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

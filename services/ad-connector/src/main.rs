//! `ad-connector`, the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    program::main::<ad_connector::Program>()
}

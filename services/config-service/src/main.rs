//! `config-service`, the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    program::main::<config_service::Program>()
}

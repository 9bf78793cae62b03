//! `rotation-scheduler`, the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    program::main::<rotation_scheduler::Program>()
}

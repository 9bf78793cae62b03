#![doc = include_str!("../README.md")]

mod agent;
mod cli;
mod confirm;
mod demo;
mod failure;
mod input;
mod output;
mod progress;
mod remote;
mod up;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    heap::give_back_what_is_free();
    cli::run(cli::Cli::parse())
}

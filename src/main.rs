//! The `leaver` command.

use std::process::ExitCode;

use clap::Parser;
use leaver::cli::{self, Cli};
use leaver::config::Environment;

fn main() -> ExitCode {
    allocator::limit_freed_memory();
    cli::run(Cli::parse(), &Environment::of_process())
}

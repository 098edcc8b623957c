//! The `leaver` command.

use std::process::ExitCode;

use leaver::cli;
use leaver::config::Environment;

fn main() -> ExitCode {
    allocator::limit_freed_memory();
    cli::main(&Environment::of_process())
}

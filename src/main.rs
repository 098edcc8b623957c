//! The `leaver` command.

use std::process::ExitCode;

use leaver::cli;
use leaver::config::Environment;

fn main() -> ExitCode {
    cli::main(&Environment::of_process())
}

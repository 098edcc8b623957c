//! `leaver config defaults`.

use std::process::ExitCode;

use clap::Args;

use super::super::output;
use crate::config::DEFAULTS;

/// Print the reference of all settings with their defaults, as a configuration file
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver config defaults > leaver.toml")]
pub(super) struct Defaults {}

impl Defaults {
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "commands have one shape"
    )]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        output::verbatim(DEFAULTS.trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

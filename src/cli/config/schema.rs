//! `leaver config schema`.

use std::process::ExitCode;

use clap::Args;

use super::super::output;
use crate::config;

/// Print a JSON Schema of the configuration file, for editors and taplo
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver config schema > leaver.schema.json\n\nWith `#:schema ./leaver.schema.json` as the first line of leaver.toml, editors with taplo complete and check it."
)]
pub(super) struct Schema {}

impl Schema {
    #[expect(clippy::unused_self, reason = "commands have one shape")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        output::verbatim(&serde_json::to_string_pretty(&config::schema())?);
        Ok(ExitCode::SUCCESS)
    }
}

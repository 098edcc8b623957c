//! `leaver config`.

mod defaults;
mod env;
mod schema;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config::Environment;

/// Show the settings, their defaults, schema and variables
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver config show --config leaver.toml\n  leaver config defaults > leaver.toml\n  leaver config schema > leaver.schema.json\n  leaver config env"
)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    command: ConfigSubcommand,
}

#[derive(Debug, Subcommand)]
enum ConfigSubcommand {
    Show(show::Show),
    Defaults(defaults::Defaults),
    Schema(schema::Schema),
    Env(env::Env),
}

impl ConfigCommand {
    pub(super) fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            ConfigSubcommand::Show(command) => command.run(env),
            ConfigSubcommand::Defaults(command) => command.run(),
            ConfigSubcommand::Schema(command) => command.run(),
            ConfigSubcommand::Env(command) => command.run(env),
        }
    }
}

//! `leaver config show`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::super::output::{Listing, Table, TableColumns};
use super::super::{Config, exit_code, output};
use crate::config::{Environment, Origin, SecretScope, SecretState, Settings, Shown, ShownSetting};

/// Show the settings in effect and where each comes from; secrets are not read
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver config show --config leaver.toml\n  leaver config show --changed --json\n\nExit code 1: a value is not valid"
)]
pub(super) struct Show {
    #[command(flatten)]
    config: Config,
    /// Only settings that the file or a variable sets
    #[arg(long)]
    changed: bool,
    #[command(flatten)]
    listing: Listing<Columns>,
}

/// Columns of the settings.
#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[("setting", 0), ("value", 0), ("from", 1)];
}

impl Show {
    pub(super) fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let file = self.config.config.as_deref();
        let mut settings = Shown::load(file, env)?.settings();
        if self.changed {
            settings.retain(|setting| !matches!(setting.origin, Origin::Default));
        }
        if self.listing.json {
            output::json(&settings)?;
        } else if settings.is_empty() {
            Table::of(&self.listing).print_empty("every setting has its default");
        } else {
            let mut table = Table::of(&self.listing);
            for setting in &settings {
                table.add_row([setting.key.clone(), value(setting), origin(&setting.origin)]);
            }
            table.print();
        }
        let problem = Settings::read(file, env, &SecretScope::none()).err();
        if let Some(problem) = &problem {
            output::problem(&format!("leaver: {problem}"));
        }
        Ok(exit_code(problem.is_none()))
    }
}

fn value(setting: &ShownSetting) -> String {
    let text = match &setting.value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match setting.secret {
        None => text,
        Some(SecretState::Set) => format!("{text} (set)"),
        Some(SecretState::Missing) => format!("{text} (not set)"),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::File { path, line } => format!("{path}:{line}"),
        Origin::Variable { name } => name.clone(),
    }
}

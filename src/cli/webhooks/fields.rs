//! `leaver webhooks fields`.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::super::{Format, output};
use super::{WebhooksTarget, at};
use crate::config::Environment;
use crate::connect::MONITORED_FIELDS;

/// List the fields that can trigger a webhook, and those that Leaver needs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver webhooks fields\n  leaver webhooks fields --json")]
pub(super) struct Fields {
    #[command(flatten)]
    target: WebhooksTarget,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct FieldRow {
    id: String,
    name: String,
    alias: Option<String>,
    needed: bool,
}

impl Fields {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (source, api) = self.target.source(env)?;
        let fields: Vec<FieldRow> = api
            .monitor_fields()
            .await
            .map_err(at(&source))?
            .into_iter()
            .map(|field| FieldRow {
                needed: MONITORED_FIELDS
                    .iter()
                    .any(|name| field.alias.as_deref() == Some(name)),
                id: field.id,
                name: field.name,
                alias: field.alias,
            })
            .collect();
        if self.format.json {
            output::json(&fields)?;
        } else {
            print(&fields);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(fields: &[FieldRow]) {
    let mut table = output::Table::new(&["field", "alias", "name", "needed"]);
    for field in fields {
        table.add_row([
            field.id.as_str(),
            field.alias.as_deref().unwrap_or("-"),
            &field.name,
            output::yes_or_no(field.needed),
        ]);
    }
    output::line!("{table}");
    let missing: Vec<&str> = MONITORED_FIELDS
        .into_iter()
        .filter(|name| fields.iter().all(|f| f.alias.as_deref() != Some(*name)))
        .collect();
    if !missing.is_empty() {
        output::note(&format!(
            "needed but missing: {}; give the BambooHR user who owns `api.api_key` access to them",
            missing.join(", ")
        ));
    }
}

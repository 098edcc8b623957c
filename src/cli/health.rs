//! `leaver health`, which is also the container's health check.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use super::output::{Listing, Table, TableColumns};
use super::{Config, exit_code, output};
use crate::config::{Environment, SecretScope};
use crate::connect::client;

/// Print the health of a running service
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver health\n  leaver health --url http://10.0.0.5:8081\n\nExit code 1: the service cannot take deliveries; exit code 3: no response"
)]
pub(super) struct HealthCheck {
    #[command(flatten)]
    config: Config,
    /// Address of the service; default: its admin listener on this machine
    #[arg(long, value_parser = client::parse_url)]
    url: Option<String>,
    #[command(flatten)]
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[("item", 0), ("value", 0), ("command", 1)];
}

impl HealthCheck {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let base = if let Some(url) = self.url {
            url.trim_end_matches('/').to_owned()
        } else {
            let server = self.config.read(env, &SecretScope::none())?.server;
            client::local_url(server.admin_listen.unwrap_or(server.listen))
        };
        let answer = client::for_url(&base, Duration::from_secs(5))?
            .get(format!("{base}/health"))
            .send()
            .await
            .map_err(|error| {
                let cause = output::request_error(error);
                anyhow!("no response from {base}/health: {cause}; start `leaver serve`, or name its address with --url")
            })?;
        let good = answer.status().is_success();
        let health: serde_json::Value = answer
            .json()
            .await
            .map_err(output::request_error)
            .with_context(|| format!("{base}/health is not a Leaver service"))?;
        if self.listing.json {
            output::json(&health)?;
        } else if !output::is_terminal() || self.listing.is_given() {
            rows(&health, Table::of(&self.listing)).print();
        } else {
            print(&health);
        }
        Ok(exit_code(good))
    }
}

/// Prints the status, each reason with the command that helps, and the numbers.
fn print(health: &serde_json::Value) {
    let value = |pointer: &str| output::text(health.pointer(pointer).map_or("-".to_owned(), word));
    output::line!(
        "{} (leaver {}), mode {}",
        value("/status"),
        value("/version"),
        value("/mode")
    );
    let reasons = health.get("reasons").and_then(serde_json::Value::as_array);
    for reason in reasons.into_iter().flatten() {
        let part = |name: &str| output::text(reason.get(name).map_or("-".to_owned(), word));
        output::line!("{}:", part("code"));
        output::verbatim(&output::indented(4, &part("text")));
        output::verbatim(&format!("    run: {}", part("command")));
    }
    output::line!(
        "database {}, storing {}, schema {}, worker {}",
        value("/database"),
        value("/storing"),
        value("/schema"),
        value("/worker")
    );
    let oldest = match value("/backlog/oldest_seconds").as_str() {
        "0" | "-" => String::new(),
        seconds => format!(", oldest {seconds} s"),
    };
    output::line!(
        "deliveries: {} pending{oldest}, {} failed",
        value("/backlog/pending"),
        value("/backlog/failed")
    );
    output::line!(
        "scheduled ends: {}, next {}",
        value("/schedule/pending"),
        value("/schedule/next_at")
    );
    output::line!(
        "open holds: {}; blocked: {}; leavers without an account: {}; pending reads: {}",
        value("/holds"),
        value("/blocked"),
        value("/without_account"),
        value("/pending_reads"),
    );
}

/// Adds one row for each value, and one for each reason with the command that helps.
fn rows(health: &serde_json::Value, mut table: Table) -> Table {
    for (item, value) in health.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::Array(_) => {}
            serde_json::Value::Object(values) => {
                for (part, value) in values {
                    table.add_row([format!("{item}.{part}"), word(value), "-".to_owned()]);
                }
            }
            value => table.add_row([item.clone(), word(value), "-".to_owned()]),
        }
    }
    let reasons = health.get("reasons").and_then(serde_json::Value::as_array);
    for reason in reasons.into_iter().flatten() {
        let part = |name: &str| reason.get(name).map_or_else(|| "-".to_owned(), word);
        let value = format!("{}: {}", part("code"), part("text"));
        table.add_row(["reason".to_owned(), value, part("command")]);
    }
    table
}

fn word(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

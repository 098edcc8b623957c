//! `leaver health`, which is also the container's health check.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use super::{Config, Format, exit_code, output};
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
    format: Format,
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
        if self.format.json {
            output::json(&health)?;
        } else {
            let word = |pointer: &str| match health.pointer(pointer) {
                Some(serde_json::Value::String(text)) => output::text(text),
                Some(serde_json::Value::Null) | None => "-".to_owned(),
                Some(other) => output::text(other),
            };
            output::line!(
                "{} (leaver {}), mode {}",
                word("/status"),
                word("/version"),
                word("/mode")
            );
            let reasons = health.get("reasons").and_then(serde_json::Value::as_array);
            for reason in reasons.into_iter().flatten() {
                let part = |name: &str| {
                    output::text(reason.get(name).and_then(|v| v.as_str()).unwrap_or("-"))
                };
                output::line!("  {}: {}", part("code"), part("text"));
                output::line!("    run: {}", part("command"));
            }
            output::line!(
                "database {}, storing {}, schema {}, worker {}",
                word("/database"),
                word("/storing"),
                word("/schema"),
                word("/worker")
            );
            output::line!(
                "backlog: {} pending, oldest {} s, {} failed; schedule: {} pending, next {}; open holds: {}; blocked: {}; without account: {}; pending reads: {}",
                word("/backlog/pending"),
                word("/backlog/oldest_seconds"),
                word("/backlog/failed"),
                word("/schedule/pending"),
                word("/schedule/next_at"),
                word("/holds"),
                word("/blocked"),
                word("/without_account"),
                word("/pending_reads"),
            );
        }
        Ok(exit_code(good))
    }
}

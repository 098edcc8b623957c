//! `leaver send`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use tokio::io::AsyncReadExt;

use super::sending::{self, Request};
use super::sources::ensure_configured;
use super::{Config, Format, exit_code, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, SecretScope, Source};
use crate::connect::client;
use leaver_core::providers::departure;

/// Sign a payload file as the provider does and post it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver send --source bamboohr docs/examples/five.json\n  leaver send --source bamboohr --left dana.ruiz@example.com --wait\n  leaver send --source merge left.json --to https://leaver.example.com --print\n\nExit status: 1 the service rejected the delivery, or with --wait did not process it, 3 it did not answer"
)]
pub(super) struct Send {
    #[command(flatten)]
    config: Config,
    /// Name of a configured source
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Request body, sent unchanged; `-` reads stdin
    #[arg(required_unless_present = "left")]
    file: Option<PathBuf>,
    /// Report that this person left two days ago, as the provider would, in place of FILE
    #[arg(long, value_name = "EMAIL", conflicts_with = "file")]
    left: Option<String>,
    /// Wait up to 30 s until the service listens, and until it has processed the delivery; needs the database
    #[arg(long, conflicts_with = "print")]
    wait: bool,
    /// Address of the service, or a full webhook URL; default: `server.listen` on this machine
    #[arg(long, value_name = "URL", value_parser = client::parse_url)]
    to: Option<String>,
    /// Content-Type; default: JSON or form, by the first character of the body
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Print the equivalent curl command instead of sending
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    format: Format,
}

impl Send {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let mut scope = SecretScope::signing_key(&self.source);
        if self.wait {
            scope = scope.with_database();
        }
        let settings = self.config.read(env, &scope)?.with_sources()?;
        ensure_configured(&settings, Some(&self.source))?;
        let mut sources = settings.sources.iter();
        let source = sources
            .find(|source| source.name.as_str() == self.source)
            .context("no source")?;
        let now = SystemClock.now();
        let body = self.body(source, now).await?;
        let content_type = self
            .content_type
            .clone()
            .unwrap_or_else(|| guess_content_type(&body).to_owned());
        let url = webhook_url(
            self.to.as_deref(),
            &client::local_url(settings.server.listen),
            source,
        );
        let signed = source.scheme.sign(&body, now);

        if self.print {
            let header = |text: String| format!("-H {}", quote(&text));
            let mut parts = vec![
                format!("curl -sS -X POST {}", quote(&url)),
                header(format!("Content-Type: {content_type}")),
            ];
            parts.extend(signed.iter().map(|(name, value)| {
                header(format!(
                    "{name}: {}",
                    String::from_utf8_lossy(value.as_bytes())
                ))
            }));
            let data = match &self.file {
                Some(file) => quote(&format!("@{}", file.display())),
                None => quote(&String::from_utf8_lossy(&body)),
            };
            parts.push(format!("--data-binary {data}"));
            let command = parts.join(" \\\n  ");
            output::verbatim(&command);
            return Ok(ExitCode::SUCCESS);
        }

        let request = Request {
            url: &url,
            content_type: &content_type,
            headers: signed,
            body,
        };
        let (status, text) = request.post(self.wait).await?;
        let outcome = if self.wait && status.is_success() {
            Some(sending::outcome(&settings, &self.source, &text).await?)
        } else {
            None
        };
        if self.format.json {
            let body = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
            let mut answer = serde_json::json!({ "status": status.as_u16(), "body": body });
            if let Some(outcome) = &outcome {
                answer["delivery"] = serde_json::to_value(outcome)?;
            }
            output::json(&answer)?;
        } else {
            output::line!("{status} {}", output::text(text));
            if let Some(outcome) = &outcome {
                output::line!("{}", sending::describe(outcome));
            }
        }
        let is_settled = outcome.is_none_or(|outcome| sending::is_settled(&outcome));
        Ok(exit_code(status.is_success() && is_settled))
    }

    /// Returns the bytes to send.
    async fn body(&self, source: &Source, now: DateTime<Utc>) -> anyhow::Result<Vec<u8>> {
        if let Some(email) = &self.left {
            let body = departure(&source.provider_config, email, now);
            let body = body.with_context(|| {
                format!(
                    "source {} has no `linked_accounts`, and the account of a made-up delivery would become its company; list yours, or send a FILE",
                    self.source
                )
            })?;
            return Ok(body.into_bytes());
        }
        // clap requires one of the two.
        let file = self.file.as_deref().unwrap_or(Path::new("-"));
        if file.as_os_str() == "-" {
            let mut bytes = vec![];
            let read = tokio::io::stdin().read_to_end(&mut bytes).await;
            read.context("cannot read stdin")?;
            return Ok(bytes);
        }
        let read = tokio::fs::read(file).await;
        read.with_context(|| format!("cannot read {}", file.display()))
    }
}

fn guess_content_type(body: &[u8]) -> &'static str {
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match text.trim_ascii_start().first() {
        Some(b'{' | b'[') => "application/json",
        _ => "application/x-www-form-urlencoded",
    }
}

/// Returns the webhook URL. An address without a webhook path gets the source's own.
fn webhook_url(to: Option<&str>, local: &str, source: &Source) -> String {
    let base = to.unwrap_or(local).trim_end_matches('/');
    if base.contains("/webhooks/") {
        base.to_owned()
    } else {
        format!("{base}/webhooks/{}", source.name)
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

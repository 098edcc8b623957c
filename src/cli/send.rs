//! `leaver send`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::sources::ensure_configured;
use super::{Config, Format, exit_code, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, SecretScope, Source};
use crate::connect::client;

/// Sign a payload file as the provider does and post it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver send --source bamboohr docs/examples/five.json\n  leaver send --source merge left.json --to https://leaver.example.com --print\n\nExit status: 1 the service rejected the delivery, 3 it did not answer"
)]
pub(super) struct Send {
    #[command(flatten)]
    config: Config,
    /// Name of a configured source
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Request body, sent unchanged; `-` reads stdin
    file: PathBuf,
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
        let scope = SecretScope::signing_key(&self.source);
        let settings = self.config.read(env, &scope)?.with_sources()?;
        ensure_configured(&settings, Some(&self.source))?;
        let mut sources = settings.sources.iter();
        let source = sources
            .find(|source| source.name.as_str() == self.source)
            .context("no source")?;
        let body = if self.file.as_os_str() == "-" {
            use tokio::io::AsyncReadExt;
            let mut bytes = vec![];
            tokio::io::stdin()
                .read_to_end(&mut bytes)
                .await
                .context("cannot read stdin")?;
            bytes
        } else {
            tokio::fs::read(&self.file)
                .await
                .with_context(|| format!("cannot read {}", self.file.display()))?
        };
        let content_type = self
            .content_type
            .clone()
            .unwrap_or_else(|| guess_content_type(&body).to_owned());
        let url = webhook_url(
            self.to.as_deref(),
            &client::local_url(settings.server.listen),
            source,
        );
        let signed = source.scheme.sign(&body, SystemClock.now());

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
            parts.push(format!(
                "--data-binary {}",
                quote(&format!("@{}", self.file.display()))
            ));
            let command = parts.join(" \\\n  ");
            output::verbatim(&command);
            return Ok(ExitCode::SUCCESS);
        }

        let mut request = client::for_url(&url, Duration::from_secs(30))?
            .post(&url)
            .header(reqwest::header::CONTENT_TYPE, &content_type);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let response = request
            .body(body)
            .send()
            .await
            .map_err(output::request_error)
            .with_context(|| format!("no response from {url}"))?;
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        if self.format.json {
            let body = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
            output::json(&serde_json::json!({ "status": status.as_u16(), "body": body }))?;
        } else {
            output::line!("{status} {}", output::text(text));
        }
        Ok(exit_code(status.is_success()))
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

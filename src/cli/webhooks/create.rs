//! `leaver webhooks create`.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use reqwest::Url;
use secrecy::ExposeSecret;

use super::super::{Format, output};
use super::Of;
use crate::config::Environment;
use crate::connect::{MONITORED_FIELDS, WebhookKind, WebhookRequest};
use crate::jobs::provider_webhooks::targets_this_service;
use leaver_core::domain::SourceName;
use leaver_core::providers::MonitorField;

/// Make a webhook that posts to this service; its private key is shown this once
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver webhooks create --url https://leaver.example.com\n  leaver webhooks create --source bamboohr --url https://leaver.example.com/webhooks/bamboohr --kind field --json"
)]
pub(super) struct Create {
    #[command(flatten)]
    of: Of,
    /// Where it posts to, with https; without a path, /webhooks/NAME of the source is added
    #[arg(long)]
    url: String,
    /// Its name in BambooHR; default: Leaver and the source's name
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// What it posts
    #[arg(long, value_enum, default_value_t = Kind::Event)]
    kind: Kind,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Who changed; the service reads the rest over the API. BambooHR recommends it
    Event,
    /// The values too, so that nothing needs to be read
    Field,
}

impl Create {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (company, api) = self.of.company(env)?;
        let source = &company.source;
        let url = address(&self.url, source)?;
        let fields = monitored(&api.monitor_fields().await?)?;
        let wanted = WebhookRequest {
            name: self.name.unwrap_or_else(|| format!("Leaver ({source})")),
            url,
            kind: match self.kind {
                Kind::Event => WebhookKind::Event,
                Kind::Field => WebhookKind::Field,
            },
            fields,
        };
        let made = api.create_webhook(&wanted).await?;
        let key = made.private_key.expose_secret();
        if self.format.json {
            output::json(&serde_json::json!({
                "source": source,
                "id": made.hook.id,
                "name": wanted.name,
                "url": wanted.url,
                "monitor_fields": wanted.fields,
                "private_key": key,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        println!(
            "webhook {} posts to {} when one of these changes: {}",
            made.hook.id,
            wanted.url,
            wanted.fields.join(", ")
        );
        println!("\nprivate key: {key}\n");
        println!(
            "It is shown this once. Put it where the webhook_secrets of source {source} are (BAMBOOHR_WEBHOOK_SECRET, \
             if nothing else is configured), during a rotation beside the old one, and restart the service. Until \
             then what this webhook sends is refused, and BambooHR does not send it again; `leaver webhooks gaps` reads \
             what that concerns."
        );
        if self.kind == Kind::Event {
            println!(
                "It posts no values: the service reads each employee over [sources.api] of source {source}, which it has."
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The address to post to, checked before anybody is asked.
fn address(text: &str, source: &SourceName) -> anyhow::Result<String> {
    let example = format!("https://leaver.example.com/webhooks/{source}");
    let mut url = Url::parse(text.trim())
        .ok()
        .filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
        .with_context(|| format!("--url is not a URL: write it like {example}"))?;
    ensure!(
        url.scheme() == "https",
        "--url must begin with https://, since BambooHR posts nowhere else: write it like {example}, \
         and let a proxy before the service see to TLS"
    );
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        bail!(
            "--url must have no user and no `#` in it: a webhook is known by its signature; write it like {example}"
        );
    }
    if url.path() == "/" {
        url.set_path(&format!("/webhooks/{source}"));
        say(&format!("--url has no path; it will post to {url}"));
    } else if !targets_this_service(url.as_str(), source) {
        say(&format!(
            "warning: the path of --url does not end with /webhooks/{source}, where the service takes this source's \
             deliveries; unless a proxy leads there, nothing will arrive, and neither `leaver webhooks gaps` nor \
             /health will look at this webhook"
        ));
    }
    Ok(url.into())
}

/// Those that we want and the key's user may monitor.
fn monitored(offered: &[MonitorField]) -> anyhow::Result<Vec<&'static str>> {
    let is_offered = |alias: &&str| {
        let of = |field: &MonitorField| field.alias.as_deref() == Some(*alias);
        offered.iter().any(of)
    };
    let (fields, withheld): (Vec<&str>, Vec<&str>) =
        MONITORED_FIELDS.into_iter().partition(is_offered);
    ensure!(
        fields.contains(&"status"),
        "BambooHR does not let the user who made api.api_key monitor `status`, without which nobody's end is noticed: \
         give that user's access level the right to see the field Status of all employees, or take another user's key"
    );
    for field in withheld {
        say(&format!(
            "warning: the user who made api.api_key may not monitor `{field}`; the webhook is made without it"
        ));
    }
    Ok(fields)
}

#[expect(
    clippy::print_stderr,
    reason = "stdout is for the answer, which may be JSON"
)]
fn say(text: &str) {
    eprintln!("leaver: {text}");
}

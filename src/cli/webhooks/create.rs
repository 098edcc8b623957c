//! `leaver webhooks create`.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use reqwest::Url;
use secrecy::ExposeSecret;

use super::super::output::OutputError;
use super::super::{Format, could_not_be_done, output};
use super::{WebhooksTarget, at};
use crate::config::Environment;
use crate::connect::{BambooHrApi, MONITORED_FIELDS, WebhookKind, WebhookRequest};
use crate::jobs::provider_webhooks::targets_this_service;
use crate::jobs::sync::SyncSource;
use leaver_core::providers::MonitorField;

/// Create a webhook that posts to this service; its private key is shown only once
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver webhooks create --url https://leaver.example.com\n  leaver webhooks create --url https://leaver.example.com --kind field --json"
)]
pub(super) struct Create {
    #[command(flatten)]
    target: WebhooksTarget,
    /// HTTPS address that it posts to; default: `server.public_url`. Without a path, that of the source is added
    #[arg(long)]
    url: Option<String>,
    /// Name in BambooHR; default: Leaver (NAME)
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Content of its deliveries
    #[arg(long, value_enum, default_value_t = Kind::Event)]
    kind: Kind,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Employee IDs only; the service reads the values over the API. Recommended by BambooHR
    Event,
    /// Values as well, so no API read is needed
    Field,
}

impl Create {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let settings = self.target.config.read(env, &self.target.scope())?;
        let (target, api) = self.target.source_in(&settings)?;
        let source = &target.source;
        let url = self.url.or_else(|| target.webhook_url.clone());
        let url = url.with_context(|| {
            "no address for the webhook; set `server.public_url` (LEAVER_PUBLIC_URL), or add --url"
        })?;
        let url = webhook_url(&url, &target, &settings.server.webhook_path(source))?;
        let fields = monitored_fields(&api.monitor_fields().await.map_err(at(&target))?)?;
        let request = WebhookRequest {
            name: self.name.unwrap_or_else(|| format!("Leaver ({source})")),
            url,
            kind: match self.kind {
                Kind::Event => WebhookKind::Event,
                Kind::Field => WebhookKind::Field,
            },
            fields,
        };
        let created = api.create_webhook(&request).await.map_err(at(&target))?;
        let key = created.private_key.expose_secret();
        let first = if self.format.json {
            output::json_text(&serde_json::json!({
                "source": source,
                "id": created.webhook.id,
                "name": request.name,
                "url": request.url,
                "monitor_fields": request.fields,
                "private_key": key,
            }))?
        } else {
            format!("private key: {key}\n")
        };
        // The key is shown once, so it goes out before all else.
        if let Err(error) = output::try_write_line(format_args!("{first}")) {
            return Ok(withdraw(&api, &created.webhook.id, &error).await);
        }
        if self.format.json {
            return Ok(ExitCode::SUCCESS);
        }
        output::line!(
            "webhook {} posts to {} when one of these fields changes: {}",
            created.webhook.id,
            request.url,
            request.fields.join(", ")
        );
        output::line!(
            "\nThe key is not shown again. Store it where `webhook_secrets` of source {source} points, by default \
             BAMBOOHR_WEBHOOK_SECRET; during a rotation, keep the old key beside it. Then send the service SIGHUP, or \
             restart it if the key is in an environment variable. Until then the service rejects this webhook's \
             deliveries and BambooHR does not repeat them; `leaver webhooks gaps` reads the employees concerned."
        );
        if self.kind == Kind::Event {
            output::line!(
                "It posts no values; the service reads each employee over `[sources.api]` of source {source}."
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Deletes a webhook whose key could not be written: nobody could check its signatures.
async fn withdraw(api: &BambooHrApi, id: &str, cause: &OutputError) -> ExitCode {
    let code = cause.report();
    if let Err(error) = api.delete_webhook(id).await {
        output::problem(&format!(
            "leaver: the key of webhook {id} was not written and the webhook is still there: {error}; run `leaver webhooks delete {id}`"
        ));
        return could_not_be_done();
    }
    output::note(&format!(
        "leaver: the key could not be written, so webhook {id} was deleted again"
    ));
    ExitCode::from(code)
}

/// Checks and completes the URL before any request is sent.
fn webhook_url(text: &str, target: &SyncSource, path: &str) -> anyhow::Result<String> {
    let source = &target.source;
    let example = format!("https://leaver.example.com/webhooks/{source}");
    let mut url = Url::parse(text.trim())
        .ok()
        .filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
        .with_context(|| format!("--url is not a URL; write it like {example}"))?;
    ensure!(
        url.scheme() == "https",
        "--url must begin with https://, as BambooHR requires it; write it like {example} and terminate TLS in a proxy"
    );
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        bail!("--url must have no user, password or fragment; write it like {example}");
    }
    if url.path() == "/" {
        url.set_path(path);
        note(&format!("--url has no path; using {url}"));
    }
    if !targets_this_service(url.as_str(), source, target.webhook_url.as_deref()) {
        let expected = target.webhook_url.as_deref().map_or_else(
            || format!("the path of --url does not end with /webhooks/{source}"),
            |ours| format!("the webhook would not post to {ours}"),
        );
        note(&format!(
            "warning: {expected}; deliveries arrive only if a proxy rewrites the address, and neither `leaver webhooks gaps` nor /health covers this webhook"
        ));
    }
    Ok(url.into())
}

/// Returns the needed fields that the API key's user may monitor.
fn monitored_fields(offered: &[MonitorField]) -> anyhow::Result<Vec<&'static str>> {
    let is_offered = |alias: &&str| {
        let of = |field: &MonitorField| field.alias.as_deref() == Some(*alias);
        offered.iter().any(of)
    };
    let (fields, hidden): (Vec<&str>, Vec<&str>) =
        MONITORED_FIELDS.into_iter().partition(is_offered);
    ensure!(
        fields.contains(&"status"),
        "the BambooHR user who owns `api.api_key` may not monitor `status`, and without it no termination is detected; \
         let that user's access level see the field Status of all employees, or use another user's key"
    );
    for field in hidden {
        note(&format!(
            "warning: the user who owns `api.api_key` may not monitor `{field}`; the webhook is created without it"
        ));
    }
    Ok(fields)
}

fn note(text: &str) {
    output::note(&format!("leaver: {text}"));
}

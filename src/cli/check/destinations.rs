//! Checks of the destinations of events. Nothing is sent.

use reqwest::Url;
use secrecy::ExposeSecret;

use super::super::output;
use super::names::resolves;
use super::{CheckReport, CheckStatus};
use crate::config::Settings;
use crate::connect::destinations::{Client, Destination, DestinationKind, SlackAccess};
use leaver_core::events::EventType;
use leaver_core::events::signing::SigningKey;

/// Checks each destination: how it is reached, its keys and its host. With `is_offline` no name is looked up.
pub(super) async fn check_destinations(
    report: &mut CheckReport,
    settings: &Settings,
    is_offline: bool,
) {
    for destination in &settings.destinations {
        let check = check_name(destination.name());
        if let Err(error) = Client::new(destination) {
            report.add(CheckStatus::Error, &check, output::chain(&error));
            continue;
        }
        let host = host(&destination.kind);
        let problem = match &host {
            Some(host) if !is_offline => resolves(host).await.err(),
            _ => None,
        };
        let place = host.as_deref().unwrap_or("its server");
        match problem {
            Some(problem) => {
                let text = format!(
                    "{place}: {problem} from this machine, so events wait; correct the address of the destination or the DNS entry"
                );
                report.add(CheckStatus::Error, &check, text);
            }
            None => report.add(CheckStatus::Ok, &check, describe(destination, place)),
        }
        for key in public_keys(&destination.kind) {
            let text = format!("signatures `v1a` are verified with {key}");
            report.add(CheckStatus::Ok, &check, text);
        }
    }
}

/// Returns the name of the lines about a destination.
pub(super) fn check_name(destination: &str) -> String {
    format!("destination {destination}")
}

fn describe(destination: &Destination, place: &str) -> String {
    let personal = if destination.subscription.wants_details {
        ", with personal values"
    } else {
        ""
    };
    let how = match &destination.kind {
        DestinationKind::Webhook(webhook) => {
            format!("webhook, {}", output::count(webhook.keys.len(), "key"))
        }
        DestinationKind::Slack(_) => "Slack".to_owned(),
        DestinationKind::Email(email) => {
            format!("e-mail, {}", output::count(email.to.len(), "recipient"))
        }
    };
    let types = destination.subscription.types.len();
    let types = format!("{types} of {} types of events", EventType::ALL.len());
    format!("{how}, {types} to {place}{personal}")
}

fn host(kind: &DestinationKind) -> Option<String> {
    let url = match kind {
        DestinationKind::Webhook(webhook) => Some(webhook.url.clone()),
        DestinationKind::Email(email) => Some(email.url.clone()),
        DestinationKind::Slack(slack) => match &slack.access {
            Some(SlackAccess::Incoming(url)) => Url::parse(url.expose_secret()).ok(),
            _ => Some(slack.api_url.clone()),
        },
    };
    url.and_then(|url| url.host_str().map(str::to_owned))
}

fn public_keys(kind: &DestinationKind) -> Vec<String> {
    match kind {
        DestinationKind::Webhook(webhook) => {
            let keys = webhook.keys.iter();
            keys.filter_map(SigningKey::public_key).collect()
        }
        DestinationKind::Slack(_) | DestinationKind::Email(_) => vec![],
    }
}

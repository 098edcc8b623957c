//! Messages for people: Slack and e-mail.

mod channels;
mod digests;
mod mailboxes;
mod servers;
mod sink;
mod slack_stub;
mod slow;
mod smtp_stub;
mod stubs;
mod trips;

use std::sync::Arc;

use leaver::jobs::outbox::Sender;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::safeguard::limits;
use crate::support::TestApp;

/// The password of the mail server and the token of Slack. No error, log or state has it.
const PASSWORD: &str = "hush-mail-password";
const TOKEN: &str = "xoxb-hush-1-2-3";
/// Where the incoming webhook is, at the end of its URL.
const HOOK: &str = "services/T00/B00/hush-hook";

const NAMES: &str = "names = true\n";
const HOLDS: &str = "\"hold.opened\", \"safeguard.*\"";

/// Returns the section of the channel `team`, whose API is a stand-in.
fn channel(url: &str, more: &str) -> String {
    format!(
        "[[destinations]]\nname = \"team\"\nkind = \"slack\"\nevents = [{HOLDS}]\ntoken = \"env:SLACK_TOKEN\"\n\
         channel = \"C0123456789\"\napi_url = \"{url}/api\"\n{more}"
    )
}

/// Returns the section of the mailbox `mail`.
fn mailbox(url: &str, to: &str, more: &str) -> String {
    format!(
        "[[destinations]]\nname = \"mail\"\nkind = \"email\"\nevents = [{HOLDS}]\nurl = \"{url}\"\n\
         from = \"Leaver <leaver@example.com>\"\nto = [{to}]\n{more}"
    )
}

/// Returns an app with these destinations, whose safeguard permits three changes an hour.
async fn app_with(destinations: &str, more: &[(&str, &str)]) -> TestApp {
    let limits = limits((3, 1), (10, 1));
    let limits: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let secrets = [("SLACK_TOKEN", TOKEN), ("SMTP_PASSWORD", PASSWORD)];
    TestApp::builder()
        .with_config_file(destinations)
        .settings(&limits)
        .settings(&secrets)
        .settings(more)
        .build()
        .await
}

/// Returns the sender of a destination, as the service has it.
fn sender(app: &TestApp, name: &str) -> Sender {
    let mut destinations = app.settings.destinations.iter();
    let destination = destinations.find(|one| one.name() == name).unwrap();
    Sender::new(Arc::clone(&app.parts.engine), destination, None).unwrap()
}

/// Sends until nothing is due.
async fn send_due(app: &TestApp, name: &str) {
    let (sender, stop) = (sender(app, name), CancellationToken::new());
    while sender.round(&stop).await.unwrap().claimed > 0 {}
}

/// Returns what is stored of a destination: why it is paused, and its last error.
async fn state(app: &mut TestApp, name: &str) -> (Option<String>, Option<String>) {
    let query = "SELECT paused_because, last_error FROM leaver.destinations WHERE name = $1";
    let row = sqlx::query_as(query).bind(name);
    row.fetch_one(&mut app.session.conn).await.unwrap()
}

/// Returns the number of events that a destination does not have yet.
async fn open(app: &mut TestApp) -> i64 {
    app.count("SELECT count(*) FROM leaver.outbox_attempts WHERE state <> 'done'")
        .await
}

/// Fails if a text has a name, an address of an employee or a secret.
#[track_caller]
fn assert_impersonal(text: &str) {
    for personal in ["person1", "person2", "hush"] {
        assert!(!text.contains(personal), "{personal} in {text}");
    }
}

/// Returns a text of a message.
fn text<'m>(message: &'m Value, key: &str) -> &'m str {
    message[key].as_str().unwrap()
}

//! Joiners, movers and leavers of both providers make exactly their events.

mod employment;
mod held;
mod position;
mod privacy;
mod reads;
mod rehired;
mod table;
mod vectors;

use sqlx::Row;

use leaver::config::{Environment, Settings};

use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp, parts};

/// Both sources, and a destination that wants all events about employees.
pub(super) const CONFIG: &str = r#"
[accounts]
end_sessions = ["DELETE FROM sessions WHERE user_id::text = ANY($1)"]

[[sources]]
name = "bamboohr"
provider = "bamboohr"
webhook_secrets = ["env:BAMBOOHR"]

[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:MERGE"]
"#;

/// A destination of events about employees.
pub(super) const BUS: &str = r#"
[[destinations]]
name = "bus"
kind = "webhook"
url = "https://bus.example.com/leaver"
secrets = ["env:BUS"]
payload = "full"
events = ["employee.*"]
"#;

/// The observed facts about the position.
pub(super) const FACTS: &str = r#"
[events]
facts = ["job_title", "department", "manager"]
hash_key = "env:FACTS"
"#;

/// The variables of [`CONFIG`] and [`BUS`].
pub(super) const VARIABLES: [(&str, &str); 4] = [
    ("BAMBOOHR", BAMBOOHR_KEY),
    ("MERGE", MERGE_KEY),
    ("BUS", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
    ("FACTS", "a2f63b15-facts-key-94c0d7-8e2b71"),
];

/// Returns an app with a destination and further configuration.
pub(super) async fn app_with(more: &str) -> TestApp {
    let text = format!("{more}\n{CONFIG}\n{BUS}");
    let built = TestApp::builder().config_file(&text, &VARIABLES);
    built.build().await
}

/// Returns the type and employee of each event so far, in the order of recording, and forgets them.
pub(super) async fn taken(app: &mut TestApp) -> Vec<String> {
    let events = told(app).await;
    // Each fits its schema.
    app.events().await;
    app.sql("DELETE FROM leaver.outbox").await;
    events.into_iter().map(|(event, ..)| event).collect()
}

/// Returns type and employee, data and details of each event.
pub(super) async fn told(app: &mut TestApp) -> Vec<(String, serde_json::Value, serde_json::Value)> {
    let rows = sqlx::query(
        "SELECT type || ' ' || employee_id AS event, data, COALESCE(details, '{}') AS details
         FROM leaver.outbox ORDER BY employee_id, sequence",
    )
    .fetch_all(&mut app.conn)
    .await
    .unwrap();
    let event =
        |row: &sqlx::postgres::PgRow| (row.get("event"), row.get("data"), row.get("details"));
    rows.iter().map(event).collect()
}

/// Starts the service anew with another configuration, on the same database.
pub(super) async fn restart_with(app: &mut TestApp, text: &str, variables: &[(&str, &str)]) {
    let file = app.file("next.toml", text);
    let all = crate::support::builder::HIGH_LIMITS.iter().chain(variables);
    let env = Environment::of(all.copied());
    let settings = Settings::load(Some(&file), &env).unwrap();
    app.parts = parts(&settings, app.options.clone(), &app.clock);
    app.parts
        .liveness
        .enter(leaver::base::liveness::Phase::Ready);
    app.settings = settings;
}

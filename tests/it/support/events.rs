//! Events as a destination receives them, each compared with its schema in `docs/events`.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use leaver_core::events::Event;
use serde_json::Value;
use sqlx::Row;

use super::app::TestApp;
use super::builder::TestAppBuilder;
use super::database::Session;

/// The key with which the destination `bus` signs.
pub(crate) const BUS_KEY: (&str, &str) = ("BUS_WHSEC", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

impl TestAppBuilder {
    /// Adds the destination `bus`, a webhook that nobody serves. It wants the events that one of these patterns fits, with
    /// personal values. Commas separate the patterns.
    pub(crate) fn wanting(self, patterns: &str) -> Self {
        let patterns = patterns.replace(", ", "\", \"");
        let bus = format!(
            "[[destinations]]\nname = \"bus\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n\
             secrets = [\"env:{}\"]\nevents = [\"{patterns}\"]\npayload = \"full\"\n",
            BUS_KEY.0
        );
        self.with_config_file(&bus).settings(&[BUS_KEY])
    }
}

impl TestApp {
    /// Returns the recorded events as they are sent, oldest first, and fails on one that does not fit its schema.
    pub(crate) async fn events(&mut self) -> Vec<Value> {
        recorded_events(&mut self.session).await
    }

    /// Returns the types of the recorded events, oldest first.
    pub(crate) async fn event_types(&mut self) -> Vec<String> {
        let events = self.events().await;
        let types = events.iter().map(|event| event["type"].as_str().unwrap());
        types.map(str::to_owned).collect()
    }
}

/// Returns the recorded events of a database as they are sent, oldest first.
pub(crate) async fn recorded_events(session: &mut Session) -> Vec<Value> {
    let rows = sqlx::query("SELECT * FROM leaver.outbox ORDER BY id");
    let rows = rows.fetch_all(&mut session.conn).await.unwrap();
    let as_sent = |row: &sqlx::postgres::PgRow| {
        let object = |value: Value| value.as_object().unwrap().clone();
        let event = Event {
            id: row.get("id"),
            kind: row.get("type"),
            timestamp: row.get::<DateTime<Utc>, _>("occurred_at"),
            source: row.get("source"),
            tenant: row.get("tenant"),
            employee_id: row.get("employee_id"),
            sequence: row.get("sequence"),
            shadow: row.get("shadow"),
            data: object(row.get("data")),
            details: row.get::<Option<Value>, _>("details").map(object),
        };
        serde_json::to_value(event).unwrap()
    };
    let events: Vec<Value> = rows.iter().map(as_sent).collect();
    for event in &events {
        assert_fits(event);
    }
    events
}

/// What was changed, by the tables of the changes.
const CHANGED: &str = "
    SELECT CASE WHEN direction = 'deactivated' THEN 'account.deactivated' WHEN cause = 'undo' THEN 'account.restored'
                ELSE 'account.reactivated' END, account_id, batch_id::text FROM leaver.changes
    UNION ALL SELECT 'account.blocked', account_id, reason FROM leaver.audit WHERE action = 'blocked'
    UNION ALL SELECT 'hold.opened', id::text, NULL FROM leaver.holds WHERE cause IS NOT NULL
    UNION ALL SELECT 'hold.closed', id::text, state FROM leaver.holds WHERE cause IS NOT NULL AND state <> 'open'
    UNION ALL SELECT 'safeguard.tripped', id::text, NULL FROM leaver.trips
    UNION ALL SELECT 'safeguard.released', id::text, state FROM leaver.trips WHERE state <> 'open'";

/// What was changed, by the events.
const RECORDED: &str = "
    SELECT type, COALESCE(data ->> 'hold_id', data ->> 'trip_id', data ->> 'account_id'),
           COALESCE(data ->> 'batch_id', data ->> 'state', CASE WHEN type = 'account.blocked' THEN data ->> 'reason' END)
    FROM leaver.outbox WHERE type LIKE 'account.%' OR type LIKE 'hold.%' OR type LIKE 'safeguard.%'";

/// Returns changes without an event, and events without a change. A destination must want all of them.
pub(crate) async fn changes_without_event(session: &mut Session) -> Vec<String> {
    let sql = format!(
        "SELECT concat_ws(' ', 'no event:', t.*) FROM ({CHANGED} EXCEPT ALL {RECORDED}) AS t
         UNION ALL SELECT concat_ws(' ', 'no change:', t.*) FROM ({RECORDED} EXCEPT ALL ({CHANGED})) AS t"
    );
    session.lines(&sql).await
}

/// Fails on an event that does not fit the schema of its type.
#[track_caller]
pub(crate) fn assert_fits(event: &Value) {
    let kind = event["type"].as_str().expect("an event has a type");
    let problems = problems(event);
    assert!(problems.is_empty(), "{kind}: {problems:#?}\n{event:#}");
}

/// Returns where an event does not fit the schema of its type.
pub(crate) fn problems(event: &Value) -> Vec<String> {
    let schema = documented(&format!("{}.schema.json", event["type"].as_str().unwrap()));
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let errors = validator.iter_errors(event);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Reads a JSON file of `docs/events`.
pub(crate) fn documented(name: &str) -> Value {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the folder `docs/events`.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events")
}

//! The test application, stand-ins for the providers, and the payloads that tests send.

pub(crate) mod app;
pub(crate) mod builder;
pub(crate) mod bulk_apis;
pub(crate) mod logs;
pub(crate) mod process;
pub(crate) mod driving;
pub(crate) mod events;
pub(crate) mod event_receiver;
pub(crate) mod apis;
pub(crate) mod apis_setup;
pub(crate) mod hooks;
pub(crate) mod contract;
pub(crate) mod generated;
pub(crate) mod pgbouncer;
pub(crate) mod proxy;
pub(crate) mod database;
pub(crate) mod scratch;
pub(crate) mod terminal;

use chrono::{DateTime, Utc};
use leaver_core::domain::{Actor, CliUser, Operator};
use serde_json::Value;

pub(crate) use self::app::{Answer, TestApp, parts};

/// The key of the source `bamboohr`.
pub(crate) const BAMBOOHR_KEY: &str = "5f0c9a3e7b1d42868e94c0d7a2f63b15";
/// The key of the source `merge`.
pub(crate) const MERGE_KEY: &str = "example-merge-signature-key-A";
/// The setting by which a deactivation ends the sessions in [`USERS`].
pub(crate) const END_SESSIONS: (&str, &str) = (
    "LEAVER__ACCOUNTS__END_SESSIONS",
    r#"["DELETE FROM sessions WHERE user_id::text = ANY($1)"]"#,
);
/// JSON's content type.
pub(crate) const JSON: &str = "application/json";
/// A form's content type.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Makes commits of this database's sessions not wait for the disk, from their next connection on.
pub(crate) const UNSYNCED: &str = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";

/// The users table that most tests have.
pub(crate) const USERS: &str = "
    CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL,
                        hashed_password text, is_active boolean NOT NULL DEFAULT true);
    CREATE TABLE sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL);";

/// The person who decides: `cli:ada` in the audit log.
pub(crate) fn ada() -> Actor {
    let name = Operator::parse("ada").unwrap();
    Actor::Cli(CliUser::new(name, "ada", "admin-1"))
}

/// A moment in RFC 3339.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// One BambooHR employee with posted values, as of a time.
pub(crate) fn employee(id: &str, as_of: &str, changed: &[&str], fields: &Value) -> Value {
    serde_json::json!({"id": id, "action": "Updated", "timestamp": as_of, "changedFields": changed, "fields": fields})
}

/// A BambooHR delivery of these.
pub(crate) fn employees(entries: &[Value]) -> Value {
    serde_json::json!({ "employees": entries })
}

/// A Merge `Employee.changed` delivery.
pub(crate) fn merge_changed(data: &Value) -> Value {
    serde_json::json!({
        "hook": {"id": "9a8b7c6d-0000-4000-8000-000000000001", "event": "Employee.changed", "target": "https://leaver.example/webhooks/merge"},
        "linked_account": {"id": "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", "integration": "Workday", "category": "hris", "account_type": "PRODUCTION"},
        "data": data,
    })
}

//! Every test vector of both providers, through the webhook endpoint and the worker.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use serde_json::Value;
use sqlx::Row;

use crate::support::{TestApp, at};

const BAMBOOHR: &str = include_str!("../../vectors/bamboohr.json");
const MERGE: &str = include_str!("../../vectors/merge.json");
const USERS: &str = "
    CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), company text, email text, is_active boolean DEFAULT true);";

struct Vector {
    /// The name of its source, and its tenant.
    source: String,
    content: Value,
}

impl Vector {
    fn name(&self) -> &str {
        self.content["name"].as_str().unwrap()
    }

    fn is_accepted(&self) -> bool {
        self.content["expected"]["verdict"] == "accept"
    }

    fn request(&self) -> Request<Body> {
        let content = &self.content;
        let mut request = Request::post(format!("/webhooks/{}", self.source));
        if let Some(headers) = content["headers"].as_object() {
            for (name, value) in headers {
                let value = HeaderValue::from_bytes(value.as_str().unwrap().as_bytes());
                request = request.header(name, value.unwrap());
            }
        } else if let Some(signature) = content["signature"].as_str() {
            request = request.header(content["header_name"].as_str().unwrap(), signature);
        }
        let body = content["body"].as_str().unwrap().to_owned();
        request.body(Body::from(body)).unwrap()
    }

    /// The work e-mails that it speaks of.
    fn emails(&self) -> Vec<&str> {
        let events = self.content["expected_events"].as_array();
        let fields = events.into_iter().flatten().map(|event| &event["fields"]);
        fields
            .flat_map(|fields| [&fields["workEmail"], &fields["Work Email"]])
            .chain([&self.content["expected"]["normalized"]["work_email"]])
            .filter_map(Value::as_str)
            .filter(|email| !email.is_empty())
            .collect()
    }
}

/// Sends all vectors of a file, each to its own source, and has them settled.
async fn send_all(file: &str, now: &str) -> (TestApp, Vec<Vector>) {
    let mut file: Value = serde_json::from_str(file).unwrap();
    let provider = file["provider"].as_str().unwrap().to_owned();
    let contents: Vec<Value> = serde_json::from_value(file["vectors"].take()).unwrap();
    let vectors: Vec<Vector> = contents
        .into_iter()
        .enumerate()
        .map(|(n, content)| Vector {
            source: format!("v{n}"),
            content,
        })
        .collect();
    let mut config = "[accounts]\ntenant_column = \"company\"\n".to_owned();
    let mut env = vec![];
    let mut keys = vec![];
    for Vector { source, content } in &vectors {
        let several = ["configured_secrets", "accepted_secrets"]
            .iter()
            .find_map(|list| content[list].as_array());
        let secrets = several.map_or(std::slice::from_ref(&content["secret"]), Vec::as_slice);
        let secrets = secrets
            .iter()
            .map(|secret| secret.as_str().unwrap().to_owned());
        keys.push((source.clone(), secrets.collect()));
        env.push((source.clone(), format!("a key for the source {source}")));
        writeln!(config, "[[sources]]\nname = \"{source}\"\nprovider = \"{provider}\"\nwebhook_secrets = [\"env:{source}\"]").unwrap();
        if provider == "merge" {
            let id = file["registered_production_tenants"][0].as_str().unwrap();
            writeln!(
                config,
                "linked_accounts = [{{ id = \"{id}\", tenant = \"{source}\" }}]"
            )
            .unwrap();
        } else {
            let seconds = &content["tolerance_seconds"];
            writeln!(
                config,
                "tenant = \"{source}\"\ntimestamp_tolerance = \"{seconds}s\""
            )
            .unwrap();
        }
    }
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut app = TestApp::builder()
        .config_file(&config, &env)
        .webhook_keys(keys)
        .tables(USERS)
        .build()
        .await;
    app.clock.set(at(now));
    for vector in &vectors {
        for email in vector.emails() {
            sqlx::query("INSERT INTO users (company, email) VALUES ($1, $2)")
                .bind(&vector.source)
                .bind(email)
                .execute(&mut app.conn)
                .await
                .unwrap();
        }
        let answer = app.request(vector.request()).await;
        let expected = if vector.is_accepted() { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{}", vector.name());
    }
    app.work().await;
    (app, vectors)
}

/// The state of each vector's delivery, in order; none where there is none.
async fn states(app: &mut TestApp, vectors: &[Vector]) -> Vec<Option<String>> {
    let rows = sqlx::query("SELECT source, state FROM leaver.deliveries")
        .fetch_all(&mut app.conn)
        .await
        .unwrap();
    let state_of = |vector: &Vector| {
        let mut rows = rows
            .iter()
            .filter(|row| row.get::<&str, _>("source") == vector.source);
        let state = rows.next().map(|row| row.get("state"));
        assert!(rows.next().is_none());
        state
    };
    vectors.iter().map(state_of).collect()
}

/// Who is switched off, as `vector: e-mail`.
async fn switched_off(app: &mut TestApp, vectors: &[Vector]) -> BTreeSet<String> {
    let rows = sqlx::query("SELECT company, email FROM users WHERE NOT is_active")
        .fetch_all(&mut app.conn)
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let company: &str = row.get("company");
            let vector = vectors
                .iter()
                .find(|vector| vector.source == company)
                .unwrap();
            format!("{}: {}", vector.name(), row.get::<&str, _>("email"))
        })
        .collect()
}

#[tokio::test]
async fn every_bamboohr_vector_is_answered_settled_and_acted_upon() {
    let (mut app, vectors) = send_all(BAMBOOHR, "2026-11-22T12:00:00Z").await;
    assert_eq!(vectors.len(), 47);
    for (vector, state) in vectors.iter().zip(states(&mut app, &vectors).await) {
        let expected = match vector.content["expected"]["parse"].as_str().unwrap() {
            "ok" => Some("processed"),
            "ignored" | "empty" => Some("ignored"),
            "error" => Some("failed"),
            _ => None,
        };
        assert_eq!(state.as_deref(), expected, "{}", vector.name());
    }
    let off: Vec<String> = switched_off(&mut app, &vectors).await.into_iter().collect();
    insta::assert_snapshot!(off.join("\n"), @r"
    accept_duplicate_with_new_timestamp: dana.ruiz@example.com
    accept_iso8601_timestamp_header: dana.ruiz@example.com
    accept_late_retry_with_wide_window: dana.ruiz@example.com
    accept_upper_case_hex: dana.ruiz@example.com
    field_form_batch_interleaved: five@example.com
    field_json_batch_of_four: z.tan@example.com
    field_json_terminated_flat: dana.ruiz@example.com
    field_json_value_wrapped_no_action: o.lind@example.com
    ");
}

#[tokio::test]
async fn every_merge_vector_is_answered_settled_and_acted_upon() {
    let (mut app, vectors) = send_all(MERGE, "2026-06-15T12:00:00Z").await;
    assert_eq!(vectors.len(), 61);
    let mut off = BTreeSet::new();
    for (vector, state) in vectors.iter().zip(states(&mut app, &vectors).await) {
        let expected = &vector.content["expected"];
        let kind = expected["normalized"]["kind"].as_str();
        let is_known_company =
            expected["normalized"]["tenant"] == "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b";
        let settled = match (vector.is_accepted(), kind) {
            (false, _) => None,
            (true, None) if vector.name().starts_with("empty_body") => Some("ignored"),
            (true, None) => Some("failed"),
            (true, Some(kind)) if kind.starts_with("employee_") && is_known_company => {
                Some("processed")
            }
            (true, Some(_)) => Some("ignored"),
        };
        assert_eq!(state.as_deref(), settled, "{}", vector.name());
        let leaves = match vector.name() {
            // Policy `inactive_without_date` is to hold.
            "employee_changed_inactive_null_date" => false,
            // Alone in its company it is no redelivery.
            "employee_changed_inactive_past_date_redelivery" => true,
            _ => expected["action_hint"] == "deactivate",
        };
        if leaves && vector.is_accepted() {
            off.extend(
                vector
                    .emails()
                    .iter()
                    .map(|email| format!("{}: {email}", vector.name())),
            );
        }
    }
    assert_eq!(switched_off(&mut app, &vectors).await, off);
}

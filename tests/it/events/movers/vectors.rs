//! The vectors of both providers, each delivered twice to an empty roster: exactly the listed events.

use std::fmt::Write;

use serde_json::Value;

use super::{FACTS, app_with, taken};
use crate::support::JSON;

/// The events of each vector that is accepted.
const EXPECTED: &str = include_str!("vectors.txt");

const VECTORS: [(&str, &str); 2] = [
    ("bamboohr", include_str!("../../../vectors/bamboohr.json")),
    ("merge", include_str!("../../../vectors/merge.json")),
];

#[tokio::test]
async fn each_vector_makes_exactly_its_events() {
    let mut app = app_with(FACTS).await;
    let mut seen = String::new();
    for (source, text) in VECTORS {
        let vectors: Value = serde_json::from_str(text).unwrap();
        for vector in vectors["vectors"].as_array().unwrap() {
            let (name, body) = (vector["name"].as_str().unwrap(), vector["body"].as_str());
            if vector["expected"]["verdict"] != "accept" {
                continue;
            }
            let Some(body) = body else { continue };
            let content_type = vector["content_type"].as_str().unwrap_or(JSON);
            app.sql("TRUNCATE leaver.employees, leaver.outbox, leaver.outbox_people, leaver.deliveries, leaver.linked_accounts CASCADE")
                .await;
            app.send(source, content_type, body).await;
            app.work().await;
            let events = taken(&mut app).await;
            app.advance(chrono::TimeDelta::seconds(1));
            app.send(source, content_type, body).await;
            app.send(source, content_type, format!("{body} ")).await;
            app.work().await;
            let again = taken(&mut app).await;
            assert!(again.is_empty(), "{name}: {again:?}");
            writeln!(seen, "{source} {name}: {}", events.join(", ")).unwrap();
        }
    }
    assert_eq!(seen, EXPECTED);
}

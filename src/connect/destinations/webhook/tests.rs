//! The body of a request.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn body(is_full: bool) -> Value {
    let key = signing::symmetric_secret(&[7; 24]);
    let settings = WebhookSettings {
        url: "http://127.0.0.1:9/".parse().unwrap(),
        keys: vec![SigningKey::parse(&key.into()).unwrap()],
        is_full,
    };
    let event = Event {
        id: Uuid::nil(),
        kind: "employee.updated".to_owned(),
        timestamp: DateTime::UNIX_EPOCH,
        source: None,
        tenant: None,
        employee_id: None,
        sequence: None,
        shadow: true,
        data: serde_json::Map::new(),
        details: json!({"name": "Dana"}).as_object().cloned(),
    };
    let body = Webhook::new(&settings).unwrap().body(&event).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_thin_body_has_no_details() {
    let id = Uuid::nil();
    let thin = json!({"id": id, "type": "employee.updated", "timestamp": "1970-01-01T00:00:00Z", "shadow": true, "data": {}});
    assert_eq!(body(false), thin);
    assert_eq!(body(true)["details"], json!({"name": "Dana"}));
}

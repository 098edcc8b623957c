//! Messages made of events.

mod digests;
mod single;
mod timing;
mod trips;

use serde_json::{Map, Value, json};

use super::*;

/// The time of all plans here.
fn now() -> DateTime<Utc> {
    "2026-11-27T03:00:00Z".parse().unwrap()
}

/// Rules without names and without an earlier digest.
fn rules() -> Rules {
    Rules {
        has_names: false,
        public_url: Some("https://leaver.example.com".to_owned()),
        last_digest_at: None,
        now: now(),
    }
}

/// The same with names.
fn with_names() -> Rules {
    Rules {
        has_names: true,
        ..rules()
    }
}

/// An event without a person. `n` is its id.
fn event(n: u32, kind: &str, data: Value) -> Event {
    Event {
        id: Uuid::from_u128(u128::from(n)),
        kind: kind.to_owned(),
        timestamp: now(),
        source: None,
        tenant: Some("acme".to_owned()),
        employee_id: None,
        sequence: None,
        shadow: false,
        data: object(data),
        details: None,
    }
}

/// An event of employee `n`, whose address is `personN@example.com`.
fn of_person(n: u32, kind: &str, data: Value) -> Event {
    Event {
        source: Some("bamboohr".to_owned()),
        employee_id: Some((40_000 + n).to_string()),
        sequence: Some(1),
        details: Some(object(
            json!({ "work_email": format!("person{n}@example.com") }),
        )),
        ..event(n, kind, data)
    }
}

/// A hold of a rule, or of a trip.
fn hold(n: u32, trip: Option<u32>) -> Event {
    let data = json!({
        "hold_id": n, "requested_action": "deactivate", "account_id": format!("account-{n}"),
        "reason": "the account belongs to another employee", "trip_id": trip,
    });
    of_person(n, "hold.opened", data)
}

/// A trip of acme that stopped deactivations.
fn trip(n: u32, id: u32, held: u32) -> Event {
    let data = json!({
        "trip_id": id, "direction": "deactivated", "limited_by": "hour", "window_count": held + 12,
        "limit_count": 10, "population": 1000, "held": held,
    });
    event(n, "safeguard.tripped", data)
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// Returns subject and text of each message.
fn shown(plan: &Plan) -> String {
    let one = |message: &Message| format!("{}\n\n{}", message.subject, message.text);
    let all: Vec<String> = plan.messages.iter().map(one).collect();
    all.join("\n=====\n")
}

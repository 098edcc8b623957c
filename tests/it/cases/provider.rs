//! The stand-in for the providers' APIs. A case sets its responses.

use std::sync::{Arc, Mutex};

use chrono::SecondsFormat;
use leaver::base::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};

use super::bytes;
use super::posts::merge_record;
use crate::support::apis::{Answer, ApiRequest, StandIn, merge_account, merge_sync};

/// Names under which a case may set responses.
const SETTABLE: [&str; 5] = [
    "everything",
    "changed",
    "employees",
    "merge_rows",
    "webhooks",
];

/// A stand-in for both providers, and what the case has set.
pub(super) struct Provider {
    pub(super) stand_in: StandIn,
    responses: Arc<Mutex<Map<String, Value>>>,
}

impl Provider {
    /// Starts it without responses.
    pub(super) async fn start() -> Self {
        let responses = Arc::<Mutex<Map<String, Value>>>::default();
        let shared = Arc::clone(&responses);
        let stand_in =
            StandIn::start(move |request| respond(&shared.lock().unwrap(), request)).await;
        Self {
            stand_in,
            responses,
        }
    }

    /// Replaces responses; employees one by one. `null` removes one.
    pub(super) fn set(&self, set: &Value) {
        let mut responses = self.responses.lock().unwrap();
        for (name, value) in set.as_object().unwrap_or(&Map::new()) {
            assert!(SETTABLE.contains(&name.as_str()), "unknown response {name}");
            let known = responses.entry(name.clone()).or_insert(Value::Null);
            match (known, value) {
                (Value::Object(known), Value::Object(value)) if name == "employees" => {
                    known.extend(value.clone());
                }
                (known, value) => *known = value.clone(),
            }
        }
    }

    /// Returns the number of requests for one BambooHR employee.
    pub(super) fn single_reads(&self) -> usize {
        let requests = self.stand_in.requests();
        let is_single = |request: &&ApiRequest| {
            let id = request.path.strip_prefix("/api/v1/employees/");
            id.is_some_and(|id| id != "changed")
        };
        requests.iter().filter(is_single).count()
    }
}

fn respond(responses: &Map<String, Value>, request: &ApiRequest) -> Answer {
    let none = Value::Null;
    let set = |name: &str| responses.get(name).unwrap_or(&none);
    if set("everything").is_object() {
        return given(set("everything"), request);
    }
    if let Some(path) = request.path.strip_prefix("/api/hris/v1/") {
        return merge(path, set("merge_rows"), request);
    }
    if let Some(rest) = request.path.strip_prefix("/api/v1/webhooks") {
        return given(&set("webhooks")[rest.trim_matches('/')], request);
    }
    match request.path.strip_prefix("/api/v1/employees/") {
        Some("changed") if set("changed").is_object() => given(set("changed"), request),
        Some("changed") => changed(set("changed")),
        Some(id) => given(&set("employees")[id], request),
        None => Answer::status(404),
    }
}

/// Returns a response of a case: `{"status", "text"}`, `{"json"}`, or nothing, which is 404.
fn given(response: &Value, request: &ApiRequest) -> Answer {
    let status = response["status"]
        .as_u64()
        .map(|s| u16::try_from(s).unwrap());
    let Value::Object(json) = &response["json"] else {
        let mut text = response["text"].as_str().unwrap_or_default().to_owned();
        if !response["json"].is_null() {
            text = response["json"].to_string();
        }
        let content_type = response["content_type"]
            .as_str()
            .unwrap_or("application/json");
        let usual = if response["json"].is_null() { 404 } else { 200 };
        let mut answer = Answer::text(status.unwrap_or(usual), content_type, "");
        answer.body = bytes::body(&text);
        return answer;
    };
    // BambooHR leaves out what was not requested.
    let fields = request.parameter("fields").unwrap_or_default();
    let is_wanted = |name: &str| {
        fields.is_empty() || name == "id" || fields.split(',').any(|field| field == name)
    };
    let wanted = json.iter().filter(|(name, _)| is_wanted(name));
    let body: Map<String, Value> = wanted.map(|(n, v)| (n.clone(), v.clone())).collect();
    let mut answer = Answer::json(&Value::Null);
    answer.status = status.unwrap_or(200);
    answer.body = bytes::body(&Value::Object(body).to_string());
    answer
}

/// Returns the list of changes. An entry is an ID, or an object that names the action, too.
fn changed(entries: &Value) -> Answer {
    let now = SystemClock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut employees = Map::new();
    for entry in entries.as_array().unwrap_or(&vec![]) {
        let id = if entry.is_object() {
            &entry["id"]
        } else {
            entry
        };
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let action = entry["action"].as_str().unwrap_or("Updated");
        let at = entry["lastChanged"].as_str().unwrap_or(&now);
        employees.insert(
            id.clone(),
            json!({"id": id, "action": action, "lastChanged": at}),
        );
    }
    // PHP writes no employees as a list.
    let employees = if employees.is_empty() {
        json!([])
    } else {
        Value::Object(employees)
    };
    Answer::json(&json!({"latest": now, "employees": employees}))
}

fn merge(path: &str, rows: &Value, request: &ApiRequest) -> Answer {
    match path {
        "employees" if rows.is_object() => given(rows, request),
        "employees" => {
            let empty = vec![];
            let rows = rows.as_array().unwrap_or(&empty).iter();
            let rows: Vec<Value> = rows.map(merge_record).collect();
            let mut answer = Answer::json(&Value::Null);
            let page = json!({"next": null, "previous": null, "results": rows});
            answer.body = bytes::body(&page.to_string());
            answer
        }
        "sync-status" => {
            Answer::json(&json!({"next": null, "previous": null, "results": [merge_sync("DONE")]}))
        }
        "account-details" => Answer::json(&merge_account("COMPLETE")),
        _ => Answer::status(404),
    }
}

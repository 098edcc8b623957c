//! BambooHR's webhooks API as its contract has it: list, configurations, logs and monitored fields.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::apis::{Answer, ApiRequest};

/// With which a new webhook signs.
pub(crate) const PRIVATE_KEY: &str = "0badc0de0badc0de0badc0de0badc0de";

/// The webhooks of one user, by id.
#[derive(Default)]
pub(crate) struct Hooks {
    by_id: Mutex<BTreeMap<u32, Map<String, Value>>>,
    logs: Mutex<BTreeMap<String, Vec<Value>>>,
    hidden: Mutex<Vec<String>>,
}

/// The fields that can be monitored, a few of many. `terminationDate` is not among them.
const MONITORABLE: [(&str, &str); 6] = [
    ("status", "Status"),
    ("employmentHistoryStatus", "Employment Status"),
    ("workEmail", "Work Email"),
    ("hireDate", "Hire Date"),
    ("firstName", "First Name"),
    ("payRate", "Pay rate"),
];

impl Hooks {
    /// One that posts to this URL, event-based; gives its id.
    pub(crate) fn add(&self, url: &str) -> String {
        let mut hooks = self.by_id.lock().unwrap();
        let id = hooks.keys().last().map_or(1, |last| last + 1);
        let hook = json!({"id": id.to_string(), "name": format!("Hook {id}"), "url": url,
            "created": "2026-11-01 08:00:00", "lastSent": null, "format": "json", "includeCompanyDomain": true,
            "events": ["employee.created", "employee.updated", "employee.deleted"],
            "monitorFields": ["status"], "postFields": {}});
        hooks.insert(id, hook.as_object().unwrap().clone());
        id.to_string()
    }

    /// Sets a member of its configuration.
    pub(crate) fn configure(&self, id: &str, member: &str, value: Value) {
        let mut hooks = self.by_id.lock().unwrap();
        let hook = hooks.get_mut(&id.parse().unwrap()).unwrap();
        hook.insert(member.to_owned(), value);
    }

    /// It is there no more.
    pub(crate) fn remove(&self, id: &str) {
        self.by_id.lock().unwrap().remove(&id.parse().unwrap());
    }

    /// Its log.
    pub(crate) fn log(&self, id: &str, entries: Vec<Value>) {
        self.logs.lock().unwrap().insert(id.to_owned(), entries);
    }

    /// The key's user may not see this field.
    pub(crate) fn hide(&self, field: &str) {
        self.hidden.lock().unwrap().push(field.to_owned());
    }

    pub(super) fn answer(&self, request: &ApiRequest, rest: &str) -> Answer {
        let refused = |status, error: &str| {
            let body = json!({"errors": {"error": error}}).to_string();
            Answer::text(status, "application/json", &body)
        };
        match (&request.method, rest) {
            (&Method::GET, "") => Answer::json(&json!({"webhooks": self.list()})),
            (&Method::POST, "") => self.create(&request.json()),
            (&Method::GET, "monitor_fields") => Answer::json(&json!({"fields": self.fields()})),
            (method, rest) => {
                let id = rest.trim_end_matches("/log");
                let mut hooks = self.by_id.lock().unwrap();
                let number = id.parse().unwrap_or_default();
                let Some(hook) = hooks.get(&number) else {
                    return refused(404, &format!("No webhook was found with ID: {id}."));
                };
                if rest.ends_with("/log") {
                    let logs = self.logs.lock().unwrap();
                    return Answer::json(&logs.get(id).cloned().unwrap_or_default().into());
                }
                if method == Method::DELETE {
                    hooks.remove(&number);
                    return Answer::text(200, "text/plain", "Web hook has been deleted.");
                }
                Answer::json(&hook.clone().into())
            }
        }
    }

    fn list(&self) -> Vec<Value> {
        let hooks = self.by_id.lock().unwrap();
        let summary = ["id", "name", "created", "lastSent", "url"];
        let of = |hook: &Map<String, Value>| {
            let members = summary.map(|name| (name.to_owned(), hook[name].clone()));
            Value::Object(Map::from_iter(members))
        };
        hooks.values().map(of).collect()
    }

    fn fields(&self) -> Vec<Value> {
        let hidden = self.hidden.lock().unwrap();
        let seen = MONITORABLE
            .iter()
            .filter(|(alias, _)| hidden.iter().all(|one| one != alias));
        let mut fields: Vec<Value> = seen
            .enumerate()
            .map(|(n, (alias, name))| json!({"id": (4000 + n).to_string(), "name": name, "alias": alias}))
            .collect();
        fields.push(json!({"id": "4175", "name": "Accrual Level Start Date", "alias": null}));
        fields
    }

    fn create(&self, wanted: &Value) -> Answer {
        let monitored: Vec<&str> = wanted["monitorFields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let is_https = wanted["url"].as_str().unwrap().starts_with("https://");
        if !is_https || monitored.is_empty() {
            let body =
                json!({"errors": [{"error": "Invalid request body", "issues": ["problem one"]}]});
            return Answer::text(400, "application/json", &body.to_string());
        }
        let allowed = self.fields();
        let unseen: Vec<&str> = monitored
            .into_iter()
            .filter(|name| allowed.iter().all(|field| field["alias"] != *name))
            .collect();
        if !unseen.is_empty() {
            let body = json!({ "errors": denied(&unseen, &[]) });
            return Answer::text(403, "application/json", &body.to_string());
        }
        let id = self.add(wanted["url"].as_str().unwrap());
        for (member, value) in wanted.as_object().unwrap() {
            self.configure(&id, member, value.clone());
        }
        let mut made = self.by_id.lock().unwrap()[&id.parse().unwrap()].clone();
        made.insert("privateKey".to_owned(), PRIVATE_KEY.into());
        Answer::text(201, "application/json", &Value::Object(made).to_string())
    }
}

/// What is said of fields that a user may not see.
pub(crate) fn denied(monitored: &[&str], posted: &[&str]) -> Value {
    let fields = |names: &[&str]| -> Vec<Value> {
        let named = names.iter().enumerate();
        named
            .map(|(n, name)| json!({"id": n, "name": name}))
            .collect()
    };
    json!([{"error": "Permission denied to the following fields",
            "monitorFields": fields(monitored), "postFields": fields(posted)}])
}

/// A line of the log: tried and taken, or not, at this time.
pub(crate) fn log_entry(at: &str, status: &str, employees: &[&str]) -> Value {
    let taken = if status == "200" {
        at
    } else {
        "Webhook Not Found"
    };
    json!({"webhookId": "1", "url": "https://leaver.example/webhooks/bamboohr", "lastAttempted": at,
           "lastSuccess": taken, "statusCode": status, "format": "json", "employeeIds": employees})
}

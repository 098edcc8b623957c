//! Bodies of deliveries, from the short forms of the cases too, in JSON and as a form.

use serde_json::{Map, Value, json};

use super::bytes;
use super::case::{Encoding, Post};
use crate::support::{FORM, JSON};

/// Linked account of Merge records that name none.
const LINKED_ACCOUNT: &str = "11111111-2222-4333-8444-555555555555";

/// Returns the content type and the body of a delivery. `now` is BambooHR's form of the time.
pub(super) fn body(post: &Post, usual: Encoding, now: &str) -> (String, Vec<u8>) {
    let contents = [
        post.json.clone(),
        post.entries.as_ref().map(|entries| employees(entries, now)),
        post.record.as_ref().map(|record| merge(post, record)),
        post.notification.as_ref().map(|one| notification(one, now)),
    ];
    let given: Vec<Value> = contents.into_iter().flatten().collect();
    let (content_type, text) = match (&given[..], &post.text) {
        ([], Some(text)) => (JSON, text.clone()),
        ([content], None) => match post.encoding.unwrap_or(usual) {
            Encoding::Form if post.provider == "bamboohr" => (FORM, form(content)),
            _ => (JSON, content.to_string()),
        },
        _ => panic!("a post has one content: {post:?}"),
    };
    let mut body = hex::decode(post.prefix_hex.as_deref().unwrap_or_default()).unwrap();
    body.extend(bytes::body(&text));
    let content_type = post.content_type.as_deref().unwrap_or(content_type);
    (content_type.to_owned(), body)
}

/// Returns an object with the members of `given` over those of `usual`. A member that is `"-"` is left out.
fn over(usual: Value, given: &Value) -> Value {
    let Value::Object(mut members) = usual else {
        unreachable!("an object")
    };
    members.extend(given.as_object().expect("an object").clone());
    members.retain(|_, value| value != "-");
    Value::Object(members)
}

fn employees(entries: &[Value], now: &str) -> Value {
    let usual = || json!({"action": "Updated", "timestamp": now, "changedFields": ["status"]});
    let entries = entries.iter().map(|entry| match entry {
        Value::Object(_) => over(usual(), entry),
        bad => bad.clone(),
    });
    json!({"employees": entries.collect::<Vec<_>>()})
}

fn notification(given: &Value, now: &str) -> Value {
    let given = over(
        json!({"type": "employee.updated", "at": now, "changed": ["status"]}),
        given,
    );
    json!({"type": given["type"], "timestamp": given["at"],
           "data": {"companyId": "4", "employeeId": given["id"], "changedFields": given["changed"]}})
}

fn merge(post: &Post, record: &Value) -> Value {
    let event = post.event.as_deref().unwrap_or("Employee.changed");
    let linked_account = post.linked_account.as_deref().unwrap_or(LINKED_ACCOUNT);
    json!({
        "hook": {"id": "5d0f8a1e-0000-4000-8000-000000000001", "event": event, "target": "https://leaver.example/webhooks/merge"},
        "linked_account": {"id": linked_account, "integration": "BambooHR", "integration_slug": "bamboohr",
                           "category": "hris", "end_user_origin_id": "acme", "account_type": "PRODUCTION", "status": "COMPLETE"},
        "data": merge_record(record),
    })
}

/// Returns a Merge record with the usual members under the given ones.
pub(super) fn merge_record(given: &Value) -> Value {
    let usual = json!({"remote_id": "r-1", "first_name": "Given", "last_name": "Family", "personal_email": null,
        "employment_status": "ACTIVE", "termination_date": null, "start_date": "2020-03-02T00:00:00Z",
        "groups": [], "employments": [], "remote_was_deleted": false});
    over(usual, given)
}

/// Returns the form that BambooHR sends in place of this JSON.
fn form(content: &Value) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let Some(entries) = content["employees"].as_array() else {
        pairs.append_pair("type", &text(&content["type"]));
        pairs.append_pair("timestamp", &text(&content["timestamp"]));
        for (name, value) in content["data"].as_object().expect("an event's data") {
            for (name, value) in values(&format!("data[{name}]"), value) {
                pairs.append_pair(&name, &text(value));
            }
        }
        return pairs.finish();
    };
    for entry in entries {
        let empty = Map::new();
        let members = entry.as_object().unwrap_or(&empty);
        let id = text(&entry["id"]);
        for (name, value) in members.iter().filter(|(name, _)| *name != "id") {
            let fields = (name == "fields").then(|| value.as_object()).flatten();
            if let Some(fields) = fields {
                for (name, value) in fields {
                    pairs.append_pair(&format!("employees[{id}][{name}]"), &text(value));
                }
            } else {
                for (name, value) in values(&format!("employees[{id}][{name}]"), value) {
                    pairs.append_pair(&name, &text(value));
                }
            }
        }
    }
    pairs.finish()
}

/// Returns a value under its name, or the items of a list under the numbers of PHP.
fn values<'a>(name: &str, value: &'a Value) -> Vec<(String, &'a Value)> {
    match value.as_array() {
        Some(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(n, item)| (format!("{name}[{n}]"), item))
                .collect()
        }
        None => vec![(name.to_owned(), value)],
    }
}

//! `leaver config schema`: a JSON Schema of the configuration file.

use serde_json::{Map, Value, json};

use super::kind::Kind;
use super::{Documented, Key, documented};

/// Form of a reference to a secret.
const REFERENCE: &str = "^(env:.+|file:.+)$";
/// Form of a duration: numbers, each with a unit of humantime.
const DURATION: &str = "^\\s*([0-9]+\\s*(nanos|nsec|ns|usec|us|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)\\s*)+$";
/// Form of a size.
const SIZE: &str = "^0*[1-9][0-9]*\\s*(B|KiB|MiB|GiB)?\\s*$";
/// Form of a cut-off.
const CUTOFF: &str = "^(start_of_day|end_of_day|([01]?[0-9]|2[0-3]):[0-5][0-9])$";
/// The section of a provider's API.
const API: &str = "sources[].api";
/// Lists of sections, each with the keys that an item must have.
const REQUIRED: [(&str, &[&str]); 2] = [
    ("sources[]", &["name", "provider", "webhook_secrets"]),
    ("destinations[]", &["name", "kind", "events"]),
];

/// Returns the schema, in draft 2020-12. It forbids unknown keys.
#[must_use]
pub(crate) fn schema() -> Value {
    let mut root =
        section("Settings of Leaver. A file needs to hold only what differs from the defaults.");
    for one in documented() {
        match one {
            Documented::Section { path, description } => {
                *place(&mut root, &path) = described_section(&path, &description);
            }
            Documented::Key(key) => *place(&mut root, &key.path) = key_schema(&key),
        }
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("leaver.toml of Leaver {}", env!("CARGO_PKG_VERSION")),
    });
    if let (Value::Object(head), Value::Object(body)) = (&mut schema, root) {
        head.extend(body);
    }
    schema
}

fn section(description: &str) -> Value {
    let mut section = json!({
        "type": "object", "additionalProperties": false, "properties": {}
    });
    if !description.is_empty() {
        section["description"] = json!(description);
    }
    section
}

fn described_section(path: &str, description: &str) -> Value {
    let Some((_, required)) = REQUIRED.iter().find(|(list, _)| *list == path) else {
        let mut section = section(description);
        if path == API {
            section["required"] = json!(["api_key"]);
        }
        return section;
    };
    let mut item = section("");
    item["required"] = json!(required);
    json!({"type": "array", "description": description, "items": item})
}

/// Returns the place of a path below the root. The sections above it exist.
fn place<'a>(root: &'a mut Value, path: &str) -> &'a mut Value {
    let mut place = root;
    for part in path.split('.') {
        let name = part.trim_end_matches("[]");
        // The keys of `sources[]` are those of its items, and its own path has no part below it.
        place = &mut below(place)["properties"][name];
    }
    place
}

fn below(value: &mut Value) -> &mut Value {
    if value.get("items").is_some() {
        &mut value["items"]
    } else {
        value
    }
}

fn key_schema(key: &Key) -> Value {
    let mut schema = kind_schema(&key.kind);
    if !key.description.is_empty() {
        schema["description"] = json!(key.description);
    }
    let value = json_of(&key.default);
    if key.is_of_list() {
        schema["examples"] = json!([value]);
    } else {
        schema["default"] = value;
    }
    schema
}

fn kind_schema(kind: &Kind) -> Value {
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let reference = || text(REFERENCE);
    match kind {
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer(minimum) => json!({"type": "integer", "minimum": minimum}),
        Kind::Text => json!({"type": "string"}),
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
        Kind::Duration => json!({"anyOf": [{"const": "0"}, text(DURATION)]}),
        Kind::DurationOrOff => json!({"anyOf": [{"const": "off"}, text(DURATION)]}),
        Kind::Size => text(SIZE),
        Kind::Cutoff => text(CUTOFF),
        Kind::Secret { is_optional: true } => json!({"anyOf": [{"const": ""}, reference()]}),
        Kind::Secret { is_optional: false } => reference(),
        Kind::Secrets => json!({"type": "array", "items": reference(), "minItems": 1}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Accounts => json!({"type": "array", "items": {"type": ["string", "integer"]}}),
        Kind::TextMap => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Kind::Limit => {
            let mut limit = section("");
            limit["properties"] = json!({
                "floor": {"type": "integer", "minimum": 0, "description": "Number of accounts."},
                "percent": {
                    "type": "integer", "minimum": 1, "maximum": 50,
                    "description": "Share of the accounts of a tenant."
                },
            });
            limit
        }
        Kind::LinkedAccounts => {
            let mut account = section("");
            account["required"] = json!(["id", "tenant"]);
            account["properties"] = json!({
                "id": {"type": "string", "description": "ID of the linked account in Merge."},
                "tenant": {"type": "string", "description": "The company whose employees it has."},
                "token": reference(),
            });
            account["properties"]["token"]["description"] =
                json!("Reference to the token with which its API is read.");
            json!({"type": "array", "items": account})
        }
    }
}

/// Returns a TOML value as JSON.
pub(super) fn json_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(number) => json!(number),
        toml::Value::Float(number) => json!(number),
        toml::Value::Boolean(boolean) => json!(boolean),
        toml::Value::Datetime(time) => json!(time.to_string()),
        toml::Value::Array(list) => list.iter().map(json_of).collect(),
        toml::Value::Table(table) => {
            let members = table
                .iter()
                .map(|(key, value)| (key.clone(), json_of(value)));
            Value::Object(members.collect::<Map<String, Value>>())
        }
    }
}

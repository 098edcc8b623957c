//! The schemas and examples in `docs/events`.

use std::collections::BTreeSet;

use leaver_core::events::EventType;
use serde_json::{Value, json};

use crate::support::events::{assert_fits, documented, folder, problems};

/// Returns the types that have a file with this suffix.
fn types_with(suffix: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| Some(name.strip_suffix(suffix)?.to_owned()))
        .collect()
}

/// Returns the types in the table of `docs/events/README.md`.
fn types_in_table() -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let (_, types) = text.split_once("## Types").unwrap();
    let rows = types.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned())
        .collect()
}

#[test]
fn each_type_has_a_schema_an_example_and_a_row() {
    let schemas = types_with(".schema.json");
    assert_eq!(schemas, types_with(".example.json"));
    assert_eq!(schemas, types_in_table());
    for kind in &schemas {
        assert!(kind.parse::<EventType>().is_ok(), "{kind} is no type");
    }
}

#[test]
fn examples_fit_their_schemas() {
    for kind in types_with(".example.json") {
        let example = documented(&format!("{kind}.example.json"));
        assert_eq!(example["type"], kind);
        assert_fits(&example);
    }
}

#[test]
fn all_schemas_describe_the_same_envelope() {
    let envelope = |kind: &str| {
        let schema = documented(&format!("{kind}.schema.json"));
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{kind}");
        assert_eq!(schema["additionalProperties"], json!(false), "{kind}");
        schema["properties"].as_object().unwrap().clone()
    };
    let model = envelope("account.deactivated");
    for kind in types_with(".schema.json") {
        for (field, described) in envelope(&kind) {
            if !["type", "data", "details"].contains(&field.as_str()) {
                assert_eq!(Some(&described), model.get(&field), "{kind}: {field}");
            }
        }
    }
}

#[test]
fn an_event_that_does_not_fit_is_found() {
    let example = documented("account.deactivated.example.json");
    let with = |change: fn(&mut Value)| {
        let mut event = example.clone();
        change(&mut event);
        event
    };
    let wrong = [
        with(|event| event["data"]["name"] = json!("Dana")),
        with(|event| event["id"] = json!("7")),
        with(|event| event["timestamp"] = json!("yesterday")),
        with(|event| event["shadow"] = json!(false)),
        with(|event| drop(event.as_object_mut().unwrap().remove("sequence"))),
        with(|event| drop(event["data"].as_object_mut().unwrap().remove("cause"))),
    ];
    for event in wrong {
        assert!(!problems(&event).is_empty(), "{event:#}");
    }
}

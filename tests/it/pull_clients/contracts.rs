//! What we send is declared in the providers' OpenAPI files (trimmed copies, `tests/openapi/`), and what the
//! stand-ins answer has only declared members, so that the other tests here test against the contract.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use leaver::domain::EmployeeId;
use leaver::pull::HookKind;
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::hooks::wanted;
use super::{account, bamboohr, merge, read_all};
use crate::support::apis::{
    Asked, StandIn, bamboohr_employee, bamboohr_with_hooks, merge_account, merge_company,
    merge_employee, merge_sync,
};
use crate::support::at;
use crate::support::hooks::{Hooks, denied, log_entry};

struct Contract(Yaml);

impl Contract {
    fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/openapi")
            .join(name);
        let text = std::fs::read_to_string(path).unwrap();
        Self(YamlLoader::load_from_str(&text).unwrap().remove(0))
    }

    /// Follows a `$ref`, if there is one.
    fn resolved<'y>(&'y self, node: &'y Yaml) -> &'y Yaml {
        match node["$ref"].as_str() {
            Some(reference) => {
                let path = reference.strip_prefix("#/").unwrap().split('/');
                let found = path.fold(&self.0, |node, name| &node[name]);
                assert!(!found.is_badvalue(), "{reference} leads nowhere");
                found
            }
            None => node,
        }
    }

    /// The operation that a request's path and method stand for; templates match one segment.
    fn operation(&self, path: &str, method: &str) -> &Yaml {
        let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        let wanted = segments(path);
        let fits = |template: &str| {
            let template = segments(template);
            let same = |(part, asked): (&String, &String)| part == asked || part.starts_with('{');
            template.len() == wanted.len() && template.iter().zip(&wanted).all(same)
        };
        let paths = self.0["paths"].as_hash().unwrap();
        // A plain path goes before a template: `employees/changed` is nobody's id.
        let plain = paths.iter().find(|(name, _)| name.as_str() == Some(path));
        let found = plain.or_else(|| paths.iter().find(|(name, _)| fits(name.as_str().unwrap())));
        let (_, operations) = found.unwrap_or_else(|| panic!("{path} is not declared"));
        let operation = &operations[method.to_ascii_lowercase().as_str()];
        assert!(!operation.is_badvalue(), "{method} {path} is not declared");
        operation
    }

    /// Checks path, method, query, and that everything required is there.
    fn check_request(&self, path: &str, asked: &Asked) {
        let operation = self.operation(path, asked.method.as_str());
        let parameters: Vec<&Yaml> = operation["parameters"]
            .as_vec()
            .into_iter()
            .flatten()
            .map(|one| self.resolved(one))
            .collect();
        for (name, value) in &asked.query {
            let declared = parameters
                .iter()
                .find(|one| {
                    one["in"].as_str() == Some("query") && one["name"].as_str() == Some(name)
                })
                .unwrap_or_else(|| panic!("{path}: query parameter {name} is not declared"));
            let schema = self.resolved(&declared["schema"]);
            match schema["type"].as_str() {
                Some("integer") => {
                    let number: i64 = value.parse().unwrap();
                    assert!(
                        number >= 1 && number <= maximum(declared, schema),
                        "{name}={value}"
                    );
                }
                Some("boolean") => assert!(
                    ["true", "false"].contains(&value.as_str()),
                    "{name}={value}"
                ),
                _ if schema["format"].as_str() == Some("date-time") => {
                    assert!(
                        value.ends_with('Z')
                            && value.parse::<chrono::DateTime<chrono::Utc>>().is_ok(),
                        "{name}={value}"
                    );
                }
                _ => {}
            }
        }
        for one in parameters
            .iter()
            .filter(|one| one["required"].as_bool() == Some(true))
        {
            let name = one["name"].as_str().unwrap();
            match one["in"].as_str() {
                Some("query") => assert!(asked.parameter(name).is_some(), "{path} needs {name}"),
                Some("header") => assert!(!asked.header(name).is_empty(), "{path} needs {name}"),
                _ => {}
            }
        }
        let content = &operation["requestBody"]["content"]["application/json"];
        if content.is_badvalue() {
            assert!(asked.body.is_empty(), "{path} takes no body");
        } else {
            assert_eq!(asked.header("content-type"), "application/json", "{path}");
            self.check_body(&content["schema"], &asked.json(), path);
        }
    }

    /// Checks types, enumerations, what is required, and that nothing is undeclared.
    fn check_body(&self, schema: &Yaml, value: &Value, at: &str) {
        let schema = self.resolved(schema);
        let fits = match schema["type"].as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            other => panic!("{at}: a type that no test has met: {other}"),
        };
        assert!(fits, "{at} is not of its type");
        if let Some(words) = schema["enum"].as_vec() {
            let is_one = words.iter().any(|word| word.as_str() == value.as_str());
            assert!(is_one, "{at}: {value} is not declared");
        }
        for item in value.as_array().into_iter().flatten() {
            self.check_body(&schema["items"], item, &format!("{at}[]"));
        }
        let members = value.as_object();
        for name in schema["required"].as_vec().into_iter().flatten() {
            let name = name.as_str().unwrap();
            assert!(members.unwrap().contains_key(name), "{at} lacks {name}");
        }
        // An object without properties is a free map.
        for (name, member) in members.into_iter().flatten() {
            if schema["properties"].as_hash().is_some() {
                let declared = &schema["properties"][name.as_str()];
                assert!(!declared.is_badvalue(), "{at}.{name} is not declared");
                self.check_body(declared, member, &format!("{at}.{name}"));
            }
        }
    }

    /// The schema of an operation's good answer.
    fn answer(&self, path: &str) -> &Yaml {
        &self.operation(path, "get")["responses"]["200"]["content"]["application/json"]["schema"]
    }

    /// Checks that a value has no member that its schema does not name.
    fn check_members(&self, schema: &Yaml, value: &Value, undeclared: &[&str], at: &str) {
        let schema = self.resolved(schema);
        match value {
            Value::Object(members) => {
                let properties = &schema["properties"];
                let any = &schema["additionalProperties"];
                for (name, member) in members {
                    let declared = &properties[name.as_str()];
                    let declared = if declared.is_badvalue() && any.as_hash().is_some() {
                        any
                    } else {
                        declared
                    };
                    if declared.is_badvalue() {
                        assert!(
                            undeclared.contains(&name.as_str()),
                            "{at}.{name} is not declared"
                        );
                    } else {
                        self.check_members(declared, member, undeclared, &format!("{at}.{name}"));
                    }
                }
                for name in schema["required"].as_vec().into_iter().flatten() {
                    assert!(
                        members.contains_key(name.as_str().unwrap()),
                        "{at} lacks {name:?}"
                    );
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.check_members(&schema["items"], item, undeclared, &format!("{at}[]"));
                }
            }
            _ => {}
        }
    }
}

/// Merge's file says a maximum in words only.
fn maximum(parameter: &Yaml, schema: &Yaml) -> i64 {
    let words = parameter["description"].as_str().unwrap_or_default();
    let in_words = words
        .split("maximum limit is ")
        .nth(1)
        .map(|rest| rest.trim_end_matches('.').parse().unwrap());
    schema["maximum"].as_i64().or(in_words).unwrap_or(i64::MAX)
}

#[tokio::test]
async fn what_merge_is_asked_is_declared() {
    let contract = Contract::load("merge-hris.yaml");
    let api = StandIn::start(merge_company((0..150).map(merge_employee).collect())).await;
    let (merge, account) = (merge(&api), account("la-1"));
    read_all(&merge, &account).await.unwrap();
    let mut since = merge.employees(&account, Some(at("2026-11-01T00:00:00Z")));
    since.next().await.unwrap();
    merge.sync_status(&account).await.unwrap();
    merge.connection(&account).await.unwrap();

    let asked = api.asked();
    let paths: BTreeSet<&str> = asked.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths.len(), 3);
    for one in &asked {
        contract.check_request(one.path.strip_prefix("/api").unwrap(), one);
    }
}

#[tokio::test]
async fn what_bamboohr_is_asked_is_declared_and_allowed_with_a_key() {
    let contract = Contract::load("bamboohr.yaml");
    let company = bamboohr_with_hooks(vec![bamboohr_employee(7)], &Arc::default());
    let api = StandIn::start(company).await;
    let client = bamboohr(&api);
    client
        .changed_since(at("2026-11-01T00:00:00Z"))
        .await
        .unwrap();
    client.employee(&EmployeeId::new("7")).await.unwrap();
    client.monitor_fields().await.unwrap();
    for kind in [HookKind::Event, HookKind::Field] {
        client.create_hook(&wanted(kind)).await.unwrap();
    }
    client.hooks().await.unwrap();
    client.hook("1").await.unwrap();
    client.hook_log("1").await.unwrap();
    client.delete_hook("1").await.unwrap();
    assert_eq!(api.asked().len(), 9);
    for one in &api.asked() {
        contract.check_request(&one.path, one);
        assert!(
            takes_basic_auth(contract.operation(&one.path, one.method.as_str())),
            "{}",
            one.path
        );
    }
    // Why the list of all employees is not used; see src/pull/bamboohr.rs.
    assert!(!takes_basic_auth(
        contract.operation("/api/v1/employees", "GET")
    ));
}

fn takes_basic_auth(operation: &Yaml) -> bool {
    operation["security"]
        .as_vec()
        .unwrap()
        .iter()
        .any(|one| !one["basic"].is_badvalue())
}

#[tokio::test]
async fn what_the_stand_ins_answer_is_declared() {
    let merge = Contract::load("merge-hris.yaml");
    let page = serde_json::json!({"next": null, "previous": null, "results": [merge_employee(1)]});
    merge.check_members(merge.answer("/hris/v1/employees"), &page, &[], "employees");
    let page = serde_json::json!({"next": null, "previous": null, "results": [merge_sync("DONE")]});
    merge.check_members(
        merge.answer("/hris/v1/sync-status"),
        &page,
        &[],
        "sync-status",
    );
    merge.check_members(
        merge.answer("/hris/v1/account-details"),
        &merge_account("COMPLETE"),
        &[],
        "account-details",
    );

    let contract = Contract::load("bamboohr.yaml");
    let hooks = Arc::new(Hooks::default());
    let api = StandIn::start(bamboohr_with_hooks(vec![bamboohr_employee(7)], &hooks)).await;
    let get = async |path: &str| -> Value {
        let answer = leaver::client::new(std::time::Duration::from_secs(5)).unwrap();
        answer
            .get(format!("{}{path}", api.url))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let changed = get("/api/v1/employees/changed?since=x").await;
    contract.check_members(
        contract.answer("/api/v1/employees/changed"),
        &changed,
        &[],
        "changed",
    );
    let fields = leaver::payload::BAMBOOHR_FIELDS.join(",");
    let employee = get(&format!("/api/v1/employees/7?fields={fields}")).await;
    // The file lists the common fields and says that any field name may be asked for; this one is in
    // BambooHR's list of field names.
    let others = ["employmentHistoryStatus"];
    contract.check_members(
        contract.answer("/api/v1/employees/7"),
        &employee,
        &others,
        "employee",
    );

    // What making one answers, taken from the wire as everything here.
    let wanted = serde_json::json!({"name": "x", "url": "https://h/webhooks/bamboohr", "format": "json",
        "events": ["employee.updated"], "monitorFields": ["status"]});
    let client = leaver::client::new(std::time::Duration::from_secs(5)).unwrap();
    let made = client.post(format!("{}/api/v1/webhooks", api.url));
    let made: Value = made
        .json(&wanted)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let schema = &contract.operation("/api/v1/webhooks", "post")["responses"]["201"];
    let schema = &schema["content"]["application/json"]["schema"];
    contract.check_members(schema, &made, &[], "made");
    hooks.configure("1", "errors", denied(&["status"], &["workEmail"]));
    hooks.log("1", vec![log_entry("2026-11-22 11:58:03", "503", &["7"])]);
    for path in [
        "/api/v1/webhooks",
        "/api/v1/webhooks/1",
        "/api/v1/webhooks/1/log",
        "/api/v1/webhooks/monitor_fields",
    ] {
        let schema = contract.answer(path);
        let list = &schema["oneOf"][0];
        let schema = if list.is_badvalue() { schema } else { list };
        contract.check_members(schema, &get(path).await, &[], path);
    }
}

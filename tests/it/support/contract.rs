//! A provider's OpenAPI file (trimmed copies, `tests/openapi/`): what it declares of requests and answers.

use std::path::Path;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::apis::Asked;

pub(crate) struct Contract(Yaml);

impl Contract {
    pub(crate) fn load(name: &str) -> Self {
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
    pub(crate) fn operation(&self, path: &str, method: &str) -> &Yaml {
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
    pub(crate) fn check_request(&self, path: &str, asked: &Asked) {
        let operation = self.operation(path, asked.method.as_str());
        let parameters: Vec<&Yaml> = operation["parameters"]
            .as_vec()
            .unwrap()
            .iter()
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
    }

    /// The schema of an operation's good answer.
    pub(crate) fn answer(&self, path: &str) -> &Yaml {
        &self.operation(path, "get")["responses"]["200"]["content"]["application/json"]["schema"]
    }

    /// Checks that a value has no member that its schema does not name.
    pub(crate) fn check_members(
        &self,
        schema: &Yaml,
        value: &Value,
        undeclared: &[&str],
        at: &str,
    ) {
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

pub(crate) fn takes_basic_auth(operation: &Yaml) -> bool {
    operation["security"]
        .as_vec()
        .unwrap()
        .iter()
        .any(|one| !one["basic"].is_badvalue())
}

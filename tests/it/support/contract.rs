//! A provider's OpenAPI file (trimmed copies in `tests/openapi/`), and how a request or an answer violates it.

use std::path::Path;

use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use super::apis::ApiRequest;

/// A provider's OpenAPI file.
pub(crate) struct Contract {
    file: Yaml,
    /// The path of its servers, before those of its operations.
    base: String,
}

/// An operation, and what the request has in the place of its path's parameters.
pub(crate) struct Operation<'y> {
    pub(crate) declared: &'y Yaml,
    pub(crate) in_path: Vec<(String, String)>,
}

impl Contract {
    pub(crate) fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/openapi")
            .join(name);
        let text = std::fs::read_to_string(path).unwrap();
        let file = YamlLoader::load_from_str(&text).unwrap().remove(0);
        let server = file["servers"][0]["url"].as_str().unwrap();
        let after_host = server.strip_prefix("https://").unwrap().split_once('/');
        let base = after_host.map_or(String::new(), |(_, path)| format!("/{path}"));
        Self { file, base }
    }

    /// Follows a `$ref`, if there is one.
    pub(crate) fn resolved<'y>(&'y self, node: &'y Yaml) -> &'y Yaml {
        match node["$ref"].as_str() {
            Some(reference) => {
                let path = reference.strip_prefix("#/").unwrap().split('/');
                let found = path.fold(&self.file, |node, name| &node[name]);
                assert!(!found.is_badvalue(), "{reference} leads nowhere");
                found
            }
            None => node,
        }
    }

    /// The operation that a request's path and method stand for; templates match one segment.
    pub(crate) fn operation(&self, path: &str, method: &str) -> Option<Operation<'_>> {
        let path = path.strip_prefix(self.base.as_str())?;
        let wanted: Vec<&str> = path.split('/').collect();
        let filled = |template: &str| {
            let template: Vec<&str> = template.split('/').collect();
            let mut in_path = vec![];
            for (part, asked) in template.iter().zip(&wanted) {
                match part.strip_prefix('{') {
                    Some(name) => {
                        let name = name.trim_end_matches('}').to_owned();
                        in_path.push((name, (*asked).to_owned()));
                    }
                    None if part == asked => {}
                    None => return None,
                }
            }
            (template.len() == wanted.len()).then_some(in_path)
        };
        let paths = self.file["paths"].as_hash().unwrap().iter();
        let fitting = paths.filter_map(|(name, operations)| {
            filled(name.as_str().unwrap()).map(|in_path| (operations, in_path))
        });
        // A plain path goes before a template: `employees/changed` is nobody's id.
        let (operations, in_path) = fitting.min_by_key(|(_, in_path)| in_path.len())?;
        let declared = &operations[method.to_ascii_lowercase().as_str()];
        (!declared.is_badvalue()).then_some(Operation { declared, in_path })
    }

    /// The schema of an operation's good answer, without the servers' own path.
    pub(crate) fn answer(&self, path: &str) -> &Yaml {
        let operation = self.operation(&format!("{}{path}", self.base), "get");
        good_answer(operation.unwrap().declared)
    }

    /// What is wrong with a request: path, method, query, headers, credentials and body.
    pub(crate) fn complaints(&self, asked: &ApiRequest) -> Vec<String> {
        let (path, method) = (&asked.path, &asked.method);
        let Some(operation) = self.operation(path, method.as_str()) else {
            return vec![format!("{method} {path} is not declared")];
        };
        let declared = operation.declared;
        let parameters = declared["parameters"].as_vec().into_iter().flatten();
        let parameters: Vec<&Yaml> = parameters.map(|one| self.resolved(one)).collect();
        let mut wrong = vec![];
        for (position, (name, text)) in asked.query.iter().enumerate() {
            let found = parameters.iter().find(|one| {
                one["in"].as_str() == Some("query") && one["name"].as_str() == Some(name)
            });
            match found {
                Some(parameter) => wrong.extend(self.misfit(parameter, text)),
                None => wrong.push(format!("query parameter {name} is not declared")),
            }
            if asked.query[..position]
                .iter()
                .any(|(other, _)| other == name)
            {
                wrong.push(format!("query parameter {name} comes twice"));
            }
        }
        for one in &parameters {
            let name = one["name"].as_str().unwrap();
            let given = match one["in"].as_str() {
                Some("query") => asked.parameter(name).is_some(),
                Some("header") => !asked.header(name).is_empty(),
                _ => true,
            };
            if one["required"].as_bool() == Some(true) && !given {
                wrong.push(format!("{name} is required"));
            }
        }
        if !self.is_let_in(declared, asked.header("authorization")) {
            wrong.push("no security scheme lets it in".to_owned());
        }
        wrong.extend(self.wrong_body(declared, &asked.body));
        let begin = |one| format!("{method} {path}: {one}");
        wrong.into_iter().map(begin).collect()
    }

    /// Returns whether one of the declared schemes goes with these credentials. Merge's file declares one for all.
    fn is_let_in(&self, declared: &Yaml, credentials: &str) -> bool {
        let schemes = &self.file["components"]["securitySchemes"];
        let of_all: Vec<&str> = schemes
            .as_hash()
            .unwrap()
            .keys()
            .filter_map(Yaml::as_str)
            .collect();
        let names: Vec<&str> = match declared["security"].as_vec() {
            Some(any) => any
                .iter()
                .flat_map(|one| one.as_hash().unwrap().keys().filter_map(Yaml::as_str))
                .collect(),
            None => of_all,
        };
        names
            .iter()
            .any(|name| match schemes[*name]["scheme"].as_str() {
                Some("basic") => credentials.starts_with("Basic "),
                Some("bearer") => credentials.starts_with("Bearer "),
                _ => false,
            })
    }

    fn wrong_body(&self, declared: &Yaml, body: &[u8]) -> Vec<String> {
        let wanted = self.resolved(&declared["requestBody"]);
        let schema = &wanted["content"]["application/json"]["schema"];
        match (body.is_empty(), schema.is_badvalue()) {
            (true, _) if wanted["required"].as_bool() == Some(true) => {
                vec!["a body is required".to_owned()]
            }
            (true, _) => vec![],
            (false, true) => vec!["no JSON body is declared".to_owned()],
            (false, false) => match serde_json::from_slice(body) {
                Ok(value) => self.differences(schema, &value, &[], "body"),
                Err(_) => vec!["its body is not JSON".to_owned()],
            },
        }
    }

    /// What is wrong with a query parameter's text.
    fn misfit(&self, parameter: &Yaml, text: &str) -> Vec<String> {
        let schema = self.resolved(&parameter["schema"]);
        let value = match schema["type"].as_str() {
            Some("integer") => text.parse::<i64>().map_or(json!(text), Value::from),
            Some("boolean") => text.parse::<bool>().map_or(json!(text), Value::from),
            Some("array") => text.split(',').collect(),
            _ => json!(text),
        };
        let name = parameter["name"].as_str().unwrap();
        let mut wrong = self.differences(schema, &value, &[], name);
        // Merge's file says a maximum in words only.
        let words = parameter["description"].as_str().unwrap_or_default();
        let in_words = words.split("maximum limit is ").nth(1);
        let maximum = in_words.map(|rest| rest.trim_end_matches('.').parse::<i64>().unwrap());
        if let (Some(maximum), Some(number)) = (maximum, value.as_i64())
            && !(1..=maximum).contains(&number)
        {
            wrong.push(format!("{name} is {number}, and {maximum} is the most"));
        }
        // A time without an offset is read as they like.
        if schema["format"].as_str() == Some("date-time") && !text.ends_with('Z') {
            wrong.push(format!("{name} is not in UTC"));
        }
        wrong
    }

    /// Where a value differs from its schema: types, words, formats, members that are missing or not declared.
    pub(crate) fn differences(
        &self,
        schema: &Yaml,
        value: &Value,
        undeclared: &[&str],
        at: &str,
    ) -> Vec<String> {
        let schema = self.resolved(schema);
        for several in ["oneOf", "anyOf"] {
            if let Some(branches) = schema[several].as_vec() {
                let mut each = branches
                    .iter()
                    .map(|one| self.differences(one, value, undeclared, at));
                let fits = each.any(|differences| differences.is_empty());
                return if fits {
                    vec![]
                } else {
                    vec![format!("{at} fits none of {several}")]
                };
            }
        }
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|name| is_of(name, value)) {
            return vec![format!("{at} is no {}", types.join(" or "))];
        }
        if let (Some(words), false) = (schema["enum"].as_vec(), value.is_null())
            && !words.iter().any(|word| word.as_str() == value.as_str())
        {
            return vec![format!("{at} is none of the words declared")];
        }
        let mut wrong = vec![];
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let place = format!("{at}.{name}");
                    match self.member(schema, name) {
                        Some(declared) => {
                            wrong.extend(self.differences(declared, member, undeclared, &place));
                        }
                        None if undeclared.contains(&name.as_str()) => {}
                        // An object without properties is a free map.
                        None if schema["properties"].as_hash().is_none() => {}
                        None => wrong.push(format!("{place} is not declared")),
                    }
                }
                for name in schema["required"].as_vec().into_iter().flatten() {
                    let name = name.as_str().unwrap();
                    if !members.contains_key(name) {
                        wrong.push(format!("{at} lacks {name}"));
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    let place = format!("{at}[]");
                    wrong.extend(self.differences(&schema["items"], item, undeclared, &place));
                }
            }
            Value::String(text) if !is_in_format(schema["format"].as_str(), text) => {
                wrong.push(format!("{at} is not in the format declared"));
            }
            _ => {}
        }
        wrong
    }

    /// The schema of a member, by its name or that of all others.
    fn member<'y>(&'y self, schema: &'y Yaml, name: &str) -> Option<&'y Yaml> {
        let named = &schema["properties"][name];
        let other = &schema["additionalProperties"];
        let all = schema["allOf"].as_vec().into_iter().flatten();
        if !named.is_badvalue() {
            Some(named)
        } else if other.as_hash().is_some() || other.as_bool() == Some(true) {
            Some(other)
        } else {
            all.into_iter()
                .find_map(|one| self.member(self.resolved(one), name))
        }
    }
}

/// The schema of an operation's good answer.
pub(crate) fn good_answer(declared: &Yaml) -> &Yaml {
    &declared["responses"]["200"]["content"]["application/json"]["schema"]
}

/// The names of the types that a schema allows; none when it says nothing of them.
pub(crate) fn types(schema: &Yaml) -> Vec<&str> {
    match &schema["type"] {
        Yaml::Array(several) => several.iter().filter_map(Yaml::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn is_in_format(format: Option<&str>, text: &str) -> bool {
    match format {
        Some("date-time") => text
            .parse::<chrono::DateTime<chrono::FixedOffset>>()
            .is_ok(),
        Some("date") => text.parse::<chrono::NaiveDate>().is_ok(),
        Some("uuid") => text.parse::<uuid::Uuid>().is_ok(),
        Some("email") => text.contains('@'),
        _ => true,
    }
}

/// Returns whether an operation may be called with an API key.
pub(crate) fn takes_basic_auth(operation: &Yaml) -> bool {
    operation["security"]
        .as_vec()
        .unwrap()
        .iter()
        .any(|one| !one["basic"].is_badvalue())
}

//! A mock server generated from a provider's OpenAPI file: it checks each request and generates answers from the schemas.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Number, Value};
use yaml_rust2::Yaml;

use super::apis::{Answer, ApiRequest, StandIn};
use super::contract::{Contract, good_answer, types};

/// Deeper than this an answer has nothing.
const DEEPEST: usize = 8;

/// By the name of a member, texts that make sense there.
pub(crate) type Words = &'static [(&'static str, &'static [&'static str])];

/// A mock server.
pub(crate) struct Generated {
    pub(crate) api: StandIn,
    inner: Arc<Inner>,
}

struct Inner {
    contract: Contract,
    draw: Mutex<Draw>,
    complaints: Mutex<Vec<String>>,
    responses: Mutex<Vec<(String, Value)>>,
}

impl Generated {
    /// From this file. Three of four times a member's text is one of its `words`, where there are any, since a
    /// read ends early where nothing ever makes sense. Those of `*` are for the names of a map.
    pub(crate) async fn start(file: &str, seed: u64, words: Words) -> Self {
        let inner = Arc::new(Inner {
            contract: Contract::load(file),
            draw: Mutex::new(Draw { state: seed, words }),
            complaints: Mutex::default(),
            responses: Mutex::default(),
        });
        let mock = Arc::clone(&inner);
        let api = StandIn::start(move |request| mock.answer(request)).await;
        Self { api, inner }
    }

    /// Returns the differences of the requests from the contract.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let complaints = self.inner.complaints.lock();
        complaints.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns all responses with their paths.
    pub(crate) fn responses(&self) -> Vec<(String, Value)> {
        self.inner.responses.lock().unwrap().clone()
    }
}

impl Inner {
    fn answer(&self, request: &ApiRequest) -> Answer {
        let complaints = self.contract.complaints(request);
        if !complaints.is_empty() {
            self.complaints.lock().unwrap().extend(complaints);
            return Answer::status(400);
        }
        let operation = self
            .contract
            .operation(&request.path, request.method.as_str());
        let operation = operation.unwrap();
        let schema = good_answer(operation.declared);
        let mut body = {
            let mut draw = self.draw.lock().unwrap();
            let mut body = draw.value(&self.contract, schema, "", 0);
            // A field that the file does not name comes mostly, too, if it is requested.
            let named = &self.contract.resolved(schema)["properties"];
            let fields = request.parameter("fields").unwrap_or_default();
            for name in fields.split(',').filter(|name| !name.is_empty()) {
                let is_named = !named[name].is_badvalue();
                if !is_named && !draw.one_in(8) {
                    body[name] = draw.text(name, None).into();
                }
            }
            body
        };
        // What is asked for by its id bears that id.
        for (name, text) in operation.in_path {
            if let Some(member) = body.get_mut(name) {
                *member = text.into();
            }
        }
        // The mock itself must keep to the file, or it proves nothing.
        let differences = self.contract.differences(schema, &body, &[], "answer");
        self.complaints.lock().unwrap().extend(differences);
        let mut responses = self.responses.lock().unwrap();
        responses.push((request.path.clone(), body.clone()));
        Answer::json(&body)
    }
}

/// Numbers that look drawn, the same for the same seed.
struct Draw {
    state: u64,
    words: Words,
}

impl Draw {
    /// Less than `end`.
    fn below(&mut self, end: usize) -> usize {
        // Knuth's multiplier and increment; the low bits of such a sequence are poor.
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap() % end
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'t, T>(&mut self, several: &'t [T]) -> &'t T {
        &several[self.below(several.len())]
    }

    fn value(&mut self, contract: &Contract, schema: &Yaml, name: &str, depth: usize) -> Value {
        let schema = contract.resolved(schema);
        if depth > DEEPEST {
            return Value::Null;
        }
        if !schema["example"].is_badvalue() && self.one_in(2) {
            return json_of(&schema["example"]);
        }
        for several in ["oneOf", "anyOf"] {
            if let Some(branches) = schema[several].as_vec() {
                let branch = self.of(branches);
                return self.value(contract, branch, name, depth + 1);
            }
        }
        let allowed = types(schema);
        let chosen = if allowed.is_empty() {
            "object"
        } else {
            self.of(&allowed)
        };
        match chosen {
            "null" => Value::Null,
            "boolean" => self.one_in(4).into(),
            "integer" => self.below(5_000).into(),
            "number" => {
                Number::from_f64(f64::from(u16::try_from(self.below(5_000)).unwrap()) / 8.0)
                    .map_or(Value::Null, Value::Number)
            }
            "array" => {
                let count = self.below(5);
                let items =
                    (0..count).map(|_| self.value(contract, &schema["items"], name, depth + 1));
                items.collect()
            }
            "string" => match (schema["enum"].as_vec(), schema["format"].as_str()) {
                (Some(words), _) => {
                    let sense = self.sense(name).iter();
                    let sense: Vec<&Yaml> = sense
                        .filter_map(|word| words.iter().find(|one| one.as_str() == Some(*word)))
                        .collect();
                    if sense.is_empty() || self.one_in(4) {
                        json_of(self.of(words))
                    } else {
                        let chosen = sense[self.below(sense.len())];
                        json_of(chosen)
                    }
                }
                (None, format) => self.text(name, format).into(),
            },
            _ => Value::Object(self.members(contract, schema, depth)),
        }
    }

    fn members(&mut self, contract: &Contract, schema: &Yaml, depth: usize) -> Map<String, Value> {
        let mut members = Map::new();
        for one in schema["allOf"].as_vec().into_iter().flatten() {
            members.extend(self.members(contract, contract.resolved(one), depth));
        }
        let required: Vec<&str> = schema["required"]
            .as_vec()
            .into_iter()
            .flatten()
            .filter_map(Yaml::as_str)
            .collect();
        for (name, member) in schema["properties"].as_hash().into_iter().flatten() {
            let name = name.as_str().unwrap();
            if required.contains(&name) || !self.one_in(8) {
                members.insert(
                    name.to_owned(),
                    self.value(contract, member, name, depth + 1),
                );
            }
        }
        let other = &schema["additionalProperties"];
        if other.as_hash().is_some() {
            for _ in 0..self.below(5) {
                let key = self.text("*", None);
                members.insert(key, self.value(contract, other, "", depth + 1));
            }
        }
        members
    }

    /// What makes sense as the text of a member.
    fn sense(&self, name: &str) -> &'static [&'static str] {
        let known = self.words.iter().find(|(member, _)| *member == name);
        known.map_or(&[], |(_, words)| *words)
    }

    fn text(&mut self, name: &str, format: Option<&str>) -> String {
        let sense = self.sense(name);
        if !sense.is_empty() && !self.one_in(4) {
            return (*self.of(sense)).to_owned();
        }
        let n = self.below(4_000);
        let several: &[&str] = match format {
            Some("date-time") => &[
                "2026-11-20T00:00:00Z",
                "2026-11-22T11:59:59.999999Z",
                "2026-12-24T00:00:00+00:00",
                "2016-12-31T23:59:60Z",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59-12:00",
            ],
            Some("date") => return format!("{:04}-02-{:02}", 1_000 + n * 2, 1 + n % 28),
            Some("uuid") => return format!("00000000-0000-4000-8000-{:012}", n % 10),
            Some("email") => return format!("{n}@elsewhere.example"),
            Some("uri") => &["https://example.com/?cursor=b#c"],
            _ => &[
                "",
                " ",
                "0",
                "-1",
                "null",
                "\u{202e}\u{0}",
                "'; DROP TABLE users; --",
            ],
        };
        (*self.of(several)).to_owned()
    }
}

fn json_of(node: &Yaml) -> Value {
    match node {
        Yaml::String(text) => text.clone().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Boolean(truth) => (*truth).into(),
        Yaml::Real(_) => node.as_f64().map_or(Value::Null, Value::from),
        Yaml::Array(items) => items.iter().map(json_of).collect(),
        Yaml::Hash(members) => members
            .iter()
            .map(|(name, member)| (name.as_str().unwrap().to_owned(), json_of(member)))
            .collect(),
        _ => Value::Null,
    }
}

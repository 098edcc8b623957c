//! The format of a case file: accounts, steps, and the expected outcome.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::bytes;
use super::expectation::Expectation;

/// One file below `field` or `siblings`. An unknown member is an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) title: String,
    /// The rule of CORRECTNESS.md that a sibling belongs to.
    pub(super) rule: Option<u32>,
    /// What the service made of a field case in November 2026.
    #[serde(rename = "verdict")]
    pub(super) _verdict: Option<String>,
    #[serde(rename = "source", default)]
    pub(super) _source: Vec<String>,
    #[serde(rename = "they_hit")]
    pub(super) _they_hit: Option<String>,
    pub(super) right: String,
    /// E-mails of active users, with the IDs 1, 2, ... in that order.
    #[serde(default)]
    pub(super) accounts: Vec<String>,
    /// TOML of the configuration file.
    #[serde(default)]
    pub(super) config: String,
    /// Responses of the stand-in for the provider's API.
    #[serde(default)]
    pub(super) api: Value,
    pub(super) steps: Vec<Value>,
    #[serde(default)]
    pub(super) expect: Value,
    /// Whom `leaver explain` shows when the case fails.
    #[serde(default)]
    pub(super) explain: Vec<String>,

    // The members below are ours.
    /// Encodings of the BambooHR deliveries. The case runs once with each.
    #[serde(default = "json_only")]
    pub(super) encodings: Vec<Encoding>,
    /// SQL that creates the application's tables, in place of the usual ones. It inserts the accounts, too.
    pub(super) tables: Option<String>,
    /// SQL that changes the usual tables before the service starts.
    #[serde(default)]
    pub(super) sql: String,
    /// Query of the accounts as (e-mail, active), for tables of another shape.
    #[serde(default = "usual_accounts")]
    pub(super) accounts_query: String,
    /// Environment variables in addition.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// The service connects as a role with the documented privileges, not as the superuser.
    #[serde(default)]
    pub(super) minimal_role: bool,
    /// Only `cli` steps run; no service is started.
    #[serde(default)]
    pub(super) no_service: bool,
}

/// The encoding of a BambooHR delivery.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    Json,
    Form,
}

fn json_only() -> Vec<Encoding> {
    vec![Encoding::Json]
}

fn usual_accounts() -> String {
    "SELECT email, is_active FROM users".to_owned()
}

/// One step. An unknown kind or member is an error.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    /// Sends a signed delivery.
    Post(Box<Post>),
    /// Changes the responses of the stand-in.
    Api { set: Value },
    /// Waits until nothing is pending.
    Settle {},
    /// Waits until nothing is pending, then this long. As the last step, it waits this long for the expectation at most.
    Wait { seconds: f64 },
    /// Waits until the employees of all notifications were read over the API.
    UntilRead {},
    /// Runs a command of the program.
    Cli(Command),
    /// Stops the service and starts it again, with another configuration file if one is given.
    Restart { config: Option<String> },
    /// Waits for the start of a second, which `{{sec}}` then is.
    Mark {},
    /// Sends an unsigned request.
    Request(Request),
    /// Runs SQL as the superuser.
    Sql { run: String },
    /// Waits until an expectation holds.
    Expect { holds: Value },
    /// Waits this long: for a scheduled instant, or to see that nothing happens.
    Pause { seconds: f64 },
}

/// A signed delivery. Exactly one of `json`, `text`, `entries`, `record` and `notification` is its content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Post {
    pub(super) provider: String,
    /// Name of the source; the provider's name if it is missing.
    pub(super) source: Option<String>,
    pub(super) json: Option<Value>,
    pub(super) text: Option<String>,
    /// BambooHR: employees with posted values. Usual members may be missing.
    pub(super) entries: Option<Vec<Value>>,
    /// Merge: an employee record. Usual members may be missing.
    pub(super) record: Option<Value>,
    /// Merge: the event of a record.
    pub(super) event: Option<String>,
    /// Merge: the linked account of a record.
    pub(super) linked_account: Option<String>,
    /// BambooHR: an event without values.
    pub(super) notification: Option<Value>,
    pub(super) encoding: Option<Encoding>,
    pub(super) prefix_hex: Option<String>,
    pub(super) content_type: Option<String>,
    /// Path in place of the source's own.
    pub(super) path: Option<String>,
    /// Signs with another key.
    #[serde(default)]
    pub(super) wrong_key: bool,
    /// Seconds that are added to the time of signing.
    #[serde(default)]
    pub(super) signed_seconds_ahead: i64,
    /// Expected status; 200 if it is missing.
    pub(super) status: Option<u16>,
}

/// A command of the program, run to its end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    pub(super) args: Vec<String>,
    /// Expected exit code. Without it, each is right.
    pub(super) code: Option<i32>,
    /// Exit codes of which one is expected.
    #[serde(default)]
    pub(super) codes: Vec<i32>,
    /// Words that the output contains, in any case.
    #[serde(default)]
    pub(super) contains: Vec<String>,
    /// Words that the output does not contain, in any case.
    #[serde(default)]
    pub(super) lacks: Vec<String>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
}

/// An unsigned request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) path: String,
    #[serde(default = "post")]
    pub(super) method: String,
    /// Sent to `server.admin_listen` in place of `server.listen`.
    #[serde(default)]
    pub(super) admin: bool,
    #[serde(default)]
    pub(super) text: String,
    pub(super) status: u16,
    /// Words that the response contains, in any case.
    #[serde(default)]
    pub(super) contains: Vec<String>,
}

fn post() -> String {
    "POST".to_owned()
}

impl Case {
    /// Reads a file, and checks the names of all members and the kinds of all steps.
    pub(super) fn load(folder: &str, name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases");
        let path = root.join(folder).join(format!("{name}.json"));
        let text = fs::read_to_string(&path).unwrap();
        let case: Self = parse(serde_json::from_str(&bytes::mark_surrogates(&text)), &path);
        for step in &case.steps {
            let step: Step = parse(serde_json::from_value(step.clone()), &path);
            if let Step::Expect { holds } = step {
                let _: Expectation = parse(serde_json::from_value(holds), &path);
            }
        }
        if !case.expect.is_null() {
            let _: Expectation = parse(serde_json::from_value(case.expect.clone()), &path);
        }
        let begins = name.starts_with(&format!("{}-", case.id));
        assert!(begins, "{name}: the id is {}", case.id);
        if folder == "siblings" {
            let rule = case.rule.map(|rule| format!("{rule:02}"));
            assert_eq!(rule.as_ref(), Some(&case.id), "{name}: the rule");
        }
        case
    }
}

#[track_caller]
fn parse<T>(parsed: Result<T, serde_json::Error>, path: &Path) -> T {
    parsed.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

//! What BambooHR's API answers about its own webhooks: lists, configurations, the delivery log, the fields that
//! can be monitored, and why it refused one. Shapes are those of BambooHR's OpenAPI file.

use chrono::{DateTime, NaiveDateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::bamboohr::id as employee_id_of;
use super::{InvalidResponse, dates, json, responses};
use crate::domain::EmployeeId;

/// A name or a word of theirs is shown up to this many characters.
const LONGEST_WORD: usize = 60;
/// So many fields of a refusal are told.
const MOST_NAMES: usize = 20;

/// A webhook as BambooHR lists it. A list shows those of the key's own user and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Digits.
    pub id: String,
    /// As its maker called it.
    pub name: String,
    /// Where it posts to.
    pub url: String,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// When it last fired; `None` when it never has.
    pub last_sent: Option<DateTime<Utc>>,
}

/// The whole configuration of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookConfig {
    /// What the list says too.
    pub hook: Hook,
    /// `json` or `form-encoded`.
    pub format: String,
    /// What it tells of.
    pub events: Vec<String>,
    /// The fields whose change fires it.
    pub monitor_fields: Vec<String>,
    /// The fields that it posts, with the names under which it does.
    pub post_fields: Vec<(String, String)>,
    /// Whether it says the company's subdomain in a header.
    pub include_company_domain: bool,
    /// The fields that its owner may not see (any more).
    pub denied: RefusedFields,
}

/// A webhook that has just been made.
#[derive(Clone, Debug)]
pub struct NewHook {
    /// What the list will say too.
    pub hook: Hook,
    /// With which it signs; it is in this one answer and can never be asked for again.
    pub private_key: SecretString,
}

/// One line of a webhook's delivery log: the last 14 days, at most 200 lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When BambooHR last tried.
    pub last_attempted: LogTime,
    /// When it last succeeded.
    pub last_success: LogTime,
    /// What we answered, or a word.
    pub status: String,
    /// Whom the delivery named.
    pub employee_ids: Vec<EmployeeId>,
}

impl LogEntry {
    /// Whether it was taken, by BambooHR's account: a 2xx, or where there is no status, a success that is no
    /// older than the last try.
    #[must_use]
    pub fn was_taken(&self) -> bool {
        let code = self.status.split_whitespace().next();
        if let Some(code) = code {
            return code
                .parse()
                .is_ok_and(|code: u16| (200..300).contains(&code));
        }
        let success = self.last_success.at();
        success.is_some() && success >= self.last_attempted.at()
    }

    /// When it was sent: last tried, or taken where that is not said; `None` where both are words.
    #[must_use]
    pub fn sent_at(&self) -> Option<DateTime<Utc>> {
        self.last_attempted.at().or(self.last_success.at())
    }
}

/// A time in the log, or what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTime {
    /// A time.
    At(DateTime<Utc>),
    /// A word such as `Webhook Not Found`; empty when there is nothing.
    Word(String),
}

impl LogTime {
    /// The time, where there is one.
    #[must_use]
    pub fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) => Some(*at),
            Self::Word(_) => None,
        }
    }
}

/// A field whose change can fire a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorField {
    /// Digits.
    pub id: String,
    /// As people see it.
    pub name: String,
    /// As the API calls it; not every field has one.
    pub alias: Option<String>,
}

/// The fields over which BambooHR refused a webhook, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedFields {
    /// Those that the user may not monitor.
    pub monitor: Vec<String>,
    /// Those that the user may not have posted.
    pub post: Vec<String>,
    /// Those that do not exist.
    pub unknown: Vec<String>,
}

impl RefusedFields {
    /// True when none is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.monitor.is_empty() && self.post.is_empty() && self.unknown.is_empty()
    }

    /// The fields in words, such as `monitored: Status; unknown: shoeSize`.
    #[must_use]
    pub fn words(&self) -> String {
        let lists = [
            ("monitored", &self.monitor),
            ("posted", &self.post),
            ("unknown", &self.unknown),
        ];
        let words: Vec<String> = lists
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", names.join(", ")))
            .collect();
        words.join("; ")
    }
}

/// Reads the answer of `GET webhooks`.
///
/// # Errors
/// [`InvalidResponse`] when it is not of that shape.
pub fn bamboohr_hooks(body: &[u8]) -> Result<Vec<Hook>, InvalidResponse> {
    let answer = responses::object(body)?;
    let list = answer.get("webhooks").and_then(Value::as_array);
    list.ok_or(InvalidResponse::WrongShape("it has no `webhooks`"))?
        .iter()
        .map(|entry| hook(object_of(entry)?))
        .collect()
}

/// Reads the answer of `GET webhooks/{id}`.
///
/// # Errors
/// [`InvalidResponse`] when it is not of that shape.
pub fn bamboohr_hook(body: &[u8]) -> Result<HookConfig, InvalidResponse> {
    let answer = responses::object(body)?;
    let texts = |name: &str| {
        let list = answer.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(word).collect()
    };
    let posted = answer.get("postFields").and_then(Value::as_object);
    Ok(HookConfig {
        hook: hook(&answer)?,
        format: text(&answer, "format"),
        events: texts("events"),
        monitor_fields: texts("monitorFields"),
        post_fields: posted
            .into_iter()
            .flatten()
            .filter_map(|(field, name)| Some((clean(field), word(name)?)))
            .collect(),
        include_company_domain: answer.get("includeCompanyDomain") == Some(&Value::Bool(true)),
        denied: refused(answer.get("errors")),
    })
}

/// Reads the answer of `POST webhooks`.
///
/// # Errors
/// [`InvalidResponse`] when it is not of that shape, or has no key in it.
pub fn bamboohr_new_hook(body: &[u8]) -> Result<NewHook, InvalidResponse> {
    let answer = responses::object(body)?;
    let key = answer.get("privateKey").and_then(Value::as_str);
    let key = key
        .filter(|key| !key.is_empty())
        .ok_or(InvalidResponse::WrongShape("it has no `privateKey`"))?;
    Ok(NewHook {
        hook: hook(&answer)?,
        private_key: key.into(),
    })
}

/// Reads the answer of `GET webhooks/{id}/log`.
///
/// # Errors
/// [`InvalidResponse`] when it is no list of such entries.
pub fn bamboohr_log(body: &[u8]) -> Result<Vec<LogEntry>, InvalidResponse> {
    let list: Value = serde_json::from_slice(body).map_err(|error| responses::bad_json(&error))?;
    list.as_array()
        .ok_or(InvalidResponse::WrongShape("it is no list"))?
        .iter()
        .map(|entry| {
            let entry = object_of(entry)?;
            // The server is PHP: a list with gaps comes as an object, and an empty one may be null.
            let ids: Vec<&Value> = match entry.get("employeeIds") {
                Some(Value::Array(list)) => list.iter().collect(),
                Some(Value::Object(map)) => map.values().collect(),
                Some(Value::Null) => vec![],
                _ => return Err(InvalidResponse::WrongShape("an entry has no `employeeIds`")),
            };
            Ok(LogEntry {
                last_attempted: log_time(entry, "lastAttempted"),
                last_success: log_time(entry, "lastSuccess"),
                status: text(entry, "statusCode"),
                employee_ids: ids
                    .into_iter()
                    .map(|id| employee_id_of(Some(id), None))
                    .collect::<Result<_, _>>()
                    .map_err(|_| InvalidResponse::WrongShape("an entry has an id that is none"))?,
            })
        })
        .collect()
}

/// Reads the answer of `GET webhooks/monitor_fields`.
///
/// # Errors
/// [`InvalidResponse`] when it is not of that shape.
pub fn bamboohr_monitor_fields(body: &[u8]) -> Result<Vec<MonitorField>, InvalidResponse> {
    let answer = responses::object(body)?;
    let list = answer.get("fields").and_then(Value::as_array);
    list.ok_or(InvalidResponse::WrongShape("it has no `fields`"))?
        .iter()
        .map(|entry| {
            let entry = object_of(entry)?;
            Ok(MonitorField {
                id: text(entry, "id"),
                name: text(entry, "name"),
                alias: entry.get("alias").and_then(word),
            })
        })
        .collect()
}

/// The fields that a refusal names, whichever of its shapes it has: a list of errors, or one error as an
/// object. Everything else in it is left unsaid.
#[must_use]
pub fn bamboohr_refused_fields(body: &[u8]) -> RefusedFields {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    refused(answer.as_ref().and_then(|answer| answer.get("errors")))
}

fn refused(errors: Option<&Value>) -> RefusedFields {
    let mut found = RefusedFields::default();
    let errors = match errors {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => vec![],
    };
    for error in errors {
        let lists = [
            ("monitorFields", &mut found.monitor),
            ("postFields", &mut found.post),
            ("unknownFields", &mut found.unknown),
        ];
        for (member, names) in lists {
            let fields = error.get(member).and_then(Value::as_array);
            let named = fields.into_iter().flatten().filter_map(|field| {
                let name = field.get("name").and_then(word).filter(|n| !n.is_empty());
                name.or_else(|| field.get("id").and_then(word))
                    .or_else(|| word(field))
            });
            names.extend(named.filter(|name| !name.is_empty()));
            names.truncate(MOST_NAMES);
        }
    }
    found
}

fn hook(entry: &Map<String, Value>) -> Result<Hook, InvalidResponse> {
    let id = entry.get("id").and_then(json::scalar_text);
    let is_id = |id: &String| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let id = id.filter(is_id);
    Ok(Hook {
        id: id.ok_or(InvalidResponse::WrongShape("a webhook has no id of digits"))?,
        name: text(entry, "name"),
        url: entry
            .get("url")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        created: time(entry.get("created")),
        last_sent: time(entry.get("lastSent")),
    })
}

fn object_of(entry: &Value) -> Result<&Map<String, Value>, InvalidResponse> {
    let object = entry.as_object();
    object.ok_or(InvalidResponse::WrongShape("an entry is no object"))
}

fn log_time(entry: &Map<String, Value>, name: &str) -> LogTime {
    let member = entry.get(name);
    time(member).map_or_else(|| LogTime::Word(text(entry, name)), LogTime::At)
}

/// `YYYY-MM-DD HH:MM:SS` in UTC, as BambooHR's file says of webhooks; ISO 8601 would do too.
fn time(member: Option<&Value>) -> Option<DateTime<Utc>> {
    let text = member?.as_str()?.trim();
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .map(|at| at.and_utc())
        .ok()
        .or_else(|| dates::instant(text))
}

fn text(entry: &Map<String, Value>, name: &str) -> String {
    entry.get(name).and_then(word).unwrap_or_default()
}

fn word(value: &Value) -> Option<String> {
    json::scalar_text(value).map(|text| clean(&text))
}

/// Short, and nothing that a terminal would obey.
fn clean(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain
        .take(LONGEST_WORD)
        .collect::<String>()
        .trim()
        .to_owned()
}

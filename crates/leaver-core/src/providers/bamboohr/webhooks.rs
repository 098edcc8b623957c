//! Responses of BambooHR's API about webhooks: lists, configurations, delivery logs, monitorable fields, refusals.
//!
//! The shapes are those of tests/openapi/bamboohr.yaml, operations list-webhooks, create-webhook, get-webhook,
//! list-webhook-logs and list-monitor-fields.

use chrono::{DateTime, NaiveDateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::super::{InvalidResponse, dates, json, responses};
use super::payload::id as employee_id;
use crate::domain::EmployeeId;

/// Longest name or word that is kept, in characters.
const MAX_WORD_CHARS: usize = 60;
/// Most field names of a refusal that are kept.
const MAX_NAMES: usize = 20;

/// A webhook as listed. The list has only those of the user of the API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The id, in digits.
    pub id: String,
    /// The name, cut to 60 characters.
    pub name: String,
    /// The URL that deliveries are posted to.
    pub url: String,
    /// When it was created.
    pub created: Option<DateTime<Utc>>,
    /// When it last fired, or `None` if it never did.
    pub last_sent: Option<DateTime<Utc>>,
}

/// The full configuration of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookConfig {
    /// The members that the list has too.
    pub webhook: Webhook,
    /// `json` or `form-encoded`.
    pub format: String,
    /// The event types that it sends.
    pub events: Vec<String>,
    /// The fields whose changes fire it.
    pub monitor_fields: Vec<String>,
    /// The posted fields, each with the name under which it is posted.
    pub post_fields: Vec<(String, String)>,
    /// True if a header has the company's subdomain.
    pub include_company_domain: bool,
    /// The fields that its owner cannot see.
    pub denied: RefusedFields,
}

/// A webhook that was just created.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// The members that the list has too.
    pub webhook: Webhook,
    /// The signature key. BambooHR returns it only once, in this response.
    pub private_key: SecretString,
}

/// An entry of a webhook's delivery log, which covers 14 days and at most 200 entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The time of the last attempt.
    pub last_attempted: LogTime,
    /// The time of the last success.
    pub last_success: LogTime,
    /// The HTTP status of the response, or a status text.
    pub status: String,
    /// The employees in the delivery.
    pub employee_ids: Vec<EmployeeId>,
}

impl LogEntry {
    /// Returns whether BambooHR counts the delivery as successful.
    ///
    /// It is if the status is 2xx. Without a status, it is if the last success is not older than the last attempt.
    #[must_use]
    pub fn was_accepted(&self) -> bool {
        let code = self.status.split_whitespace().next();
        if let Some(code) = code {
            return code
                .parse()
                .is_ok_and(|code: u16| (200..300).contains(&code));
        }
        let success = self.last_success.at();
        success.is_some() && success >= self.last_attempted.at()
    }

    /// Returns the time of the last attempt, else of the last success, or `None` if both are texts.
    #[must_use]
    pub fn sent_at(&self) -> Option<DateTime<Utc>> {
        self.last_attempted.at().or(self.last_success.at())
    }
}

/// A time in the log, or the text in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTime {
    /// A time.
    At(DateTime<Utc>),
    /// A text such as `Webhook Not Found`, or empty if there is none.
    Text(String),
}

impl LogTime {
    /// Returns the time, if there is one.
    #[must_use]
    pub fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) => Some(*at),
            Self::Text(_) => None,
        }
    }
}

/// A field whose changes can fire a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorField {
    /// The id, in digits.
    pub id: String,
    /// The label in BambooHR.
    pub name: String,
    /// The name in the API, if it has one.
    pub alias: Option<String>,
}

/// The fields because of which BambooHR refused a webhook, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedFields {
    /// Fields that the user cannot monitor.
    pub monitor: Vec<String>,
    /// Fields that the user cannot have posted.
    pub post: Vec<String>,
    /// Fields that do not exist.
    pub unknown: Vec<String>,
}

impl RefusedFields {
    /// Returns whether no field is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.monitor.is_empty() && self.post.is_empty() && self.unknown.is_empty()
    }

    /// Returns the fields as text, for example `monitored: Status; unknown: shoeSize`.
    #[must_use]
    pub fn description(&self) -> String {
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

/// Parses the response of `GET webhooks`.
///
/// # Errors
/// Returns [`InvalidResponse`] if it has another shape.
pub fn bamboohr_webhooks(body: &[u8]) -> Result<Vec<Webhook>, InvalidResponse> {
    let response = responses::small_object(body)?;
    let list = response.get("webhooks").and_then(Value::as_array);
    list.ok_or(InvalidResponse::WrongShape("it has no `webhooks`"))?
        .iter()
        .map(|entry| webhook(object_of(entry)?))
        .collect()
}

/// Parses the response of `GET webhooks/{id}`.
///
/// # Errors
/// Returns [`InvalidResponse`] if it has another shape.
pub fn bamboohr_webhook(body: &[u8]) -> Result<WebhookConfig, InvalidResponse> {
    let response = responses::small_object(body)?;
    let texts = |name: &str| {
        let list = response.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(word).collect()
    };
    let posted = response.get("postFields").and_then(Value::as_object);
    Ok(WebhookConfig {
        webhook: webhook(&response)?,
        format: text(&response, "format"),
        events: texts("events"),
        monitor_fields: texts("monitorFields"),
        post_fields: posted
            .into_iter()
            .flatten()
            .filter_map(|(field, name)| Some((clean(field), word(name)?)))
            .collect(),
        include_company_domain: response.get("includeCompanyDomain") == Some(&Value::Bool(true)),
        denied: refused(response.get("errors")),
    })
}

/// Parses the response of `POST webhooks`.
///
/// # Errors
/// Returns [`InvalidResponse`] if it has another shape or no key.
pub fn bamboohr_new_webhook(body: &[u8]) -> Result<NewWebhook, InvalidResponse> {
    let response = responses::small_object(body)?;
    let key = response.get("privateKey").and_then(Value::as_str);
    let key = key
        .filter(|key| !key.is_empty())
        .ok_or(InvalidResponse::WrongShape("it has no `privateKey`"))?;
    Ok(NewWebhook {
        webhook: webhook(&response)?,
        private_key: key.into(),
    })
}

/// Parses the response of `GET webhooks/{id}/log`.
///
/// # Errors
/// Returns [`InvalidResponse`] if it is not a list of such entries.
pub fn bamboohr_webhook_log(body: &[u8]) -> Result<Vec<LogEntry>, InvalidResponse> {
    let list = json::value(body).map_err(|error| responses::bad_json(&error))?;
    list.as_array()
        .ok_or(InvalidResponse::WrongShape("it is not a list"))?
        .iter()
        .map(|entry| {
            let entry = object_of(entry)?;
            // PHP encodes a list with gaps as an object, and an empty one can be null.
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
                    .map(|id| employee_id(Some(id), None))
                    .collect::<Result<_, _>>()
                    .map_err(|_| {
                        InvalidResponse::WrongShape("an entry has an invalid employee id")
                    })?,
            })
        })
        .collect()
}

/// Parses the response of `GET webhooks/monitor_fields`.
///
/// # Errors
/// Returns [`InvalidResponse`] if it has another shape.
pub fn bamboohr_monitor_fields(body: &[u8]) -> Result<Vec<MonitorField>, InvalidResponse> {
    let response = responses::small_object(body)?;
    let list = response.get("fields").and_then(Value::as_array);
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

/// Parses the fields that a refusal names. Everything else in it is dropped, since it can contain names of people.
#[must_use]
pub fn bamboohr_refused_fields(body: &[u8]) -> RefusedFields {
    let response = json::value(body).ok();
    refused(
        response
            .as_ref()
            .and_then(|response| response.get("errors")),
    )
}

fn refused(errors: Option<&Value>) -> RefusedFields {
    let mut found = RefusedFields::default();
    // A list of errors (operation create-webhook, status 403), or one error as an object.
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
            names.truncate(MAX_NAMES);
        }
    }
    found
}

fn webhook(entry: &Map<String, Value>) -> Result<Webhook, InvalidResponse> {
    let id = entry.get("id").and_then(json::scalar_text);
    let is_id = |id: &String| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let id = id.filter(is_id);
    Ok(Webhook {
        id: id.ok_or(InvalidResponse::WrongShape("a webhook has no numeric id"))?,
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
    object.ok_or(InvalidResponse::WrongShape("an entry is not an object"))
}

fn log_time(entry: &Map<String, Value>, name: &str) -> LogTime {
    let member = entry.get(name);
    time(member).map_or_else(|| LogTime::Text(text(entry, name)), LogTime::At)
}

/// Parses a time of the form `YYYY-MM-DD HH:MM:SS`, in UTC, as documented, or an ISO 8601 time.
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

/// Returns at most 60 characters, without control characters, which a terminal could interpret.
fn clean(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain
        .take(MAX_WORD_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

//! Responses of Merge's API: pages of Employee records, the state of Merge's syncs and of a customer's connection.
//!
//! The shapes are those of tests/openapi/merge-hris.yaml, GET of `employees`, `sync-status` and `account-details`.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::super::json_keep::Keep;
use super::super::values::{is_empty, printable};
use super::super::{
    EntryError, InvalidEntry, InvalidResponse, PositionFacts, dates, json, responses,
};
use super::payload;
use crate::domain::{ChangeKind, EmployeeChange, Tenant};

/// The members of a page of employees that are used. A page has 100 records.
static EMPLOYEES: Keep = Keep::Members(&[
    ("next", Keep::Scalar),
    ("results", Keep::All(&payload::RECORD)),
]);

/// The same with the position.
static POSITIONED_EMPLOYEES: Keep = Keep::Members(&[
    ("next", Keep::Scalar),
    ("results", Keep::All(&payload::POSITIONED_RECORD)),
]);

/// The members of a page of sync states that are used.
static MODELS: Keep = Keep::Members(&[
    ("next", Keep::Scalar),
    (
        "results",
        Keep::All(&Keep::Members(&[
            ("model_id", Keep::Scalar),
            ("status", Keep::Scalar),
            ("last_sync_result", Keep::Scalar),
            ("last_sync_finished", Keep::Scalar),
            ("is_initial_sync", Keep::Scalar),
        ])),
    ),
]);

/// The members of a connection that are used.
static CONNECTION: Keep = Keep::Members(&[("status", Keep::Scalar)]);

/// A page of `GET /employees`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeePage {
    /// The valid records, in the page's order.
    pub changes: Vec<EmployeeChange>,
    /// The invalid records and those without a value ([`EntryError::NullRecord`]).
    pub bad_entries: Vec<InvalidEntry>,
    /// The cursor of the next page, or `None` on the last page.
    pub next: Option<String>,
}

/// Parses a page of employees. `timezone` is that of their calendar days.
///
/// # Errors
/// Returns [`InvalidResponse`] if the response is not such a page. Invalid records are in `bad_entries` instead.
pub fn merge_page(
    body: &[u8],
    position: &PositionFacts,
    tenant: &Tenant,
    timezone: Tz,
) -> Result<EmployeePage, InvalidResponse> {
    let needed = match position.parsed().next() {
        Some(_) => &POSITIONED_EMPLOYEES,
        None => &EMPLOYEES,
    };
    let (results, next) = page(body, needed)?;
    let mut page = EmployeePage {
        changes: Vec::with_capacity(results.len()),
        bad_entries: vec![],
        next,
    };
    for (index, record) in results.iter().enumerate() {
        match merge_record(record, position, tenant, timezone) {
            Ok(change) => page.changes.push(change),
            Err(cause) => page.bad_entries.push(InvalidEntry {
                position: index,
                cause,
            }),
        }
    }
    Ok(page)
}

/// Parses one record of a page, as of its `modified_at`.
///
/// # Errors
/// Returns [`EntryError::UnreadableMember`] if a needed member cannot be read, and [`EntryError::NullRecord`] if all facts are null and the record is not deleted. Records that were ignored
/// in Merge, or whose scopes were removed, look like that.
pub fn merge_record(
    record: &Value,
    position: &PositionFacts,
    tenant: &Tenant,
    timezone: Tz,
) -> Result<EmployeeChange, EntryError> {
    let kind = ChangeKind::Updated;
    let change = payload::record_change(record, kind, position, tenant, timezone)?;
    if change.kind != ChangeKind::Deleted && is_empty(&change.facts) {
        return Err(EntryError::NullRecord);
    }
    Ok(change)
}

/// A page of `GET /sync-status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPage {
    /// One entry per Common Model.
    pub models: Vec<ModelSync>,
    /// The cursor of the next page, or `None` on the last page.
    pub next: Option<String>,
}

/// The state of Merge's sync of one Common Model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSync {
    /// The model, for example `hris.Employee`.
    pub model_id: String,
    /// The current state.
    pub status: SyncStatus,
    /// The result of the last finished sync.
    pub last_result: Option<SyncStatus>,
    /// When a sync last finished. It can be another one than `status` describes.
    pub last_finished: Option<DateTime<Utc>>,
    /// True if it is the account's first sync.
    pub is_initial: bool,
}

/// A state of a sync.
///
/// Source: <https://help.merge.dev/en/articles/8184193-merge-sync-statuses>, read on 22 November 2026.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncStatus {
    /// A sync is running.
    Syncing,
    /// The sync succeeded.
    Done,
    /// The sync failed.
    Failed,
    /// The model is disabled in the account's scopes.
    Disabled,
    /// Syncs are paused after two weeks without use or success.
    Paused,
    /// The sync returned only a part of the records.
    PartiallySynced,
    /// Another state, cut to 40 characters.
    Unknown(String),
}

impl ModelSync {
    /// Returns why the model's records may be incomplete or old, or `None` if they are not.
    ///
    /// Nothing may be concluded from a missing record while this returns a text.
    #[must_use]
    pub fn uncertainty(&self) -> Option<&'static str> {
        match (&self.status, &self.last_result) {
            (SyncStatus::Disabled, _) => {
                Some("the model is disabled in the linked account's scopes")
            }
            (SyncStatus::Paused, _) => {
                Some("Merge paused the linked account after two weeks without use or success")
            }
            (SyncStatus::Failed, _) | (_, Some(SyncStatus::Failed)) => {
                Some("Merge's last sync failed")
            }
            (SyncStatus::PartiallySynced, _) | (_, Some(SyncStatus::PartiallySynced)) => {
                Some("Merge's last sync was incomplete")
            }
            (SyncStatus::Unknown(_), _) => Some("Merge reports an unknown sync status"),
            (SyncStatus::Syncing | SyncStatus::Done, _) if self.last_finished.is_none() => {
                Some("Merge has not finished a first sync")
            }
            (SyncStatus::Syncing, _) if self.is_initial => {
                Some("Merge's first sync of this account is not finished")
            }
            (SyncStatus::Syncing | SyncStatus::Done, _) => None,
        }
    }
}

/// Parses a page of sync states. Entries without a `model_id` are skipped.
///
/// # Errors
/// Returns [`InvalidResponse`] if the response is not such a page.
pub fn merge_sync_page(body: &[u8]) -> Result<SyncPage, InvalidResponse> {
    let (results, next) = page(body, &MODELS)?;
    let models = results.iter().filter_map(model_sync).collect();
    Ok(SyncPage { models, next })
}

fn model_sync(entry: &Value) -> Option<ModelSync> {
    let text = |name| entry.get(name).and_then(Value::as_str);
    Some(ModelSync {
        model_id: text("model_id")?.to_owned(),
        status: sync_status(text("status").unwrap_or_default()),
        last_result: text("last_sync_result").map(sync_status),
        last_finished: text("last_sync_finished").and_then(dates::instant),
        is_initial: entry.get("is_initial_sync") == Some(&Value::Bool(true)),
    })
}

fn sync_status(text: &str) -> SyncStatus {
    match text.trim().to_ascii_uppercase().as_str() {
        "SYNCING" => SyncStatus::Syncing,
        "DONE" => SyncStatus::Done,
        "FAILED" => SyncStatus::Failed,
        "DISABLED" => SyncStatus::Disabled,
        "PAUSED" => SyncStatus::Paused,
        "PARTIALLY_SYNCED" => SyncStatus::PartiallySynced,
        _ => SyncStatus::Unknown(printable(text)),
    }
}

/// The connection between Merge and a customer's HR system, from `GET /account-details`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The state of the connection.
    pub status: ConnectionStatus,
}

/// A state of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// The connection works.
    Complete,
    /// The customer did not finish linking.
    Incomplete,
    /// The customer must link again. Until then Merge reads nothing.
    RelinkNeeded,
    /// Syncs are paused because the account was not used.
    Idle,
    /// Another state, cut to 40 characters.
    Unknown(String),
}

impl Connection {
    /// Returns why data may be outdated, or `None` if the connection works. It does not mean that anybody left.
    #[must_use]
    pub fn uncertainty(&self) -> Option<&'static str> {
        match self.status {
            ConnectionStatus::Complete => None,
            ConnectionStatus::Incomplete => Some("the customer has not finished linking"),
            ConnectionStatus::RelinkNeeded => {
                Some("the HR system is disconnected: the customer must link again in Merge")
            }
            ConnectionStatus::Idle => {
                Some("the linked account is idle in Merge, so its syncs are paused")
            }
            ConnectionStatus::Unknown(_) => Some("Merge reports an unknown connection status"),
        }
    }
}

/// Parses the state of a connection.
///
/// # Errors
/// Returns [`InvalidResponse`] if the response has no `status`.
pub fn merge_connection(body: &[u8]) -> Result<Connection, InvalidResponse> {
    let object = responses::object(body, &CONNECTION)?;
    let status = json::member(&object, "status")?.and_then(Value::as_str);
    let status = status.ok_or(InvalidResponse::WrongShape("it has no `status`"))?;
    Ok(Connection {
        status: match status.trim().to_ascii_uppercase().as_str() {
            "COMPLETE" => ConnectionStatus::Complete,
            "INCOMPLETE" => ConnectionStatus::Incomplete,
            "RELINK_NEEDED" => ConnectionStatus::RelinkNeeded,
            "IDLE" => ConnectionStatus::Idle,
            _ => ConnectionStatus::Unknown(printable(status)),
        },
    })
}

/// Returns the entries of a page and the cursor of the next page.
fn page(
    body: &[u8],
    needed: &'static Keep,
) -> Result<(Vec<Value>, Option<String>), InvalidResponse> {
    let mut object = responses::object(body, needed)?;
    let next = next_cursor(&object)?;
    match object.remove("results") {
        Some(Value::Array(results)) => Ok((results, next)),
        Some(Value::String(_)) => Err(InvalidResponse::WrongShape(
            "its `results` are repeated or far more than a page has",
        )),
        _ => Err(InvalidResponse::WrongShape("it has no list `results`")),
    }
}

/// Returns the cursor in `next`, which is a cursor or a URL with one.
fn next_cursor(object: &Map<String, Value>) -> Result<Option<String>, InvalidResponse> {
    let next = match json::member(object, "next")? {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err(InvalidResponse::WrongShape("its `next` is not a string")),
    };
    // Merge documents a cursor (https://docs.merge.dev/basics/pagination), but a sample has a URL. The rest of the
    // URL is not used: the token must not be sent to an address from a response.
    if !next.contains("://") {
        return Ok(Some(next.to_owned()).filter(|cursor| !cursor.is_empty()));
    }
    let query = next.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "cursor" && !value.is_empty())
        .map(|(_, cursor)| Some(cursor.into_owned()))
        .ok_or(InvalidResponse::WrongShape(
            "its `next` is a URL without a cursor",
        ))
}

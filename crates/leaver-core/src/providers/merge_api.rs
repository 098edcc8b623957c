//! What Merge's API answers: pages of Employee records, the state of its own syncs, and the state of the
//! connection to a customer's HR system. Shapes are those of Merge's HRIS OpenAPI file.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{EntryError, InvalidEntry, InvalidResponse, dates, merge, responses};
use crate::domain::{ChangeKind, EmployeeChange, Facts, Tenant};

/// One page of `GET /employees`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeePage {
    /// The records that could be read, in the page's order.
    pub changes: Vec<EmployeeChange>,
    /// The records that could not, and those that say nothing ([`EntryError::NullRecord`]).
    pub bad_entries: Vec<InvalidEntry>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// Reads a page of employees.
///
/// # Errors
/// [`InvalidResponse`] when the answer is not such a page; a bad record never sinks the others.
pub fn merge_page(body: &[u8], tenant: &Tenant) -> Result<EmployeePage, InvalidResponse> {
    let (results, next) = page(body)?;
    let mut page = EmployeePage {
        changes: Vec::with_capacity(results.len()),
        bad_entries: vec![],
        next,
    };
    for (position, record) in results.iter().enumerate() {
        match merge_record(record, tenant) {
            Ok(change) => page.changes.push(change),
            Err(cause) => page.bad_entries.push(InvalidEntry { position, cause }),
        }
    }
    Ok(page)
}

/// What one record of the API says: as of its `modified_at`, with nothing thin about it.
///
/// # Errors
/// [`EntryError::NullRecord`] when all that we need is null, as in a record that somebody ignored in Merge or
/// whose scopes were taken away; unless Merge says that the HR system removed it, which is a fact.
pub fn merge_record(record: &Value, tenant: &Tenant) -> Result<EmployeeChange, EntryError> {
    let change = merge::record_change(record, ChangeKind::Updated, tenant)?;
    if change.kind != ChangeKind::Deleted && is_empty(&change.facts) {
        return Err(EntryError::NullRecord);
    }
    Ok(change)
}

/// True when no fact of these has a value.
pub(super) fn is_empty(facts: &Facts) -> bool {
    facts.status.value().is_none()
        && facts.employment_status.value().is_none()
        && facts.hire_date.value().is_none()
        && facts.termination_date.value().is_none()
        && facts.work_email.value().is_none()
}

/// One page of `GET /sync-status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPage {
    /// One per Common Model.
    pub models: Vec<ModelSync>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// How Merge's own syncing of one Common Model stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSync {
    /// Such as `hris.Employee`.
    pub model_id: String,
    /// What it does now.
    pub status: SyncStatus,
    /// How the last one ended.
    pub last_result: Option<SyncStatus>,
    /// When one last ended; it may be another one than `status` is about.
    pub last_finished: Option<DateTime<Utc>>,
    /// How old the data are, where Merge says it.
    pub data_fresh_as_of: Option<DateTime<Utc>>,
    /// The account's first sync.
    pub is_initial: bool,
}

/// Merge's words for a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncStatus {
    /// Under way.
    Syncing,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
    /// Switched off in the account's scopes.
    Disabled,
    /// Stopped after two weeks without use or success.
    Paused,
    /// Ended with gaps.
    PartiallySynced,
    /// A word that we do not know, at most 40 characters of it.
    Unknown(String),
}

impl ModelSync {
    /// Why the model's records may be incomplete or old, as a fragment for a person; `None` when nothing
    /// speaks against them. While it says something, nothing may be concluded from what is not there.
    #[must_use]
    pub fn doubt(&self) -> Option<&'static str> {
        match (&self.status, &self.last_result) {
            (SyncStatus::Disabled, _) => {
                Some("this model is switched off in the linked account's scopes")
            }
            (SyncStatus::Paused, _) => {
                Some("Merge paused the linked account after two weeks without use or success")
            }
            (SyncStatus::Failed, _) | (_, Some(SyncStatus::Failed)) => {
                Some("Merge's last sync failed")
            }
            (SyncStatus::PartiallySynced, _) | (_, Some(SyncStatus::PartiallySynced)) => {
                Some("Merge's last sync brought only a part")
            }
            (SyncStatus::Unknown(_), _) => Some("Merge reports a sync status that we do not know"),
            (SyncStatus::Syncing | SyncStatus::Done, _) if self.last_finished.is_none() => {
                Some("Merge has not finished a first sync")
            }
            (SyncStatus::Syncing, _) if self.is_initial => {
                Some("Merge is still at the first sync of this account")
            }
            (SyncStatus::Syncing | SyncStatus::Done, _) => None,
        }
    }
}

/// Reads a page of sync states. Entries without a `model_id` are left out.
///
/// # Errors
/// [`InvalidResponse`] when the answer is not such a page.
pub fn merge_sync_page(body: &[u8]) -> Result<SyncPage, InvalidResponse> {
    let (results, next) = page(body)?;
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
        data_fresh_as_of: text("data_fresh_as_of").and_then(dates::instant),
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
        _ => SyncStatus::Unknown(shown(text)),
    }
}

/// The connection between Merge and a customer's HR system, from `GET /account-details`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// How it stands.
    pub status: ConnectionStatus,
    /// One of Merge's test accounts.
    pub is_test: bool,
}

/// Merge's words for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// It works.
    Complete,
    /// The customer began to link and did not end.
    Incomplete,
    /// The customer must link again; until then nothing is read.
    RelinkNeeded,
    /// Syncs stand still, for want of use.
    Idle,
    /// A word that we do not know, at most 40 characters of it.
    Unknown(String),
}

impl Connection {
    /// Why data may have stopped coming, as a fragment for a person; `None` when the connection works.
    /// Nobody has left by that.
    #[must_use]
    pub fn doubt(&self) -> Option<&'static str> {
        match self.status {
            ConnectionStatus::Complete => None,
            ConnectionStatus::Incomplete => Some("the customer has not finished linking"),
            ConnectionStatus::RelinkNeeded => {
                Some("the HR system is disconnected: the customer must link again in Merge")
            }
            ConnectionStatus::Idle => {
                Some("Merge lets the linked account rest, so syncs are paused")
            }
            ConnectionStatus::Unknown(_) => {
                Some("Merge reports a connection status that we do not know")
            }
        }
    }
}

/// Reads the state of a connection.
///
/// # Errors
/// [`InvalidResponse`] when the answer does not say it.
pub fn merge_connection(body: &[u8]) -> Result<Connection, InvalidResponse> {
    let object = responses::object(body)?;
    let text = |name| object.get(name).and_then(Value::as_str);
    let status = text("status").ok_or(InvalidResponse::WrongShape("it has no `status`"))?;
    Ok(Connection {
        status: match status.trim().to_ascii_uppercase().as_str() {
            "COMPLETE" => ConnectionStatus::Complete,
            "INCOMPLETE" => ConnectionStatus::Incomplete,
            "RELINK_NEEDED" => ConnectionStatus::RelinkNeeded,
            "IDLE" => ConnectionStatus::Idle,
            _ => ConnectionStatus::Unknown(shown(status)),
        },
        is_test: text("account_type").is_some_and(|word| word.eq_ignore_ascii_case("TEST")),
    })
}

/// The entries of a page, and the cursor of the next one.
fn page(body: &[u8]) -> Result<(Vec<Value>, Option<String>), InvalidResponse> {
    let mut object = responses::object(body)?;
    let next = next_cursor(&object)?;
    match object.remove("results") {
        Some(Value::Array(results)) => Ok((results, next)),
        _ => Err(InvalidResponse::WrongShape("it has no list `results`")),
    }
}

/// `next` is a cursor (Merge's pagination page); one text of Merge's shows a URL. Of a URL only the cursor
/// is taken, since an address out of an answer must not be sent the token.
fn next_cursor(object: &Map<String, Value>) -> Result<Option<String>, InvalidResponse> {
    let next = match object.get("next") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err(InvalidResponse::WrongShape("its `next` is no text")),
    };
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

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

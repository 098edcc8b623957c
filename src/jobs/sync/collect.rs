//! One read of one company, slice by slice: each slice is observed and acted upon in a transaction of its own,
//! so that a read of any length needs little memory and keeps what it has. What is missing is counted as a
//! doubt, and never as a fact.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use crate::connect::{BambooHrApi, LinkedAccount, MergeApi, ReadError, history_begins};
use crate::db::error::chain;
use crate::engine::Engine;
use crate::engine::audit::Actor;
use crate::engine::execute::Outcome;
use crate::jobs::deliveries::LoopState;
use crate::roster::{self, Observation};
use leaver_core::domain::{EmployeeChange, EmployeeId, SourceName, Tenant};
use leaver_core::providers::{ChangedAction, EmployeeRead, bamboohr_removal};

/// So many employees of BambooHR's are being read at a time.
const AT_ONCE: usize = 8;
/// So many records of BambooHR's make one slice at most: single answers are few bytes, and a transaction for each
/// handful of them would cost more than what it does.
const SLICE: usize = 200;
/// Whose termination date is this near is read again, since a date that passes is no change.
const NEAR: TimeDelta = TimeDelta::days(2);

/// What a read has come to so far.
pub(crate) struct SyncRun<'s> {
    worker: &'s Engine,
    source: &'s SourceName,
    memory: &'s mut LoopState,
    progress: &'s (dyn Fn(&str, u64) + Sync),
    account: &'s str,
    /// How many records came.
    pub(crate) records: u64,
    /// How many employees ended how.
    pub(crate) outcomes: BTreeMap<Outcome, usize>,
    doubts: BTreeMap<String, usize>,
}

impl<'s> SyncRun<'s> {
    pub(crate) fn new(
        worker: &'s Engine,
        source: &'s SourceName,
        memory: &'s mut LoopState,
        progress: &'s (dyn Fn(&str, u64) + Sync),
        account: &'s str,
    ) -> Self {
        Self {
            worker,
            source,
            memory,
            progress,
            account,
            records: 0,
            outcomes: BTreeMap::new(),
            doubts: BTreeMap::new(),
        }
    }

    /// Why the read is incomplete although it came to its end.
    pub(crate) fn doubts(&self) -> Option<String> {
        let doubts: Vec<String> = self
            .doubts
            .iter()
            .map(|(what, count)| format!("{count} of the records: {what}"))
            .collect();
        (!doubts.is_empty()).then(|| doubts.join("; "))
    }

    fn doubt(&mut self, what: impl Into<String>) {
        *self.doubts.entry(what.into()).or_default() += 1;
    }

    async fn apply_in_chunks(
        &mut self,
        changes: Vec<EmployeeChange>,
        began: Option<DateTime<Utc>>,
    ) -> Result<(), String> {
        let seen_at = self.worker.clock.now();
        self.records += u64::try_from(changes.len()).unwrap_or_default();
        let observations: Vec<Observation> = changes
            .into_iter()
            .map(|change| Observation::new(self.source.clone(), change, began, seen_at, None))
            .collect();
        let taken = self
            .worker
            .apply_in_chunks(
                self.memory,
                self.source.as_str(),
                observations,
                &Actor::Sync,
            )
            .await;
        for (outcome, count) in taken.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (cause, count) in taken.failed {
            *self
                .doubts
                .entry(format!("nothing could be done: {cause}"))
                .or_default() += count;
        }
        if let Some(reason) = taken.ended {
            return Err(reason);
        }
        (self.progress)(self.account, self.records);
        Ok(())
    }
}

/// Reads a linked account: everybody, or who changed after a time.
///
/// The error says why the read ended early.
pub(crate) async fn merge(
    gathered: &mut SyncRun<'_>,
    api: &MergeApi,
    account: &LinkedAccount,
    after: Option<DateTime<Utc>>,
) -> Result<(), String> {
    let said = |error: ReadError| error.to_string();
    let connection = api.connection(account).await.map_err(said)?;
    if let Some(doubt) = connection.doubt() {
        return Err(doubt.to_owned());
    }
    let models = api.sync_status(account).await.map_err(said)?;
    let model = models
        .iter()
        .find(|model| model.model_id == "hris.Employee")
        .ok_or("Merge reports no sync of employees for this linked account")?;
    if let Some(doubt) = model.doubt() {
        return Err(doubt.to_owned());
    }
    let mut pages = api.employees(account, after);
    while let Some(page) = pages.next().await.map_err(said)? {
        for bad in &page.bad_entries {
            gathered.doubt(bad.cause.to_string());
        }
        gathered.apply_in_chunks(page.changes, None).await?;
    }
    if after.is_none() && gathered.records == 0 {
        return Err("the list of everybody is empty".to_owned());
    }
    Ok(())
}

/// Reads a BambooHR company: everybody, or who changed after a time, and whose end is near.
///
/// The error says why the read ended early.
pub(crate) async fn bamboohr(
    gathered: &mut SyncRun<'_>,
    api: &BambooHrApi,
    tenant: &Tenant,
    after: Option<DateTime<Utc>>,
) -> Result<(), String> {
    let began = gathered.worker.clock.now();
    let since = after.unwrap_or_else(history_begins);
    let changed = api.changed_since(since).await.map_err(|e| e.to_string())?;
    if after.is_none() && changed.employees.is_empty() {
        return Err("the list of everybody is empty".to_owned());
    }
    for bad in &changed.bad_entries {
        gathered.doubt(bad.cause.to_string());
    }
    let mut removals = vec![];
    let mut to_read = vec![];
    for entry in changed.employees {
        if entry.action == ChangedAction::Deleted {
            let gone_at = entry.last_changed.unwrap_or(began);
            removals.push(bamboohr_removal(&entry.employee_id, gone_at, tenant));
        } else {
            to_read.push(entry.employee_id);
        }
    }
    for slice in removals.chunks(SLICE) {
        gathered
            .apply_in_chunks(slice.to_vec(), Some(began))
            .await?;
    }
    let near = nearly_leaving(gathered, began).await?;
    to_read.extend(near);
    to_read.sort();
    to_read.dedup();
    each(gathered, api, &to_read, began).await
}

async fn nearly_leaving(
    gathered: &SyncRun<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<EmployeeId>, String> {
    let (from, until) = ((now - NEAR).date_naive(), (now + NEAR).date_naive());
    let found = async {
        let mut conn = gathered.worker.pool.acquire().await?;
        roster::sync_state::store::find_leaving(&mut conn, gathered.source, from, until).await
    };
    let found: Result<Vec<EmployeeId>, sqlx::Error> = gathered.worker.pool.heard(found).await;
    found.map_err(|error| format!("our database: {}", chain(&error)))
}

/// Reads these one by one, some at a time, and takes in what came as soon as it makes a slice, or when an error
/// ends the read.
///
/// The error says why the read ended early.
pub(crate) async fn each(
    gathered: &mut SyncRun<'_>,
    api: &BambooHrApi,
    employees: &[EmployeeId],
    began: DateTime<Utc>,
) -> Result<(), String> {
    let mut waiting = employees.iter();
    let mut reads: JoinSet<Result<Option<EmployeeRead>, ReadError>> = JoinSet::new();
    let mut slice = Vec::with_capacity(SLICE);
    let mut ended = None;
    loop {
        while ended.is_none()
            && reads.len() < AT_ONCE
            && let Some(id) = waiting.next()
        {
            let (api, id) = (api.clone(), id.clone());
            reads.spawn(async move { api.employee(&id).await });
        }
        let Some(read) = reads.join_next().await else {
            break;
        };
        match read {
            Ok(Ok(Some(read))) => {
                if read.withheld.contains(&"status") {
                    gathered.doubt("the API shows no `status`");
                }
                slice.push(read.change);
            }
            // That somebody changed and is not there is a contradiction, not a departure.
            Ok(Ok(None)) => gathered.doubt("changed, and is not there (404)"),
            Ok(Err(
                error @ (ReadError::Forbidden { .. }
                | ReadError::NullRecord { .. }
                | ReadError::InvalidId),
            )) => gathered.doubt(error.to_string()),
            // The first one is the cause; those after it may be its consequences.
            Ok(Err(error)) => {
                ended.get_or_insert(error.to_string());
            }
            Err(_bug) => gathered.doubt("a bug ended the read"),
        }
        if slice.len() >= SLICE {
            let full = std::mem::replace(&mut slice, Vec::with_capacity(SLICE));
            gathered.apply_in_chunks(full, Some(began)).await?;
        }
    }
    gathered.apply_in_chunks(slice, Some(began)).await?;
    ended.map_or(Ok(()), Err)
}

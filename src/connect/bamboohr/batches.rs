//! A read of many employees: the list of changes first, then each employee, several at a time.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use super::{BambooHrApi, history_begins, withheld};
use crate::base::traces::inherit;
use crate::connect::{EmployeeBatch, ReadError};
use leaver_core::domain::{ChangeKind, EmployeeChange, EmployeeId, Facts, Field};
use leaver_core::providers::{ChangedAction, EmployeeRead, bamboohr_deletion};

/// Employees read at the same time.
const CONCURRENT_READS: usize = 8;
/// Records per batch at most. Responses are small, so a transaction for each handful would cost more than its work.
const BATCH_SIZE: usize = 200;

/// The batches of one read. Dropping it aborts the requests in flight.
pub(crate) struct EmployeeBatches<'a> {
    api: &'a BambooHrApi,
    began: DateTime<Utc>,
    /// Set until the list of changes was read.
    list: Option<ChangeList>,
    removals: VecDeque<EmployeeChange>,
    pending: VecDeque<EmployeeId>,
    reads: JoinSet<(EmployeeId, Result<Option<EmployeeRead>, ReadError>)>,
    /// When the listed employees of an incremental read changed.
    changed_at: HashMap<EmployeeId, DateTime<Utc>>,
    warnings: Vec<String>,
    error: Option<ReadError>,
}

struct ChangeList {
    since: Option<DateTime<Utc>>,
    also: Vec<EmployeeId>,
}

impl BambooHrApi {
    /// Starts a read of who changed after `since`, or of everybody, and of `also`.
    pub(crate) fn changed_batches(
        &self,
        since: Option<DateTime<Utc>>,
        also: Vec<EmployeeId>,
    ) -> EmployeeBatches<'_> {
        EmployeeBatches {
            list: Some(ChangeList { since, also }),
            ..self.employee_batches(vec![])
        }
    }

    /// Starts a read of these employees.
    pub(crate) fn employee_batches(&self, employees: Vec<EmployeeId>) -> EmployeeBatches<'_> {
        EmployeeBatches {
            api: self,
            began: self.now(),
            list: None,
            removals: VecDeque::new(),
            pending: employees.into(),
            reads: JoinSet::new(),
            changed_at: HashMap::new(),
            warnings: vec![],
            error: None,
        }
    }
}

impl EmployeeBatches<'_> {
    /// Fetches the next batch. After an error the requests in flight still finish, and their records come first.
    ///
    /// # Errors
    /// The first [`ReadError`] that concerns more than one employee.
    pub(crate) async fn next(&mut self) -> Result<Option<EmployeeBatch>, ReadError> {
        if let Some(list) = self.list.take() {
            self.read_list(list).await?;
        }
        let changes = if self.removals.is_empty() {
            self.read_employees().await
        } else {
            let count = self.removals.len().min(BATCH_SIZE);
            self.removals.drain(..count).collect()
        };
        if changes.is_empty() && self.warnings.is_empty() {
            return self.error.take().map_or(Ok(None), Err);
        }
        Ok(Some(EmployeeBatch {
            changes,
            fallback_as_of: Some(self.began),
            warnings: std::mem::take(&mut self.warnings),
        }))
    }

    async fn read_list(&mut self, list: ChangeList) -> Result<(), ReadError> {
        let since = list.since.unwrap_or_else(history_begins);
        let changed = self.api.changed_since(since).await?;
        if list.since.is_none() && changed.employees.is_empty() {
            return Err(ReadError::NoEmployees);
        }
        let causes = changed.bad_entries.iter().map(|bad| bad.cause.to_string());
        self.warnings.extend(causes);
        let mut to_read = list.also;
        for entry in changed.employees {
            if entry.action == ChangedAction::Deleted {
                let deleted_at = entry.last_changed.unwrap_or(self.began);
                let removal = bamboohr_deletion(&entry.employee_id, deleted_at, &self.api.tenant);
                self.removals.push_back(removal);
            } else {
                // A full read lists everybody since the beginning, also those who are out of sight for good.
                if list.since.is_some()
                    && let Some(at) = entry.last_changed
                {
                    self.changed_at.insert(entry.employee_id.clone(), at);
                }
                to_read.push(entry.employee_id);
            }
        }
        to_read.sort();
        to_read.dedup();
        self.pending = to_read.into();
        Ok(())
    }

    async fn read_employees(&mut self) -> Vec<EmployeeChange> {
        let mut changes = vec![];
        while changes.len() < BATCH_SIZE {
            while self.error.is_none()
                && self.reads.len() < CONCURRENT_READS
                && let Some(id) = self.pending.pop_front()
            {
                let api = self.api.clone();
                self.reads.spawn(inherit(async move {
                    let read = api.employee(&id).await;
                    (id, read)
                }));
            }
            match self.reads.join_next().await {
                None => break,
                Some(Ok((id, Ok(Some(read))))) => {
                    if let Some(missing) = withheld(&read) {
                        self.warn(missing);
                    }
                    if matches!(read.change.facts.status, Field::Absent) {
                        changes.extend(self.change_without_values(id));
                    }
                    changes.push(read.change);
                }
                // An employee that is listed as changed and does not exist is a contradiction, not a removal.
                Some(Ok((id, Ok(None)))) => {
                    self.warn("listed as changed, but does not exist (404)");
                    changes.extend(self.change_without_values(id));
                }
                Some(Ok((
                    id,
                    Err(
                        error @ (ReadError::Forbidden { .. }
                        | ReadError::NullRecord { .. }
                        | ReadError::UnreadableRecord { .. }),
                    ),
                ))) => {
                    self.warn(error.to_string());
                    changes.extend(self.change_without_values(id));
                }
                Some(Ok((_, Err(error @ ReadError::InvalidId)))) => self.warn(error.to_string()),
                // Later errors may follow from the first.
                Some(Ok((_, Err(error)))) => {
                    self.error.get_or_insert(error);
                }
                Some(Err(_panic)) => self.warn("a bug ended the read"),
            }
        }
        changes
    }

    /// Returns the change of a listed employee whose values cannot be read. It has the same effect as a webhook without
    /// values: the read stays pending.
    fn change_without_values(&mut self, employee_id: EmployeeId) -> Option<EmployeeChange> {
        let changed_at = self.changed_at.remove(&employee_id)?;
        Some(EmployeeChange {
            tenant: self.api.tenant.clone(),
            employee_id,
            kind: ChangeKind::Updated,
            as_of: Some(changed_at),
            facts: Facts::default(),
            notification_only: true,
            linked_account: None,
        })
    }

    fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }
}

//! A read of many employees: the list of changes, then the records in the best way that the account allows, then single
//! reads of employees that it did not return.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::batches::Output;
use super::rows::{Place, Rows, can_end_access};
use super::ways::{ReadWay, Way, WayFailure};
use super::{BambooHrApi, history_begins};
use crate::connect::{ReadError, Selection};
use leaver_core::domain::{ChangeKind, EmployeeChange, EmployeeId, Facts, Field, Status};
use leaver_core::providers::{ChangedAction, EmployeeRead, InvalidRow, bamboohr_deletion};

/// Why a record without a status is incomplete.
pub(super) const NO_STATUS: &str = "the API returns no `status`";
/// Why a record that comes twice is incomplete.
const TWICE: &str = "more than once in one answer";
/// Why a record is incomplete whose single read did not take place.
const NOT_READ: &str = "a single read is needed, and none was possible";

/// The number of changed employees up to which each is read alone if the report on them fails.
const FEW: usize = 200;

/// The state of one read.
pub(super) struct Reader {
    pub(super) api: BambooHrApi,
    pub(super) out: Output,
    began: DateTime<Utc>,
    /// When the listed employees of an incremental read changed.
    changed_at: HashMap<EmployeeId, DateTime<Utc>>,
    /// The rows so far.
    pub(super) rows: Rows,
    /// True if rows of the answer are missing, and one of them may contradict another.
    pub(super) has_gap: bool,
}

/// The list of changes, before the records are read.
pub(super) struct Listed {
    /// The time since which changes are read; `None` for all employees.
    pub(super) since: Option<DateTime<Utc>>,
    /// When each listed employee last changed.
    pub(super) employees: BTreeMap<u64, Option<DateTime<Utc>>>,
    /// Other employees to read.
    others: Vec<EmployeeId>,
}

impl Reader {
    pub(super) fn new(api: BambooHrApi, out: Output) -> Self {
        Self {
            began: api.now(),
            api,
            out,
            changed_at: HashMap::new(),
            rows: Rows::default(),
            has_gap: false,
        }
    }

    /// Sends the last records, also after an error.
    pub(super) async fn end(mut self, result: Result<(), ReadError>) -> Result<(), ReadError> {
        // Of an answer without an end no row is left.
        for unclear in self.rows.take_all_unclear().into_values() {
            self.out.warn(NOT_READ);
            if let Some(row) = unclear.row {
                self.out.push(row).await;
            }
        }
        self.out.flush().await;
        result
    }

    /// Reads the selected employees.
    pub(super) async fn read_changed(&mut self, selection: Selection) -> Result<(), ReadError> {
        let listed = self.read_list(&selection).await?;
        if listed.employees.is_empty() {
            // Nobody else makes a read of everybody complete whose list has deleted records only.
            let has_others = listed.others.len() > selection.also.len();
            return if selection.since.is_some() || has_others {
                self.read_each(listed.others).await
            } else {
                Ok(())
            };
        }
        let way = match self.read_in_best_way(&listed, &selection).await {
            Ok(way) => way,
            Err(error) => {
                self.rows.leave_way();
                return Err(error);
            }
        };
        let is_bulk = way.way != Way::Single;
        self.api.ways.set_last(way);
        let mut single = self.rows.unclear(false);
        single.extend(listed.others.into_iter().filter(|id| !self.is_seen(id)));
        let left_out = listed.employees.into_iter();
        let mut left_out: Vec<(u64, Option<DateTime<Utc>>)> =
            left_out.filter(|(key, _)| !self.rows.has(*key)).collect();
        // The last changed first, since not all of them may be read.
        left_out.sort_by_key(|(key, changed_at)| (std::cmp::Reverse(*changed_at), *key));
        let left_out: Vec<EmployeeId> = left_out
            .into_iter()
            .map(|(key, _)| EmployeeId::new(key.to_string()))
            .collect();
        if is_bulk {
            self.read_each(single).await?;
            self.read_hollow().await?;
            self.read_left_out(left_out).await
        } else {
            single.extend(left_out);
            self.read_each(single).await?;
            self.read_hollow().await
        }
    }

    /// Reads the list of changes, and passes on the deletions.
    async fn read_list(&mut self, selection: &Selection) -> Result<Listed, ReadError> {
        let since = selection.since.unwrap_or_else(history_begins);
        let changed = self.api.changed_since(since).await?;
        if selection.since.is_none() && changed.employees.is_empty() {
            return Err(ReadError::NoEmployees);
        }
        for bad in changed.bad_entries {
            self.out.warn(bad.cause.to_string());
        }
        let mut listed = Listed {
            since: selection.since,
            employees: BTreeMap::new(),
            others: selection.also.clone(),
        };
        for entry in changed.employees {
            if entry.action == ChangedAction::Deleted {
                let deleted_at = entry.last_changed.unwrap_or(self.began);
                let deletion = bamboohr_deletion(&entry.employee_id, deleted_at, &self.api.tenant);
                self.out.push(deletion).await;
                continue;
            }
            // A full read lists everybody since the beginning, also employees that the key will never see.
            if selection.since.is_some()
                && let Some(at) = entry.last_changed
            {
                self.changed_at.insert(entry.employee_id.clone(), at);
            }
            match key(&entry.employee_id) {
                Some(key) => {
                    listed.employees.insert(key, entry.last_changed);
                }
                None => listed.others.push(entry.employee_id),
            }
        }
        Ok(listed)
    }

    /// Reads the records in the first way that the account allows. Returns it.
    async fn read_in_best_way(
        &mut self,
        listed: &Listed,
        selection: &Selection,
    ) -> Result<ReadWay, ReadError> {
        let mut reasons = vec![];
        for way in [Way::Report, Way::Dataset] {
            // A dataset shows no future-dated values, and a change can be the entry of one.
            if way == Way::Dataset && listed.since.is_some() {
                reasons.push("the dataset does not show which dates were entered".to_owned());
                continue;
            }
            let now = self.api.now();
            if let Some(reason) = self.api.ways.refusal(way, now) {
                reasons.push(reason);
                continue;
            }
            self.has_gap = false;
            let read = match way {
                Way::Report => self.read_report(listed).await,
                _ => self.read_dataset(listed, selection).await,
            };
            match read {
                Ok(()) => {
                    if self.has_gap {
                        // Single reads bring those that waited.
                        self.rows.leave_way();
                    } else {
                        self.pass_on_waiting().await;
                    }
                    self.api.ways.allow(way);
                    reasons.push(format!("the account allows the {}", way.as_str()));
                    let because = reasons.join(", and ");
                    return Ok(ReadWay { way, because });
                }
                Err(WayFailure::Refused(reason)) => {
                    tracing::info!(
                        way = way.as_str(),
                        reason,
                        "sync.way: not allowed; the next one follows"
                    );
                    self.api.ways.refuse(way, now, reason.clone());
                    reasons.push(reason);
                    self.rows.leave_way();
                }
                Err(WayFailure::Read(error)) => {
                    let has_other_way = !concerns_other_ways(&error);
                    let fails_again = has_other_way && self.api.ways.fails_again(way);
                    let is_unauthorized = matches!(error, ReadError::Unauthorized { .. });
                    let is_few = listed.since.is_some() && listed.employees.len() <= FEW;
                    if is_unauthorized && fails_again {
                        let reason = format!("the {} is refused (401)", way.as_str());
                        self.api.ways.refuse(way, now, reason.clone());
                        reasons.push(reason);
                    } else {
                        reasons.push(format!("the {} failed", way.as_str()));
                        if !has_other_way || !(is_few || fails_again) {
                            let because = reasons.join(", and ");
                            self.api.ways.set_last(ReadWay { way, because });
                            return Err(error);
                        }
                        // The warning makes the read incomplete, whatever the next way brings.
                        self.out
                            .warn(format!("the {} failed: {error}", way.as_str()));
                    }
                    self.rows.leave_way();
                }
            }
        }
        let because = reasons.join(", and ");
        Ok(ReadWay {
            way: Way::Single,
            because,
        })
    }

    /// Passes on the rows that waited for the end of the answer.
    async fn pass_on_waiting(&mut self) {
        while let Some(part) = self.rows.take_waiting() {
            for row in part {
                let change = EmployeeChange {
                    tenant: self.api.tenant.clone(),
                    employee_id: EmployeeId::new(row.key.to_string()),
                    kind: ChangeKind::Updated,
                    as_of: row.as_of,
                    facts: row.facts,
                    notification_only: false,
                    linked_account: None,
                };
                self.out.push(change).await;
            }
        }
    }

    fn is_seen(&self, id: &EmployeeId) -> bool {
        key(id).is_some_and(|key| self.rows.has(key))
    }

    /// Adds a row of a bulk read, of which the fields in `withheld` are absent. The employee gets a single read instead if
    /// `needs_single_read` returns true. Returns false if the row names no employee who is new.
    pub(super) async fn take_row(
        &mut self,
        row: Result<EmployeeRead, InvalidRow>,
        withheld: &[&str],
        needs_single_read: impl Fn(&EmployeeChange) -> bool,
    ) -> bool {
        let id = match &row {
            Ok(read) => Some(&read.change.employee_id),
            Err(bad) => bad.employee_id.as_ref(),
        };
        let Some(id) = id.cloned() else {
            if let Err(bad) = row {
                self.out.warn(bad.problem.to_string());
            }
            return false;
        };
        let Some(key) = key(&id) else {
            self.out.warn(ReadError::InvalidId.to_string());
            return false;
        };
        if self.rows.is_of_earlier_way(key) {
            return true;
        }
        let facts = row.as_ref().ok().map(|read| &read.change.facts);
        match self.rows.place(key, facts) {
            Place::First => {}
            Place::Repeated => return false,
            Place::Contradicting => {
                self.out.warn(TWICE);
                self.rows.read_singly(id, false, None);
                return false;
            }
        }
        let Ok(read) = row else {
            self.rows.read_singly(id, true, None);
            return true;
        };
        let missing = super::withheld(&read);
        // The same key would be refused again, so nothing is read later.
        let is_withheld = withheld.contains(&"status");
        let facts = &read.change.facts;
        if !is_withheld && matches!(facts.status, Field::Absent) {
            self.rows.read_singly(id, true, Some(read.change));
        } else if !is_withheld && is_unclear(facts) {
            self.rows.read_singly(id, false, Some(read.change));
        } else if !is_withheld && needs_single_read(&read.change) {
            self.rows.read_singly(id, false, None);
        } else {
            if let Some(missing) = missing {
                self.out.warn(missing);
            }
            if can_end_access(facts) {
                self.rows.wait(key, read.change);
            } else {
                self.out.push(read.change).await;
            }
        }
        true
    }

    /// Returns the change of a listed employee whose values cannot be read. It has the same effect as a webhook without
    /// values: the read stays pending.
    pub(super) fn change_without_values(
        &mut self,
        employee_id: &EmployeeId,
    ) -> Option<EmployeeChange> {
        let changed_at = self.changed_at.remove(employee_id)?;
        Some(EmployeeChange {
            tenant: self.api.tenant.clone(),
            employee_id: employee_id.clone(),
            kind: ChangeKind::Updated,
            as_of: Some(changed_at),
            facts: Facts::default(),
            notification_only: true,
            linked_account: None,
        })
    }
}

/// Returns whether the error of one way shows that the others fail, too. A 401 does not: the list of changes was read with
/// the same key a moment ago.
fn concerns_other_ways(error: &ReadError) -> bool {
    error.concerns_all_requests() && !matches!(error, ReadError::Unauthorized { .. })
}

/// Returns true if a value of a row has an unknown form.
// The contract describes the values of a single read only.
fn is_unclear(facts: &Facts) -> bool {
    matches!(
        facts.status,
        Field::Unreadable | Field::Value(Status::Unknown(_))
    ) || matches!(facts.employment_status, Field::Unreadable)
        || matches!(facts.hire_date, Field::Unreadable)
        || matches!(facts.termination_date, Field::Unreadable)
        || matches!(facts.work_email, Field::Unreadable)
}

/// Returns the number that an id of BambooHR is. Ids are kept as numbers, since a company can have 100,000 of them.
pub(super) fn key(id: &EmployeeId) -> Option<u64> {
    let text = id.as_str();
    let has_one_form = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    has_one_form.then(|| text.parse().ok()).flatten()
}

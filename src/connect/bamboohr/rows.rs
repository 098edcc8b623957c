//! The rows of a bulk read, until its end. A row that can end access waits for the end of the answer, since a later row of the
//! same employee can contradict it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use chrono::{DateTime, Utc};

use leaver_core::domain::{EmployeeChange, EmployeeId, EmploymentStatus, Facts, Field, Status};

/// Rows per part of the list of waiting rows. A list in one piece would be copied as it grows.
const PART: usize = 4_096;
/// Most unclear employees whose rows are kept.
const MAX_UNCLEAR_ROWS: usize = 1_000;

/// The rows so far.
#[derive(Default)]
pub(super) struct Rows {
    /// A digest of the facts of each employee's first row.
    seen: HashMap<u64, u64>,
    hashes: RandomState,
    /// Employees of rows of a way that failed. They are not taken from the next way again.
    earlier: HashSet<u64>,
    /// Employees with two rows that differ.
    contradicted: HashSet<u64>,
    /// Rows that can end access, in the order of their arrival.
    waiting: VecDeque<Vec<Waiting>>,
    /// Employees that need a single read after their rows.
    unclear: BTreeMap<EmployeeId, Unclear>,
    /// Number of rows that are kept with them.
    kept: usize,
}

/// A row that waits for the end of the answer. A company of 100,000 can have as many.
pub(super) struct Waiting {
    /// The employee.
    pub(super) key: u64,
    /// When the request of the row began.
    pub(super) as_of: Option<DateTime<Utc>>,
    /// The facts of the row.
    pub(super) facts: Facts,
}

/// An employee that needs a single read.
pub(super) struct Unclear {
    /// True if the row has no status, so that the single read may have none either.
    pub(super) is_hollow: bool,
    /// The row, which counts if there is no answer to the single read.
    pub(super) row: Option<EmployeeChange>,
}

/// The relation of a row to earlier rows of its employee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There is none.
    First,
    /// It repeats the earlier one.
    Repeated,
    /// It is the first that differs from the earlier one.
    Contradicting,
}

impl Rows {
    /// Adds the row of an employee; `facts` are `None` if it cannot be parsed.
    pub(super) fn place(&mut self, key: u64, facts: Option<&Facts>) -> Place {
        let digest = self.hashes.hash_one(facts);
        match self.seen.get(&key) {
            None => {
                self.seen.insert(key, digest);
                Place::First
            }
            Some(first) if *first == digest => Place::Repeated,
            Some(_) if self.contradicted.insert(key) => Place::Contradicting,
            Some(_) => Place::Repeated,
        }
    }

    /// Returns whether an employee had a row, other than one that was dropped.
    pub(super) fn has(&self, key: u64) -> bool {
        self.seen.contains_key(&key)
    }

    /// Returns whether an employee had a row of a way that failed.
    pub(super) fn is_of_earlier_way(&self, key: u64) -> bool {
        self.earlier.contains(&key)
    }

    /// Keeps a row until the end of the answer.
    pub(super) fn wait(&mut self, key: u64, change: EmployeeChange) {
        let waiting = Waiting {
            key,
            as_of: change.as_of,
            facts: change.facts,
        };
        match self.waiting.back_mut() {
            Some(part) if part.len() < PART => part.push(waiting),
            _ => {
                let mut part = Vec::with_capacity(PART);
                part.push(waiting);
                self.waiting.push_back(part);
            }
        }
    }

    /// Takes the rows that waited and that no other row contradicts, a part at a time, at the end of the answer.
    pub(super) fn take_waiting(&mut self) -> Option<Vec<Waiting>> {
        let mut part = self.waiting.pop_front()?;
        part.retain(|row| !self.contradicted.contains(&row.key));
        Some(part)
    }

    /// Ends a way that failed. What waited is dropped: the next way or single reads bring it.
    pub(super) fn leave_way(&mut self) {
        for row in std::mem::take(&mut self.waiting).iter().flatten() {
            self.seen.remove(&row.key);
        }
        self.unclear
            .values_mut()
            .for_each(|unclear| unclear.row = None);
        self.kept = 0;
        self.earlier = self.seen.keys().copied().collect();
    }

    /// Has an employee read singly. The row is kept for the case that there is no answer.
    pub(super) fn read_singly(
        &mut self,
        id: EmployeeId,
        is_hollow: bool,
        row: Option<EmployeeChange>,
    ) {
        let row = row.filter(|_| self.kept < MAX_UNCLEAR_ROWS);
        self.kept += usize::from(row.is_some());
        self.unclear.insert(id, Unclear { is_hollow, row });
    }

    /// Lists the employees that need a single read, of those with a status in their row or of the others.
    pub(super) fn unclear(&self, is_hollow: bool) -> Vec<EmployeeId> {
        let unclear = self.unclear.iter();
        unclear
            .filter(|(_, unclear)| unclear.is_hollow == is_hollow)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Takes an employee off that list.
    pub(super) fn take_unclear(&mut self, id: &EmployeeId) -> Option<Unclear> {
        self.unclear.remove(id)
    }

    /// Takes all employees off that list.
    pub(super) fn take_all_unclear(&mut self) -> BTreeMap<EmployeeId, Unclear> {
        std::mem::take(&mut self.unclear)
    }
}

/// Returns whether a row can end access: it shows anything but an active employee without an end.
pub(super) fn can_end_access(facts: &Facts) -> bool {
    !matches!(facts.status, Field::Value(Status::Active))
        || !matches!(facts.termination_date, Field::Absent | Field::Empty)
        || matches!(
            facts.employment_status,
            Field::Value(EmploymentStatus::Terminated)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_waits_takes_few_bytes() {
        // With the text of an e-mail, 100,000 of them take less than 16 MiB.
        assert!(size_of::<Waiting>() <= 128, "{}", size_of::<Waiting>());
    }

    #[test]
    fn a_way_that_failed_leaves_no_waiting_row() {
        let mut rows = Rows::default();
        let facts = Facts {
            status: Field::Value(Status::Inactive),
            ..Facts::default()
        };
        assert_eq!(rows.place(1, Some(&facts)), Place::First);
        assert_eq!(rows.place(2, Some(&Facts::default())), Place::First);
        assert_eq!(rows.place(2, Some(&Facts::default())), Place::Repeated);
        assert_eq!(rows.place(2, Some(&facts)), Place::Contradicting);
        assert_eq!(rows.place(2, None), Place::Repeated);
        assert!(can_end_access(&facts));
        let change = EmployeeChange {
            tenant: leaver_core::domain::Tenant::new("widgets"),
            employee_id: EmployeeId::new("1"),
            kind: leaver_core::domain::ChangeKind::Updated,
            as_of: None,
            facts,
            notification_only: false,
            linked_account: None,
        };
        rows.wait(1, change);
        rows.leave_way();
        assert!(rows.take_waiting().is_none());
        assert_eq!((rows.has(1), rows.has(2)), (false, true));
        assert!(rows.is_of_earlier_way(2) && !rows.is_of_earlier_way(1));
    }
}

//! Reads of one employee each, several at a time.

use std::collections::VecDeque;

use tokio::task::JoinSet;

use super::reader::{NO_STATUS, Reader};
use super::withheld;
use crate::base::traces::inherit;
use crate::connect::ReadError;
use crate::connect::http::Scope;
use leaver_core::domain::{EmployeeId, Field};

/// Employees read at the same time.
const CONCURRENT_READS: usize = 8;
/// After this many refusals, other employees that a bulk read left out are not read.
// Each 403 blocks one of the host's ten requests for ten seconds.
const MAX_REFUSALS: usize = 10;
/// Why an employee is missing that a bulk read left out.
const LEFT_OUT: &str = "listed as changed, but left out of the answer";

impl Reader {
    /// Reads these employees. After an error the requests in flight still finish, and their records come first.
    pub(super) async fn read_each(
        &mut self,
        mut employees: Vec<EmployeeId>,
    ) -> Result<(), ReadError> {
        employees.sort();
        employees.dedup();
        let mut refusals = None;
        self.read_ids(employees.into(), Scope::Record, LEFT_OUT, &mut refusals)
            .await
    }

    /// Reads employees that are listed as changed and missing in a bulk read, until too many are refused.
    pub(super) async fn read_left_out(
        &mut self,
        employees: Vec<EmployeeId>,
    ) -> Result<(), ReadError> {
        let mut refusals = Some(MAX_REFUSALS);
        let scope = Scope::LeftOutRecord;
        self.read_ids(employees.into(), scope, LEFT_OUT, &mut refusals)
            .await
    }

    /// Reads employees whose rows have no status, until too many single reads have none either.
    pub(super) async fn read_hollow(&mut self) -> Result<(), ReadError> {
        let employees = self.rows.unclear(true).into();
        let mut refusals = Some(MAX_REFUSALS);
        let scope = Scope::LeftOutRecord;
        self.read_ids(employees, scope, NO_STATUS, &mut refusals)
            .await
    }

    /// `refusals` is the number of refused employees after which the others are not read, for the reason `unread`.
    async fn read_ids(
        &mut self,
        mut pending: VecDeque<EmployeeId>,
        scope: Scope,
        unread: &str,
        refusals: &mut Option<usize>,
    ) -> Result<(), ReadError> {
        let mut reads = JoinSet::new();
        let mut error = None;
        loop {
            while error.is_none()
                && *refusals != Some(0)
                && reads.len() < CONCURRENT_READS
                && let Some(id) = pending.pop_front()
            {
                let api = self.api.clone();
                reads.spawn(inherit(async move {
                    let read = api.employee_in(&id, scope).await;
                    (id, read)
                }));
            }
            let Some(joined) = reads.join_next().await else {
                break;
            };
            let Ok((id, read)) = joined else {
                self.out.warn("a bug ended the read");
                continue;
            };
            match read {
                Ok(Some(read)) => {
                    let has_status = !matches!(read.change.facts.status, Field::Absent);
                    // Only refusals in a row show that the key sees none of the others.
                    if !has_status {
                        count_down(refusals);
                    } else if refusals.is_some() {
                        *refusals = Some(MAX_REFUSALS);
                    }
                    if let Some(missing) = withheld(&read) {
                        self.out.warn(missing);
                    } else if !has_status {
                        self.out.warn(NO_STATUS);
                    }
                    if !has_status && let Some(change) = self.change_without_values(&id) {
                        self.out.push(change).await;
                    }
                    self.rows.take_unclear(&id);
                    self.out.push(read.change).await;
                }
                // An employee that is listed as changed and does not exist is a contradiction, not a removal.
                Ok(None) => {
                    count_down(refusals);
                    self.miss(&id, "listed as changed, but does not exist (404)")
                        .await;
                }
                Err(
                    refused @ (ReadError::Forbidden { .. }
                    | ReadError::NullRecord { .. }
                    | ReadError::UnreadableRecord { .. }),
                ) => {
                    count_down(refusals);
                    self.miss(&id, &refused.to_string()).await;
                }
                Err(invalid @ ReadError::InvalidId) => self.out.warn(invalid.to_string()),
                // Later errors may follow from the first.
                Err(failed) => {
                    error.get_or_insert(failed);
                }
            }
        }
        if let Some(error) = error {
            return Err(error);
        }
        for id in pending {
            self.miss(&id, unread).await;
        }
        Ok(())
    }

    /// Counts an employee without an answer, and passes on what the row of a bulk read had.
    async fn miss(&mut self, id: &EmployeeId, warning: &str) {
        self.out.warn(warning);
        if let Some(change) = self.change_without_values(id) {
            self.out.push(change).await;
        }
        let unclear = self.rows.take_unclear(id);
        if let Some(row) = unclear.and_then(|unclear| unclear.row) {
            self.out.push(row).await;
        }
    }
}

fn count_down(refusals: &mut Option<usize>) {
    if let Some(left) = refusals {
        *left = left.saturating_sub(1);
    }
}

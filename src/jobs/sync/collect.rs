//! One read of one account, batch by batch. Batches are applied together, up to 2,000 records in one transaction, so a
//! read of any length needs little memory and keeps what it has. Missing records are counted as warnings, never taken as facts.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep_until};

use super::{SyncError, SyncReport};
use crate::connect::{EmployeeBatch, EmployeeBatches, ReadError};
use crate::engine::Engine;
use crate::engine::execute::Outcome;
use crate::engine::origin::Origin;
use crate::roster::Observation;
use leaver_core::domain::{ChangeKind, EmployeeChange, SourceName};

/// Number of records that are applied together: a transaction for each page would cost more than its work.
const APPLIED_AT_ONCE: usize = 2_000;
/// Longest time for which records wait for others. A slow API must not delay the end of access.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// Called with an account id and the number of records applied so far.
pub(super) type Progress<'p> = &'p (dyn Fn(&str, u64) + Sync);

/// A read in progress.
pub(super) struct SyncRun<'s> {
    engine: &'s Engine,
    source: &'s SourceName,
    account: &'s str,
    progress: Progress<'s>,
    origin: Origin,
    records: u64,
    /// True if a record was not deleted.
    has_present: bool,
    read: Vec<String>,
    /// Changes that are not applied yet, each with the time that holds for one without a time of its own.
    received: Vec<(EmployeeChange, Option<DateTime<Utc>>)>,
    received_since: Instant,
    outcomes: BTreeMap<Outcome, usize>,
    warnings: BTreeMap<String, usize>,
}

impl<'s> SyncRun<'s> {
    pub(super) fn new(
        engine: &'s Engine,
        source: &'s SourceName,
        account: &'s str,
        progress: Progress<'s>,
    ) -> Self {
        Self {
            engine,
            source,
            account,
            progress,
            origin: Origin::sync(),
            records: 0,
            has_present: false,
            read: vec![],
            received: vec![],
            received_since: Instant::now(),
            outcomes: BTreeMap::new(),
            warnings: BTreeMap::new(),
        }
    }

    /// Applies all batches, until one cannot be read or applied.
    pub(super) async fn apply_all(
        &mut self,
        mut batches: EmployeeBatches<'_>,
    ) -> Result<(), SyncError> {
        loop {
            match self.next_batch(&mut batches).await? {
                Ok(Some(batch)) => self.collect(batch).await?,
                Ok(None) => return self.apply().await,
                // Records that were received count, whatever follows.
                Err(error) => {
                    self.apply().await?;
                    return Err(error.into());
                }
            }
        }
    }

    /// Fetches the next batch, and applies the records before it if the response takes long.
    async fn next_batch(
        &mut self,
        batches: &mut EmployeeBatches<'_>,
    ) -> Result<Result<Option<EmployeeBatch>, ReadError>, SyncError> {
        let mut next = pin!(batches.next());
        loop {
            tokio::select! {
                batch = &mut next => return Ok(batch),
                () = sleep_until(self.received_since + MAX_DELAY), if !self.received.is_empty() => {
                    self.apply().await?;
                }
            }
        }
    }

    /// Returns the ids of the employees that were read so far.
    pub(super) fn take_ids(&mut self) -> Vec<String> {
        std::mem::take(&mut self.read)
    }

    /// Returns whether the read had a record that was not deleted.
    pub(super) fn has_present(&self) -> bool {
        self.has_present
    }

    /// Returns the report. The read is incomplete if it ended with an error or had warnings.
    pub(super) fn report(
        self,
        full: bool,
        host: &str,
        result: Result<(), SyncError>,
    ) -> SyncReport {
        let failed = result.as_ref().is_err_and(|error| match error {
            SyncError::Api(error) => self.records == 0 && error.is_without_answer(),
            SyncError::Database(_) | SyncError::Engine(_) => true,
        });
        let are_credentials_refused = result.as_ref().is_err_and(|error| match error {
            SyncError::Api(ReadError::Forbidden { .. }) => true,
            SyncError::Api(error) => error.concerns_credentials(),
            SyncError::Database(_) | SyncError::Engine(_) => false,
        });
        let error = result.err().map(|error| match error {
            SyncError::Api(error) => format!("{host}: {error}"),
            error => error.to_string(),
        });
        SyncReport {
            source: self.source.clone(),
            account: self.account.to_owned(),
            full,
            records: self.records,
            incomplete: match (error, warnings_text(&self.warnings)) {
                (Some(error), Some(warnings)) => Some(format!("{error}; {warnings}")),
                (error, warnings) => error.or(warnings),
            },
            outcomes: self.outcomes,
            are_credentials_refused,
            failed,
            way: None,
        }
    }

    /// Adds a batch to those received before, and applies them once they are many.
    async fn collect(&mut self, batch: EmployeeBatch) -> Result<(), SyncError> {
        for warning in batch.warnings {
            *self.warnings.entry(warning).or_default() += 1;
        }
        if self.received.is_empty() {
            self.received_since = Instant::now();
        }
        for mut change in batch.changes {
            self.has_present |= change.kind != ChangeKind::Deleted;
            self.read.push(change.employee_id.to_string());
            change.linked_account = Some(self.account.to_owned()).filter(|id| !id.is_empty());
            self.received.push((change, batch.fallback_as_of));
        }
        if self.received.len() >= APPLIED_AT_ONCE {
            return self.apply().await;
        }
        Ok(())
    }

    async fn apply(&mut self) -> Result<(), SyncError> {
        if self.received.is_empty() {
            return Ok(());
        }
        self.records += u64::try_from(self.received.len()).unwrap_or_default();
        let observed_at = self.engine.clock.now();
        let source = self.source;
        let observe = |(change, fallback): (EmployeeChange, _)| {
            Observation::new(source.clone(), change, fallback, observed_at, None)
        };
        let observations: Vec<Observation> = self.received.drain(..).map(observe).collect();
        let applied = self
            .engine
            .apply_in_chunks(self.source.as_str(), observations, &self.origin)
            .await;
        for (outcome, count) in applied.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (cause, count) in applied.failed {
            let warning = format!("could not be applied: {cause}");
            *self.warnings.entry(warning).or_default() += count;
        }
        if let Some(failure) = applied.ended {
            return Err(failure.into());
        }
        (self.progress)(self.account, self.records);
        Ok(())
    }
}

fn warnings_text(warnings: &BTreeMap<String, usize>) -> Option<String> {
    let texts: Vec<String> = warnings
        .iter()
        .map(|(warning, count)| format!("{count} of the records: {warning}"))
        .collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

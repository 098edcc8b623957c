//! One read of one account, batch by batch. Each batch is applied in a transaction of its own, so a read of any length
//! needs little memory and keeps what it has. Missing records are counted as warnings, never taken as facts.

use std::collections::BTreeMap;

use super::{SyncError, SyncReport};
use crate::connect::{EmployeeBatch, EmployeeBatches};
use crate::engine::Engine;
use crate::engine::execute::Outcome;
use crate::engine::origin::Origin;
use crate::roster::Observation;
use leaver_core::domain::{EmployeeChange, SourceName};

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
    read: Vec<String>,
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
            read: vec![],
            outcomes: BTreeMap::new(),
            warnings: BTreeMap::new(),
        }
    }

    /// Applies all batches, until one cannot be read or applied.
    pub(super) async fn apply_all(
        &mut self,
        mut batches: EmployeeBatches<'_>,
    ) -> Result<(), SyncError> {
        while let Some(batch) = batches.next().await? {
            self.apply(batch).await?;
        }
        Ok(())
    }

    /// Returns the ids of the employees that were read so far.
    pub(super) fn take_ids(&mut self) -> Vec<String> {
        std::mem::take(&mut self.read)
    }

    /// Returns the report. The read is incomplete if it ended with an error or had warnings.
    pub(super) fn report(
        self,
        full: bool,
        host: &str,
        result: Result<(), SyncError>,
    ) -> SyncReport {
        let error = result.err().map(|error| match error {
            SyncError::Api(error) => format!("{host}: {error}"),
            error => error.to_string(),
        });
        SyncReport {
            source: self.source.clone(),
            account: self.account.to_owned(),
            full,
            records: self.records,
            incomplete: error.or_else(|| warnings_text(&self.warnings)),
            outcomes: self.outcomes,
        }
    }

    async fn apply(&mut self, batch: EmployeeBatch) -> Result<(), SyncError> {
        for warning in batch.warnings {
            *self.warnings.entry(warning).or_default() += 1;
        }
        let observed_at = self.engine.clock.now();
        self.records += u64::try_from(batch.changes.len()).unwrap_or_default();
        let fallback = batch.fallback_as_of;
        let ids = batch
            .changes
            .iter()
            .map(|change| change.employee_id.to_string());
        self.read.extend(ids);
        let linked_account = Some(self.account).filter(|id| !id.is_empty());
        let observe = |mut change: EmployeeChange| {
            change.linked_account = linked_account.map(str::to_owned);
            Observation::new(self.source.clone(), change, fallback, observed_at, None)
        };
        let observations: Vec<Observation> = batch.changes.into_iter().map(observe).collect();
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

//! The batches of one read. A task of its own reads ahead, at most two batches.

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

use super::BambooHrApi;
use super::reader::Reader;
use crate::base::traces::inherit;
use crate::connect::{EmployeeBatch, ReadError, Selection};
use leaver_core::domain::{EmployeeChange, EmployeeId};

/// Records per batch at most. Each batch is one transaction.
const BATCH_SIZE: usize = 500;
/// Batches that wait to be taken.
const BATCHES_AHEAD: usize = 1;

/// The batches of one read. Dropping it aborts the requests in flight.
pub(crate) struct EmployeeBatches {
    batches: Receiver<EmployeeBatch>,
    task: JoinSet<Result<(), ReadError>>,
}

impl BambooHrApi {
    /// Starts a read of the selected employees.
    pub(crate) fn changed_batches(&self, selection: Selection) -> EmployeeBatches {
        EmployeeBatches::start(self, |mut reader| async move {
            let read = reader.read_changed(selection).await;
            reader.end(read).await
        })
    }

    /// Starts a read of these employees.
    pub(crate) fn employee_batches(&self, employees: Vec<EmployeeId>) -> EmployeeBatches {
        EmployeeBatches::start(self, |mut reader| async move {
            let read = reader.read_each(employees).await;
            reader.end(read).await
        })
    }
}

impl EmployeeBatches {
    fn start<F>(api: &BambooHrApi, read: impl FnOnce(Reader) -> F) -> Self
    where
        F: Future<Output = Result<(), ReadError>> + Send + 'static,
    {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let output = Output::new(sender, api.now());
        let mut task = JoinSet::new();
        task.spawn(inherit(read(Reader::new(api.clone(), output))));
        Self { batches, task }
    }

    /// Fetches the next batch.
    ///
    /// # Errors
    /// The first [`ReadError`] that concerns more than one employee, after all batches before it.
    pub(crate) async fn next(&mut self) -> Result<Option<EmployeeBatch>, ReadError> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        match self.task.join_next().await {
            None | Some(Ok(Ok(()))) => Ok(None),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_panic)) => Ok(Some(EmployeeBatch {
                warnings: vec!["a bug ended the read".to_owned()],
                ..EmployeeBatch::default()
            })),
        }
    }
}

/// Collects records into batches.
pub(super) struct Output {
    sender: Sender<EmployeeBatch>,
    began: DateTime<Utc>,
    changes: Vec<EmployeeChange>,
    warnings: Vec<String>,
}

impl Output {
    fn new(sender: Sender<EmployeeBatch>, began: DateTime<Utc>) -> Self {
        Self {
            sender,
            began,
            changes: vec![],
            warnings: vec![],
        }
    }

    /// Adds a record. Waits while earlier batches are not taken.
    pub(super) async fn push(&mut self, change: EmployeeChange) {
        self.changes.push(change);
        if self.changes.len() >= BATCH_SIZE {
            self.flush().await;
        }
    }

    /// Adds why a record is missing or incomplete.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Sends what was added.
    pub(super) async fn flush(&mut self) {
        if self.changes.is_empty() && self.warnings.is_empty() {
            return;
        }
        let batch = EmployeeBatch {
            changes: std::mem::take(&mut self.changes),
            fallback_as_of: Some(self.began),
            warnings: std::mem::take(&mut self.warnings),
        };
        // Nobody takes it if the read was dropped; this task is then aborted.
        drop(self.sender.send(batch).await);
    }
}

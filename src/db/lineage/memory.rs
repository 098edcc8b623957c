//! The memory of a process about the database. The state file has the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use super::RECEIPTS_COUNT;

/// Deliveries that are kept of each source. A flush commits all or nothing, and few flushes run at once. If the end of the WAL
/// is lost, one of the last deliveries is lost with it.
const RECEIPTS_PER_SOURCE: usize = 8;

/// The content of the memory and of the state file: ids, times and names of sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// The last mark; `None` before the first check.
    pub(crate) mark: Option<Mark>,
    /// The newest deliveries acknowledged since, by source.
    receipts: BTreeMap<String, VecDeque<Acknowledged>>,
}

/// A mark in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The id of the database.
    pub(crate) database: Uuid,
    /// The process that raised it.
    pub(crate) process: Uuid,
    /// Its value.
    pub(crate) value: i64,
    /// When it was raised.
    pub(crate) at: DateTime<Utc>,
}

/// A delivery that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acknowledged {
    /// Its id.
    pub(crate) id: Uuid,
    /// When it arrived.
    pub(crate) at: DateTime<Utc>,
    /// Its place in the order of acknowledgements.
    #[serde(skip)]
    pub(crate) order: u64,
}

impl Remembered {
    /// Returns the acknowledged deliveries.
    pub(crate) fn receipts(&self) -> impl Iterator<Item = &Acknowledged> {
        self.receipts.values().flatten()
    }

    /// Returns the ids of the deliveries whose rows cannot have been deleted yet.
    pub(crate) fn recent(&self, now: DateTime<Utc>) -> Vec<Uuid> {
        let recent = self.receipts().filter(|it| now - it.at < RECEIPTS_COUNT);
        recent.map(|it| it.id).collect()
    }
}

/// The memory of this process, shared by the flushers and the check.
#[derive(Debug)]
pub struct Memory {
    process: Uuid,
    state: Mutex<State>,
    /// Notified when a flusher has connected, and when there is something to write to the file.
    changed: Arc<Notify>,
    is_connected: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    remembered: Remembered,
    acknowledged: u64,
    has_file: bool,
    is_changed: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            process: Uuid::new_v4(),
            state: Mutex::default(),
            changed: Arc::default(),
            is_connected: AtomicBool::new(false),
        }
    }
}

impl Memory {
    /// Records that a new connection was opened, so the database is checked at once.
    pub(crate) fn connected(&self) {
        self.is_connected.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Records deliveries that are acknowledged now: source, id and time of arrival.
    pub(crate) fn acknowledged<'a>(
        &self,
        deliveries: impl Iterator<Item = (&'a str, Uuid, DateTime<Utc>)>,
    ) {
        let mut state = self.lock();
        state.acknowledged += 1;
        let order = state.acknowledged;
        let mut newest: BTreeMap<&str, Acknowledged> = BTreeMap::new();
        for (source, id, at) in deliveries {
            newest.insert(source, Acknowledged { id, at, order });
        }
        if newest.is_empty() {
            return;
        }
        for (source, delivery) in newest {
            let receipts = &mut state.remembered.receipts;
            if !receipts.contains_key(source) {
                receipts.insert(source.to_owned(), VecDeque::new());
            }
            if let Some(of_source) = receipts.get_mut(source) {
                of_source.push_back(delivery);
                if of_source.len() > RECEIPTS_PER_SOURCE {
                    of_source.pop_front();
                }
            }
        }
        state.is_changed = true;
        if state.has_file {
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Returns the notification of connections, and of changes if there is a file.
    pub(crate) fn notification(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Returns whether a connection was opened since the last call.
    pub(crate) fn take_connected(&self) -> bool {
        self.is_connected.swap(false, Ordering::AcqRel)
    }

    /// Takes over what a file has. Deliveries of this process stay.
    pub(crate) fn load(&self, from_file: Option<Remembered>) {
        let mut state = self.lock();
        state.has_file = true;
        let Some(mut loaded) = from_file else { return };
        for (source, receipts) in std::mem::take(&mut state.remembered.receipts) {
            loaded.receipts.entry(source).or_default().extend(receipts);
        }
        state.remembered = loaded;
    }

    /// Returns what is remembered, and the number of acknowledgements so far.
    pub(crate) fn snapshot(&self) -> (Remembered, u64) {
        let state = self.lock();
        (state.remembered.clone(), state.acknowledged)
    }

    /// Returns what the file should hold, if that changed since the last call.
    pub(crate) fn take_changed(&self) -> Option<Remembered> {
        let mut state = self.lock();
        let is_changed = std::mem::take(&mut state.is_changed);
        is_changed.then(|| state.remembered.clone())
    }

    /// Repeats the next write of the file, after one that failed.
    pub(crate) fn write_again(&self) {
        self.lock().is_changed = true;
    }

    /// Returns the id under which this process raises its mark.
    pub(crate) fn process(&self) -> Uuid {
        self.process
    }

    /// Records a mark. It was raised after the first `acknowledged` acknowledgements, so it stands for them.
    pub(crate) fn marked(&self, database: Uuid, value: i64, at: DateTime<Utc>, acknowledged: u64) {
        let mut state = self.lock();
        state.remembered.mark = Some(Mark {
            database,
            process: self.process,
            value,
            at,
        });
        for of_source in state.remembered.receipts.values_mut() {
            of_source.retain(|it| it.order > acknowledged);
        }
        state
            .remembered
            .receipts
            .retain(|_, of_source| !of_source.is_empty());
        state.is_changed = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The ways in which employees are read, and which of them the account allows. This is found by trying.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::connect::ReadError;
use crate::connect::http::RequestFailure;

/// How long a refused way is not tried again.
// A changed permission takes effect within a working day, and at once with `leaver sync`.
const RETRY_REFUSED: TimeDelta = TimeDelta::hours(6);

/// A way to read many employees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Way {
    /// One custom report.
    Report,
    /// Pages of the dataset of employees.
    Dataset,
    /// One request for each employee.
    Single,
}

impl Way {
    /// Every way, the best first.
    pub(crate) const ALL: [Self; 3] = [Self::Report, Self::Dataset, Self::Single];

    /// Returns its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The way in which a read was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadWay {
    /// The way.
    pub way: Way,
    /// Why no better one was used.
    pub because: String,
}

/// Why a way was not used to the end.
pub(super) enum WayFailure {
    /// The account does not allow it. Another way can.
    Refused(String),
    /// The read failed.
    Read(ReadError),
}

impl From<ReadError> for WayFailure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl WayFailure {
    /// Returns the failure of a request that belongs to this way.
    pub(super) fn of(way: Way, failure: RequestFailure) -> Self {
        match failure.status {
            // 400, 406 and 415: a proxy on the way can change the content type, on which the report depends.
            Some(status @ (400 | 403 | 404 | 405 | 406 | 410 | 413 | 414 | 415 | 422 | 501)) => {
                Self::Refused(format!("the {} is refused ({status})", way.as_str()))
            }
            _ => Self::Read(failure.error),
        }
    }
}

/// The ways of one account, shared by all copies of its client.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    refused: HashMap<Way, Refusal>,
    /// Ways whose last read failed.
    failed: HashSet<Way>,
    /// The way of the last read that met an employee.
    last: Option<ReadWay>,
}

#[derive(Debug)]
struct Refusal {
    at: DateTime<Utc>,
    reason: String,
}

impl Ways {
    /// Returns why a way is not to be tried now.
    pub(super) fn refusal(&self, way: Way, now: DateTime<Utc>) -> Option<String> {
        let known = self.known();
        let refusal = known.refused.get(&way)?;
        // A refusal of the future is from a clock that stepped back since.
        let is_recent = (TimeDelta::zero()..RETRY_REFUSED).contains(&(now - refusal.at));
        is_recent.then(|| refusal.reason.clone())
    }

    /// Remembers a refusal.
    pub(super) fn refuse(&self, way: Way, at: DateTime<Utc>, reason: String) {
        self.known().refused.insert(way, Refusal { at, reason });
    }

    /// Forgets a refusal and failures.
    pub(super) fn allow(&self, way: Way) {
        let mut known = self.known();
        known.refused.remove(&way);
        known.failed.remove(&way);
    }

    /// Remembers a failed read. Returns true if the read before it failed, too.
    pub(super) fn fails_again(&self, way: Way) -> bool {
        !self.known().failed.insert(way)
    }

    /// Remembers the way of a read.
    pub(super) fn set_last(&self, read: ReadWay) {
        self.known().last = Some(read);
    }

    /// Returns the way of the last read that met an employee.
    pub(super) fn last(&self) -> Option<ReadWay> {
        self.known().last.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

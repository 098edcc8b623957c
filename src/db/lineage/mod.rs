//! Detects that the database went back in time: after a restore, or after a failover that lost commits.
//!
//! Each process raises a counter in the database, its mark, and remembers it with the deliveries that it acknowledged since.
//! A database that has a smaller mark, or lacks one of these deliveries, has lost what was committed. The timeline alone
//! does not prove it: a failover that loses nothing changes it too.

mod file;
mod memory;
pub mod store;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

pub use self::file::{StateFile, StateFileError};
pub use self::memory::Memory;
pub(crate) use self::memory::Remembered;

/// Marks are deleted after this, so an older file proves nothing by a missing mark.
pub(crate) const MARKS_KEPT: TimeDelta = TimeDelta::days(30);
/// Acknowledged deliveries that are older prove nothing: their rows may have been deleted.
const RECEIPTS_COUNT: TimeDelta = TimeDelta::days(7);
/// A promotion while no process ran for longer than this may have been a restore.
const UNWATCHED: TimeDelta = TimeDelta::minutes(5);

/// Evidence that the database went back in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A mark or an acknowledged delivery is missing.
    RowsMissing,
    /// It is another database.
    AnotherDatabase,
    /// The server was promoted while no process ran, and nothing outside the database was remembered.
    Timeline,
}

impl Cause {
    /// Returns the value in `leaver.restores`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RowsMissing => "rows_missing",
            Self::AnotherDatabase => "another_database",
            Self::Timeline => "timeline",
        }
    }
}

/// The state of the database, for the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The id of the database.
    pub database: Uuid,
    /// The mark of the process that is remembered.
    pub mark: Option<i64>,
    /// The timeline of the server; `None` if it cannot be read.
    pub timeline: Option<i32>,
    /// The newest mark of any process.
    pub newest: Option<NewestMark>,
}

/// The newest mark of any process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestMark {
    /// When it was raised.
    pub at: DateTime<Utc>,
    /// The timeline then.
    pub timeline: Option<i32>,
}

/// A time at which the database went back.
#[derive(Clone, Debug, Serialize)]
pub struct Restore {
    /// Its id.
    pub id: i64,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// Time of the newest thing that was stored and is missing.
    pub known_until: DateTime<Utc>,
    /// `rows_missing`, `another_database` or `timeline`.
    pub cause: String,
    /// When a person acknowledged it.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Who did.
    pub acknowledged_by: Option<String>,
}

impl Restore {
    /// Describes the evidence, for people.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self.cause.as_str() {
            "rows_missing" => {
                "the database went back in time: rows that were committed are missing, after a restore or a failover that lost commits"
            }
            "another_database" => {
                "the database is another one than before: it is new, or older than Leaver's tables"
            }
            _ => {
                "the database server was promoted while no process of Leaver ran: it may have been restored to an earlier time"
            }
        }
    }
}

/// Decides whether the database went back in time, and until when its rows were known. `missing` are the acknowledged
/// deliveries that it lacks.
pub(crate) fn went_back(
    remembered: &Remembered,
    found: &Found,
    missing: &[Uuid],
    now: DateTime<Utc>,
) -> Option<(Cause, DateTime<Utc>)> {
    let lost = remembered.receipts().filter(|it| missing.contains(&it.id));
    let lost_until = lost.map(|it| it.at).max();
    let Some(known) = &remembered.mark else {
        let newest = found.newest?;
        let is_promoted = found.timeline? > newest.timeline?;
        let is_unwatched = now - newest.at > UNWATCHED;
        return (is_promoted && is_unwatched).then_some((Cause::Timeline, newest.at));
    };
    let known_until = lost_until.unwrap_or(known.at).max(known.at);
    if known.database != found.database {
        return Some((Cause::AnotherDatabase, known_until));
    }
    let is_kept = now - known.at < MARKS_KEPT;
    let is_back = match found.mark {
        Some(mark) => mark < known.value,
        None => is_kept,
    };
    (is_back || lost_until.is_some()).then_some((Cause::RowsMissing, known_until))
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;

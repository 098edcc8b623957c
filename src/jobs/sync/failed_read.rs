//! Why a pending read failed, and when it is tried again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::backoff::{Backoff, Jitter};
use crate::connect::{ReadError, withheld};
use crate::engine::Failure;
use crate::roster::pending_reads::PendingRead;
use leaver_core::domain::Field;
use leaver_core::providers::EmployeeRead;

/// The wait after a failure, unless the API asks for more.
const RETRY: Backoff = Backoff {
    base: Duration::from_secs(5),
    cap: Duration::from_mins(10),
    jitter: Jitter::None,
};
/// The longest wait that the API can ask for.
const MAX_RETRY_AFTER: TimeDelta = TimeDelta::hours(1);
/// The wait after a permanent failure, once a person has to decide.
const RETRY_GIVEN_UP: TimeDelta = TimeDelta::hours(1);
/// The advice about fields that a read did not return.
const SEE_FIELDS: &str = "let the BambooHR user who made `api.api_key` see these fields";
/// Why a read stays pending that returned no status.
const NO_STATUS: &str = "the API returns no `status` of this employee";

/// A failed attempt.
pub(super) struct FailedRead {
    /// Why it failed.
    pub(super) reason: String,
    /// The same without a time, for the hold.
    pub(super) cause: String,
    /// True if it fails until somebody changes something.
    is_permanent: bool,
    /// True if nothing was returned of the employee.
    pub(super) is_empty: bool,
    requested_wait: Option<RequestedWait>,
}

enum RequestedWait {
    Until(DateTime<Utc>),
    For(Duration),
}

/// The state of a read after a failed attempt.
pub(super) struct Retry {
    /// When it is tried again.
    pub(super) at: DateTime<Utc>,
    /// When it first failed permanently.
    pub(super) failed_since: Option<DateTime<Utc>>,
    /// Since when it fails permanently, if that is so long that a person has to decide.
    pub(super) given_up_since: Option<DateTime<Utc>>,
}

impl FailedRead {
    /// Returns the failure of a read that got no employee.
    pub(super) fn of_api(error: &ReadError) -> Self {
        Self {
            reason: error.to_string(),
            cause: error.cause(),
            is_permanent: error.is_permanent(),
            is_empty: true,
            requested_wait: match error {
                ReadError::CredentialsBlocked { until, .. } => Some(RequestedWait::Until(*until)),
                _ => error.retry_after().map(RequestedWait::For),
            },
        }
    }

    /// Returns the failure if a response is incomplete: fields are withheld, or there is no status.
    pub(super) fn of_response(read: &EmployeeRead) -> Option<Self> {
        let has_status = matches!(read.change.facts.status, Field::Value(_) | Field::Empty);
        let missing = withheld(read).or_else(|| (!has_status).then(|| NO_STATUS.to_owned()))?;
        let reason = format!("{missing}; {SEE_FIELDS}");
        Some(Self {
            cause: reason.clone(),
            reason,
            is_permanent: true,
            is_empty: false,
            requested_wait: None,
        })
    }

    /// Returns the failure to apply a response.
    pub(super) fn of_engine(failure: &Failure) -> Self {
        Self {
            reason: failure.to_string(),
            cause: failure.to_string(),
            is_permanent: false,
            is_empty: false,
            requested_wait: None,
        }
    }

    /// Returns when to read again. The last attempt before a person has to decide is at that time.
    pub(super) fn retry(
        &self,
        read: &PendingRead,
        give_up_after: TimeDelta,
        now: DateTime<Utc>,
    ) -> Retry {
        let at = self.next_attempt(read.attempts, now);
        if !self.is_permanent {
            return Retry {
                at,
                failed_since: None,
                given_up_since: None,
            };
        }
        let failed_since = read.failed_since.unwrap_or(now).min(now);
        let gives_up_at = failed_since
            .checked_add_signed(give_up_after)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let is_given_up = gives_up_at <= now;
        Retry {
            at: if is_given_up {
                now + RETRY_GIVEN_UP
            } else {
                at.min(gives_up_at)
            },
            failed_since: Some(failed_since),
            given_up_since: is_given_up.then_some(failed_since),
        }
    }

    /// Returns the time of the next attempt: as late as the API asks for, and at least after the backoff.
    fn next_attempt(&self, attempts: i32, now: DateTime<Utc>) -> DateTime<Utc> {
        let earliest = now + backoff(attempts);
        let requested = match &self.requested_wait {
            Some(RequestedWait::Until(at)) => Some(*at),
            Some(RequestedWait::For(wait)) => TimeDelta::from_std(*wait)
                .ok()
                .and_then(|wait| now.checked_add_signed(wait)),
            None => None,
        };
        requested.map_or(earliest, |at| at.min(now + MAX_RETRY_AFTER).max(earliest))
    }
}

/// The wait after this many earlier failures.
fn backoff(attempts: i32) -> TimeDelta {
    let failures = u32::try_from(attempts).unwrap_or(0).saturating_add(1);
    TimeDelta::from_std(RETRY.random_wait(failures)).unwrap_or(TimeDelta::minutes(10))
}

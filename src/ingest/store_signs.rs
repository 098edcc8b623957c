//! Results of the last attempts to store deliveries, in the memory of this process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::db::error::Cause;

/// A stored delivery shows for this long that deliveries can be stored.
const STORED_COUNTS_FOR: Duration = Duration::from_secs(10);

/// A refusal of deliveries alone counts for this long, since no probe can show its end.
const REFUSED_COUNTS_FOR: Duration = Duration::from_mins(1);

/// Results of the last attempts to store deliveries.
#[derive(Debug, Default)]
pub(crate) struct StoreSigns(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    stored_at: Option<Instant>,
    failed: Option<(Instant, Cause)>,
    start_failure: Option<Cause>,
}

/// The evidence without a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A delivery was stored lately, and none failed since.
    Stored,
    /// The database refuses deliveries, though perhaps not other rows.
    Refused(Cause),
    /// Nothing came lately, or it failed by a cause that a probe meets too.
    Unknown {
        /// The last failure. A probe before it shows nothing.
        failed_at: Option<Instant>,
    },
}

impl StoreSigns {
    /// Records that deliveries were stored.
    pub(crate) fn stored(&self) {
        self.state().stored_at = Some(Instant::now());
    }

    /// Records that deliveries were not stored.
    pub(crate) fn failed(&self, cause: Cause) {
        self.state().failed = Some((Instant::now(), cause));
    }

    /// Records why the checks at start did not pass; `None` once they have.
    pub(crate) fn set_start_failure(&self, cause: Option<Cause>) {
        self.state().start_failure = cause;
    }

    /// Returns why the checks at start did not pass.
    pub(crate) fn start_failure(&self) -> Option<Cause> {
        self.state().start_failure.clone()
    }

    /// Returns the evidence without a probe.
    pub(crate) fn sign(&self, now: Instant) -> Sign {
        let state = self.state();
        let failure = state
            .failed
            .as_ref()
            .filter(|(at, _)| state.stored_at.is_none_or(|stored| stored < *at));
        match failure {
            Some((at, cause))
                if is_of_deliveries(cause) && now.duration_since(*at) < REFUSED_COUNTS_FOR =>
            {
                Sign::Refused(cause.clone())
            }
            Some((at, _)) => Sign::Unknown {
                failed_at: Some(*at),
            },
            None if state
                .stored_at
                .is_some_and(|at| now.duration_since(at) < STORED_COUNTS_FOR) =>
            {
                Sign::Stored
            }
            None => Sign::Unknown { failed_at: None },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a probe of another table could miss the cause.
fn is_of_deliveries(cause: &Cause) -> bool {
    matches!(cause, Cause::DiskFull | Cause::Other(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_delivery_counts_for_ten_seconds() {
        let signs = StoreSigns::default();
        let unknown = Sign::Unknown { failed_at: None };
        assert_eq!(signs.sign(Instant::now()), unknown);
        signs.stored();
        assert_eq!(signs.sign(Instant::now()), Sign::Stored);
        let later = Instant::now() + STORED_COUNTS_FOR;
        assert_eq!(signs.sign(later), unknown);
    }

    #[test]
    fn a_refusal_of_deliveries_counts_for_a_minute() {
        let signs = StoreSigns::default();
        let cause = Cause::Other("a constraint was violated".to_owned());
        signs.stored();
        signs.failed(cause.clone());
        assert_eq!(signs.sign(Instant::now()), Sign::Refused(cause));
        let later = Instant::now() + REFUSED_COUNTS_FOR;
        assert!(matches!(
            signs.sign(later),
            Sign::Unknown { failed_at: Some(_) }
        ));
        signs.stored();
        assert_eq!(signs.sign(Instant::now()), Sign::Stored);
    }

    #[test]
    fn an_outage_is_left_to_the_probe() {
        let signs = StoreSigns::default();
        for cause in [
            Cause::ReadOnly,
            Cause::NoResponse,
            Cause::AuthenticationFailed,
        ] {
            signs.failed(cause);
            let sign = signs.sign(Instant::now());
            assert!(
                matches!(sign, Sign::Unknown { failed_at: Some(_) }),
                "{sign:?}"
            );
        }
    }
}

//! How long to wait before the next attempt.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::base::backoff::{Backoff, Jitter};

/// The upper bound of a wait, unless the API asks for a longer one.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Parses `Retry-After`, in seconds or as a date; a date in the past gives zero.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    // Relative to the response's own `Date`, so that a clock that differs from ours does no harm.
    let sent = headers
        .get(DATE)
        .and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok())
        .unwrap_or_else(|| SystemTime::from(now));
    Some(until.duration_since(sent).unwrap_or_default())
}

/// Returns the wait before the next attempt: a random share of a bound that doubles with each failure ("full
/// jitter"), added to what the API asks for.
pub(crate) fn backoff(first: Duration, failures: u32, retry_after: Option<Duration>) -> Duration {
    let backoff = Backoff {
        base: first,
        cap: MAX_BACKOFF,
        jitter: Jitter::Full,
    };
    retry_after
        .unwrap_or_default()
        .saturating_add(backoff.random_wait(failures))
}

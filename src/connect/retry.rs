//! How long to wait before asking again: what the API asks for, and never less than a share of chance.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::base::backoff::{Backoff, Jitter};

/// However often it failed, one wait between two tries is at most this long, unless the API asks for more.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// `Retry-After` in seconds or as a date. A date is counted from the answer's own `Date`, so that two
/// clocks that differ do no harm, else from `now`. One that has passed is no wait at all.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let sent = headers
        .get(DATE)
        .and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok())
        .unwrap_or_else(|| SystemTime::from(now));
    Some(until.duration_since(sent).unwrap_or_default())
}

/// Returns the wait before the next attempt: what the API asked for, and a random share of a bound that doubles with each
/// failed attempt ("full jitter").
pub(crate) fn pause(base: Duration, failed_tries: u32, asked: Option<Duration>) -> Duration {
    let backoff = Backoff {
        base,
        cap: LONGEST_BACKOFF,
        jitter: Jitter::Full,
    };
    asked
        .unwrap_or_default()
        .saturating_add(backoff.random_wait(failed_tries))
}

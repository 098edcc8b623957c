//! How long to wait before asking again: what the API asks for, and never less than a share of chance.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use uuid::Uuid;

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

/// The wait before the next try: a random share of a bound that doubles with each failed try ("full
/// jitter"), on top of what the API asked for.
pub(crate) fn pause(base: Duration, failed_tries: u32, asked: Option<Duration>) -> Duration {
    let doublings = failed_tries.saturating_sub(1).min(16);
    let bound = base.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    asked
        .unwrap_or_default()
        .saturating_add(bound.mul_f64(share()))
}

/// A number from 0 to 1. Nothing hangs on its quality, so the random half of a UUID will do.
fn share() -> f64 {
    let [.., a, b, c, d] = *Uuid::new_v4().as_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

//! Numbers below which nothing would work.

use std::time::Duration;

use super::Raw;
use super::values::ConfigDuration;

/// The first number with which nothing would work, and the least that would.
pub(super) fn too_little(raw: &Raw) -> Option<(&'static str, &'static str)> {
    let counts = [
        ("server.max_connections", raw.server.max_connections < 1),
        ("worker.batch", raw.worker.batch < 1),
        ("worker.batches", raw.worker.batches < 1),
        ("worker.max_attempts", raw.worker.max_attempts < 1),
    ];
    if raw.inbox.retention.0 < LEAST_RETENTION {
        return Some(("inbox.retention", "14d"));
    }
    if raw.server.max_in_flight.0 < raw.server.max_body.0 {
        return Some(("server.max_in_flight", "server.max_body"));
    }
    let times = [
        ("server.body_timeout", raw.server.body_timeout),
        ("server.store_timeout", raw.server.store_timeout),
        ("server.header_timeout", raw.server.header_timeout),
        ("server.idle_timeout", raw.server.idle_timeout),
        ("server.write_timeout", raw.server.write_timeout),
        ("worker.poll", raw.worker.poll),
        ("worker.drift_check", raw.worker.drift_check),
    ];
    let none = |&(_, none): &(&str, bool)| none;
    let too_short = |(_, span): &(&str, ConfigDuration)| span.0 < LEAST_TIME;
    let count = counts.into_iter().find(none).map(|(key, _)| (key, "1"));
    count.or_else(|| {
        let time = times.into_iter().find(too_short);
        time.map(|(key, _)| (key, "1ms"))
    })
}

/// BambooHR's log reaches back so far, and is compared with what is remembered.
const LEAST_RETENTION: Duration = Duration::from_hours(14 * 24);

/// A shorter time would only be a mistake.
const LEAST_TIME: Duration = Duration::from_millis(1);

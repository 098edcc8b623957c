//! Compares times of different resolution: whole seconds of a payload with the microseconds of a read.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Returns whether two times are the same at the coarser of their resolutions (second, millisecond or exact).
#[must_use]
pub fn is_same_moment(one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    let unit = resolution(one).max(resolution(other));
    match (one.duration_trunc(unit), other.duration_trunc(unit)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Returns whether `one` is earlier than `other`, and not the same moment.
#[must_use]
pub fn is_older(one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    one < other && !is_same_moment(one, other)
}

fn resolution(time: DateTime<Utc>) -> TimeDelta {
    match time.timestamp_subsec_nanos() {
        0 => TimeDelta::seconds(1),
        nanos if nanos % 1_000_000 == 0 => TimeDelta::milliseconds(1),
        _ => TimeDelta::nanoseconds(1),
    }
}

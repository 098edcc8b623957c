//! Destinations of events in health: their gauges, and the reasons why one is not well.

use chrono::{DateTime, Utc};

use super::reasons::{Reason, minute};
use crate::base::metrics::DestinationGauges;
use crate::reports::events::{DestinationStatus, counted};

/// Lists the destinations that are paused, or did not receive events.
pub(super) fn reasons(destinations: &[DestinationStatus]) -> Vec<Reason> {
    let mut reasons = vec![];
    for one in destinations {
        let name = &one.name;
        if let Some(at) = one.paused_at {
            let because = one.paused_because.as_deref().unwrap_or("unknown");
            reasons.push(Reason::new(
                "destination_paused",
                format!(
                    "destination {name} is paused since {}: {because}; {} for it, and one is tried every 5 minutes",
                    minute(at),
                    waiting(one.pending)
                ),
                format!("leaver events --destination {name}"),
            ));
        } else if one.late > 0 {
            let since = one.oldest_since.map(minute).unwrap_or_default();
            reasons.push(Reason::new(
                "events_waiting",
                format!(
                    "{} for destination {name} for more than 10 minutes, the oldest since {since}{}",
                    waiting(one.late),
                    after_error(one)
                ),
                format!("leaver events --destination {name} --state due"),
            ));
        }
    }
    for one in destinations.iter().filter(|one| one.dead > 0) {
        let name = &one.name;
        reasons.push(Reason::new(
            "events_dead",
            format!(
                "{} for destination {name} failed at the last of 11 attempts{}; `leaver events retry --destination {name} --dead` sends them again",
                counted(one.dead),
                after_error(one)
            ),
            format!("leaver events --destination {name} --state dead"),
        ));
    }
    reasons
}

/// Returns the gauges of destinations.
pub(super) fn gauges<'d>(
    destinations: impl IntoIterator<Item = (&'d String, &'d DestinationStatus)>,
    now: DateTime<Utc>,
) -> Vec<DestinationGauges> {
    let gauges = |(name, one): (&String, &DestinationStatus)| DestinationGauges {
        destination: name.clone(),
        pending: one.pending,
        dead: one.dead,
        oldest_age_seconds: one
            .oldest_since
            .map_or(0, |since| (now - since).num_seconds().max(0)),
        is_paused: one.paused_at.is_some(),
    };
    destinations.into_iter().map(gauges).collect()
}

fn waiting(events: i64) -> String {
    let verb = if events == 1 { "waits" } else { "wait" };
    format!("{} {verb}", counted(events))
}

fn after_error(one: &DestinationStatus) -> String {
    let error = one.last_error.as_deref();
    error.map_or_else(String::new, |error| format!("; the last error: {error}"))
}

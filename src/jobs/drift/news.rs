//! Decides whether a check found something that the one before did not.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::store::LastCheck;
use super::{DriftReport, Finding, MAX_LISTED, TerminatedWithAccess};
use crate::engine::outbox::{NewEvent, Subject};
use leaver_core::events::EventType;

/// After this time, an event reports once more that terminated employees have access.
const REPEAT: TimeDelta = TimeDelta::hours(24);

/// Hashes of the terminated employees with access, the first [`MAX_LISTED`].
#[derive(Default)]
pub(super) struct Known(BTreeSet<i64>);

impl Known {
    /// Adds a row of the report. Access that shadow mode plans to end is not found again and again.
    pub(super) fn add(&mut self, finding: &Finding) {
        if let Finding::TerminatedWithAccess(row) = finding
            && !row.planned
            && self.0.len() < MAX_LISTED
        {
            self.0.insert(hash(row));
        }
    }

    /// Returns the hashes, sorted.
    pub(super) fn sorted(self) -> Vec<i64> {
        self.0.into_iter().collect()
    }
}

fn hash(row: &TerminatedWithAccess) -> i64 {
    let key = row.key();
    let parts = [
        key.source.as_str(),
        key.tenant.as_str(),
        key.employee_id.as_str(),
    ];
    let hash = Sha256::digest(parts.join("\0"));
    i64::from_be_bytes([
        hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7],
    ])
}

/// Returns the event of a check: if it found employees that the last one did not, if it ended access, and otherwise once a day
/// while somebody has access.
pub(super) fn event(
    report: &DriftReport,
    checked: &LastCheck,
    last: Option<&LastCheck>,
) -> Option<NewEvent> {
    let is_new = |hash: &&i64| last.is_none_or(|last| last.known.binary_search(hash).is_err());
    let listed = checked.known.iter().filter(is_new).count();
    // Beyond the limit only the number is known.
    let before = last.map_or(0, |last| last.terminated_with_access);
    let more = usize::try_from(checked.terminated_with_access - before).unwrap_or(0);
    let new = if is_full(checked) || last.is_some_and(is_full) {
        more
    } else {
        listed
    };
    let reported_at = last.and_then(|last| last.reported_at);
    let is_repeated = checked.terminated_with_access > 0
        && reported_at.is_none_or(|at| checked.at - at >= REPEAT);
    if new == 0 && checked.fixed == 0 && !is_repeated {
        return None;
    }
    let counts = &report.counts;
    let data = json!({
        "accepted": counts.accepted,
        "active_without_employee": counts.active_without_employee,
        "employees_without_account": counts.employees_without_account,
        "fixed": counts.fixed,
        "held": counts.held,
        "leavers_without_account": counts.leavers_without_account,
        "new": new,
        "planned": counts.planned,
        "terminated_with_access": checked.terminated_with_access,
    });
    Some(NewEvent::new(EventType::DriftFound, Subject::Service, data))
}

fn is_full(check: &LastCheck) -> bool {
    check.known.len() >= MAX_LISTED
}

//! The last answer of a person: who gave it, when, and what followed.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::engine::audit::store::AuditRecord;
use crate::engine::holds::answers::Answer;

/// The last answer of a person about an employee.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedAnswer {
    /// When it was given.
    pub at: DateTime<Utc>,
    /// Who gave it, as `kind:name`.
    pub by: String,
    /// The act, such as `rejected hold 3 (deactivate)`.
    pub what: String,
    /// Why it was asked, or the reason that the person gave.
    pub reason: String,
}

/// The actions of a person, the most telling first, and the words for each.
const ACTIONS: [(&str, &str); 7] = [
    ("undone", "undid the change"),
    ("accepted", "accepted that the account stays as it is"),
    ("approved", "approved the change"),
    ("rejected", "rejected the change"),
    ("deactivated", "ended access by hand"),
    ("reactivated", "gave access back by hand"),
    ("sessions_ended", "ended the sessions by hand"),
];

/// Returns the last answer, from the holds and from the audit log if the role may read it.
pub(super) fn last(
    hold: Option<Answer>,
    history: Option<&[AuditRecord]>,
) -> Option<ExplainedAnswer> {
    let recorded = history.and_then(of_audit);
    let Some(hold) = hold else {
        return recorded;
    };
    let verb = if hold.is_approved {
        "approved"
    } else {
        "rejected"
    };
    let what = if hold.was_asked {
        format!("{verb} hold {} ({})", hold.hold, hold.requested_action)
    } else {
        "decided to keep the account as it is".to_owned()
    };
    let of_hold = ExplainedAnswer {
        at: hold.at,
        by: hold.by,
        what,
        reason: hold.reason,
    };
    match recorded {
        Some(recorded) if recorded.at > of_hold.at => Some(recorded),
        // Both are of one moment, and the audit log names the command.
        Some(recorded) if recorded.at == of_hold.at && !hold.was_asked => Some(recorded),
        _ => Some(of_hold),
    }
}

fn of_audit(history: &[AuditRecord]) -> Option<ExplainedAnswer> {
    let by_person = |record: &&AuditRecord| {
        !record.actor.starts_with("system:") && words(&record.action).is_some()
    };
    let at = history
        .iter()
        .filter(by_person)
        .map(|record| record.at)
        .max()?;
    let of_moment = history
        .iter()
        .filter(by_person)
        .filter(|record| record.at == at);
    let record = of_moment.min_by_key(|record| words(&record.action).map(|(rank, _)| rank))?;
    let what = if record.reason.starts_with("undo of ") {
        "undid the change"
    } else {
        words(&record.action)?.1
    };
    Some(ExplainedAnswer {
        at,
        by: record.actor.clone(),
        what: what.to_owned(),
        reason: record.reason.clone(),
    })
}

/// Returns the rank of an action and the words for it.
fn words(action: &str) -> Option<(usize, &'static str)> {
    let found = ACTIONS
        .iter()
        .enumerate()
        .find(|(_, (name, _))| *name == action);
    found.map(|(rank, (_, words))| (rank, *words))
}

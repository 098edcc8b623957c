//! The mode `fix`: ends the access that should have ended.

use chrono::{DateTime, Utc};

use super::{Finding, TerminatedWithAccess};
use crate::engine::execute::Outcome;
use crate::engine::origin::Origin;
use crate::engine::{Engine, Failure};
use leaver_core::domain::EmployeeKey;

/// Ends the access of these employees. Returns a row for each, except for those who keep access by newer facts.
///
/// # Errors
/// Returns the failure; access that was ended before it stays ended.
pub(super) async fn fix(
    engine: &Engine,
    fixable: Vec<TerminatedWithAccess>,
    checked_at: DateTime<Utc>,
) -> Result<Vec<Finding>, Failure> {
    let mut rows = vec![];
    let keys: Vec<EmployeeKey> = fixable.iter().map(TerminatedWithAccess::key).collect();
    let executed = engine.reevaluate(&keys, &Origin::drift()).await?;
    let failure = executed.failure.map(|failure| failure.to_string());
    for mut found in fixable {
        match executed.outcomes.get(&found.key()) {
            // Two employees may share the account, and either may have been deactivated first.
            Some(Outcome::Deactivated | Outcome::AlreadyInactive) => {
                rows.push(Finding::Fixed(found));
            }
            Some(Outcome::Blocked) => {
                found.failure = executed.blocked.get(&found.key()).cloned();
                found.blocked_since.get_or_insert(checked_at);
                rows.push(Finding::TerminatedWithAccess(found));
            }
            // The safeguard has tripped, or newer facts need a person.
            Some(Outcome::Held) => {
                let held =
                    "a person must decide; `leaver holds list` and `leaver safeguard` show it";
                found.failure = Some(held.to_owned());
                rows.push(Finding::TerminatedWithAccess(found));
            }
            Some(Outcome::Planned) => rows.push(Finding::TerminatedWithAccess(found)),
            // Another replica was faster, or the facts have changed since the page was read.
            Some(_) => {}
            None => {
                found.failure.clone_from(&failure);
                rows.push(Finding::TerminatedWithAccess(found));
            }
        }
    }
    Ok(rows)
}

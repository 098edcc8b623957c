//! Employees whose stored state is outdated: an account, the date or the policy has changed since the last evaluation.

use chrono::{DateTime, Utc};

use crate::engine::evaluate::Evaluated;
use crate::engine::holds::HoldHistory;
use crate::engine::origin::Origin;
use crate::engine::{Engine, Failure};
use leaver_core::decision::{Action, NoActionReason};
use leaver_core::domain::EmployeeKey;

/// Employees per transaction. No more than two such pages are in memory.
const PAGE_LENGTH: usize = 500;

/// States that wait until they are stored.
#[derive(Debug, Default)]
pub(super) struct States {
    /// Employees whose stored state is outdated, such as a hold on an account that somebody deactivated by hand.
    outdated: Vec<EmployeeKey>,
    /// Employees who are stored as leavers without an account, and who have one now.
    found_now: Vec<EmployeeKey>,
}

impl States {
    /// Adds the employees of a page.
    pub(super) fn add(&mut self, outdated: Vec<EmployeeKey>, found_now: Vec<EmployeeKey>) {
        self.outdated.extend(outdated);
        self.found_now.extend(found_now);
    }

    /// Stores the states of full pages, so that memory does not grow with their number.
    ///
    /// # Errors
    /// Returns the failure; the states stored before it are kept.
    pub(super) async fn store_full_pages(&mut self, engine: &Engine) -> Result<(), Failure> {
        while self.outdated.len() >= PAGE_LENGTH {
            let page: Vec<EmployeeKey> = self.outdated.drain(..PAGE_LENGTH).collect();
            engine.reevaluate(&page, &Origin::drift()).await?;
        }
        while self.found_now.len() >= PAGE_LENGTH {
            let page: Vec<EmployeeKey> = self.found_now.drain(..PAGE_LENGTH).collect();
            engine.store_found_accounts(&page).await?;
        }
        Ok(())
    }

    /// Stores the other states.
    ///
    /// # Errors
    /// Returns the failure; the states stored before it are kept.
    pub(super) async fn store_rest(mut self, engine: &Engine) -> Result<(), Failure> {
        self.store_full_pages(engine).await?;
        if !self.outdated.is_empty() {
            engine.reevaluate(&self.outdated, &Origin::drift()).await?;
        }
        if !self.found_now.is_empty() {
            engine.store_found_accounts(&self.found_now).await?;
        }
        Ok(())
    }
}

/// Returns true if an account is found now for a leaver who is stored without one, and only the mode `fix` or newer facts
/// change it.
pub(super) fn is_found_now(decided: &Evaluated) -> bool {
    decided.employee.without_account_since.is_some()
        && matches!(
            decided.decision.action,
            Action::Deactivate(_) | Action::Reactivate(_)
        )
}

/// Returns true if an evaluation would store another state: open or withdraw a hold, find or miss the account, move a
/// scheduled end, clear a block, or remove a change from the plan. Evaluating these employees again gives nobody access.
pub(super) fn is_outdated(
    decided: &Evaluated,
    holds: &HoldHistory,
    is_planned: bool,
    now: DateTime<Utc>,
) -> bool {
    let employee = &decided.employee;
    let is_counted = employee.without_account_since.is_some();
    // A changed cut-off or time zone moves the ends that are scheduled.
    let has_moved =
        employee.access_ends_at != decided.decision.access_ends_at.filter(|at| *at > now);
    match &decided.decision.action {
        // Their access differs from the decision, which only the mode `fix` or newer facts change.
        Action::Deactivate(_)
        | Action::Reactivate(_)
        | Action::Keep(NoActionReason::AwaitingRead | NoActionReason::Planned(_)) => false,
        _ if is_planned => true,
        Action::Hold(request) => {
            let fingerprint = &request.facts_fingerprint;
            let is_stored = match holds.open() {
                Some(hold) => {
                    hold.facts_fingerprint == *fingerprint && holds.rejection(fingerprint).is_none()
                }
                None => holds.rejection(fingerprint).is_some(),
            };
            !is_stored || is_counted || employee.blocked.is_some() || has_moved
        }
        Action::EndSessions(_) => holds.open().is_some() || is_counted,
        Action::Keep(_) => {
            holds.open().is_some()
                || employee.blocked.is_some()
                || has_moved
                || is_counted != decided.is_leaver_without_account()
        }
    }
}

//! Recorded observations: the facts that each observation changed, for `leaver backtest`. Rows are only added.
//!
//! A repeat of known values is recorded only while its time can matter. Otherwise each complete read would add a row for each
//! employee.

pub(crate) mod store;

use super::facts_json::StoredFacts;
use super::{Observation, Observed};
use leaver_core::decision::repeat::can_matter;
use leaver_core::domain::{DeliveryId, Employee, EmployeeKey};

/// The facts that one observation changed.
#[derive(Clone, Debug)]
pub(crate) struct FactChange {
    facts: StoredFacts,
    delivery: Option<DeliveryId>,
}

/// Returns the changes of employees, each with the employee.
pub(crate) fn of(observed: &[Observed]) -> Vec<(&EmployeeKey, &FactChange)> {
    observed
        .iter()
        .flat_map(|one| one.changes.iter().map(|change| (&one.employee.key, change)))
        .collect()
}

impl FactChange {
    /// Returns the facts that an observation changed; `None` if it changed none, or only repeats values at a time that cannot
    /// matter.
    pub(super) fn between(
        before: &Employee,
        after: &Employee,
        observation: &Observation,
    ) -> Option<Self> {
        if after.has_same_values(before) && !can_matter(before) {
            return None;
        }
        let facts = StoredFacts::changed(before, after).without_read_failure();
        (facts != StoredFacts::default()).then_some(Self {
            facts,
            delivery: observation.delivery,
        })
    }
}

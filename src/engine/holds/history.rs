//! The answers that people gave about an employee, as far as they still stand.

use crate::engine::batches::Direction;
use leaver_core::decision::differ_in_facts;

/// The state of a hold that is not withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldState {
    /// It waits for a person.
    Open,
    /// A person approved it.
    Approved,
    /// A person rejected it.
    Rejected,
}

/// A hold of an employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HoldStatus {
    /// The ID.
    pub id: i64,
    /// The state.
    pub state: HoldState,
    /// The facts that it is based on, as text that is only compared.
    pub facts_fingerprint: String,
    /// The trip that holds the change and its direction, if the hold and the trip are open.
    pub open_trip: Option<(i64, Direction)>,
}

impl HoldStatus {
    /// Returns true if a person rejected it.
    pub(crate) fn is_rejected(&self) -> bool {
        self.state == HoldState::Rejected
    }
}

/// The last holds of an employee that are not withdrawn, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HoldHistory(pub(super) Vec<HoldStatus>);

impl HoldHistory {
    /// Returns the open hold.
    pub(crate) fn open(&self) -> Option<&HoldStatus> {
        self.0.iter().find(|hold| hold.state == HoldState::Open)
    }

    /// Returns the rejected hold with this fingerprint. A later hold on other facts, or a later approval, ends its effect; a
    /// later hold for another reason does not.
    pub(crate) fn rejection(&self, fingerprint: &str) -> Option<&HoldStatus> {
        self.0
            .iter()
            .take_while(|hold| {
                hold.state != HoldState::Approved
                    && !differ_in_facts(&hold.facts_fingerprint, fingerprint)
            })
            .find(|hold| hold.is_rejected() && hold.facts_fingerprint == fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: &str = "change;status=inactive;employment_status=-;deleted=false;account=7";
    const RULE: &str = "protected;status=inactive;employment_status=-;deleted=false;account=7";
    const NEWER: &str = "change;status=inactive;employment_status=-;deleted=true;account=7";
    const NO_FACTS: &str = "uncertain-elsewhere: no status;account=7";

    /// Returns the ID of the rejection of [`CHANGE`] that stands after these holds, newest first.
    fn rejection(holds: &[(HoldState, &str)]) -> Option<i64> {
        let holds = (1..)
            .zip(holds)
            .map(|(id, (state, fingerprint))| HoldStatus {
                id,
                state: *state,
                facts_fingerprint: (*fingerprint).to_owned(),
                open_trip: None,
            });
        let history = HoldHistory(holds.collect());
        history.rejection(CHANGE).map(|hold| hold.id)
    }

    #[test]
    fn a_rejection_stands_until_the_facts_change() {
        use HoldState::{Open, Rejected};
        assert_eq!(rejection(&[(Rejected, CHANGE)]), Some(1));
        for state in [Open, Rejected] {
            for other in [RULE, NO_FACTS] {
                assert_eq!(rejection(&[(state, other), (Rejected, CHANGE)]), Some(2));
            }
            assert_eq!(rejection(&[(state, NEWER), (Rejected, CHANGE)]), None);
        }
        assert_eq!(rejection(&[(Open, CHANGE)]), None);
        assert_eq!(rejection(&[(Rejected, "")]), None);
    }

    #[test]
    fn a_later_approval_ends_a_rejection() {
        use HoldState::{Approved, Rejected};
        assert_eq!(rejection(&[(Approved, RULE), (Rejected, CHANGE)]), None);
        assert_eq!(rejection(&[(Rejected, CHANGE), (Approved, RULE)]), Some(1));
    }
}

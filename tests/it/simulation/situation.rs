//! The states in which a person may be, from the documented rules and without the service's own code.

use leaver::reports::leaver_state::LeaverState;

use super::model::Verdict;

/// Everything about a person that decides the state.
#[derive(Debug)]
pub(super) struct Situation {
    /// What the facts imply.
    pub(super) verdict: Verdict,
    /// True if another record of the person has left, or may have left.
    pub(super) left_elsewhere: bool,
    /// True if the account is active; `None` if there is no account.
    pub(super) is_active: Option<bool>,
    /// True if the database may have refused to change it.
    pub(super) may_be_blocked: bool,
    /// State of the last hold and what it asks for.
    pub(super) hold: Option<(String, String)>,
    /// True if somebody ever gave the access back by hand.
    pub(super) was_given_back: bool,
}

impl Situation {
    /// Returns the states that the rules allow.
    pub(super) fn states(&self) -> Vec<LeaverState> {
        let mut states = match self.is_active {
            None => self.without_account(),
            Some(false) => self.inactive(),
            Some(true) => self.active(),
        };
        let changes_account = self.verdict.works() || self.verdict == Verdict::Left;
        if self.may_be_blocked && self.is_active.is_some() && changes_account {
            states.push(LeaverState::Blocked);
        }
        states
    }

    fn without_account(&self) -> Vec<LeaverState> {
        // The HR system could still supply an address that an account has.
        if self.holds("open") {
            return vec![LeaverState::Held];
        }
        match self.verdict {
            Verdict::Works | Verdict::Silent => vec![LeaverState::Employed],
            Verdict::Leaves { .. } => vec![LeaverState::Scheduled],
            Verdict::Left | Verdict::Ask { .. } => vec![LeaverState::NoAccount],
        }
    }

    fn inactive(&self) -> Vec<LeaverState> {
        if self.holds("open") {
            return vec![LeaverState::Held];
        }
        match self.verdict {
            Verdict::Left | Verdict::Ask { .. } => vec![LeaverState::Ended],
            Verdict::Leaves { .. } => vec![LeaverState::Scheduled, LeaverState::Ended],
            // Somebody else ended the access, or a person did not give it back.
            Verdict::Works | Verdict::Silent => vec![LeaverState::Employed, LeaverState::Ended],
        }
    }

    fn active(&self) -> Vec<LeaverState> {
        if self.holds("open") {
            return vec![LeaverState::Held];
        }
        if self.holds("rejected") && matches!(self.verdict, Verdict::Ask { .. }) {
            return vec![LeaverState::HasAccess];
        }
        match self.verdict {
            // Only a hand can have given it back, until the next comparison.
            Verdict::Left | Verdict::Ask { .. } if self.was_given_back => {
                vec![LeaverState::HasAccess, LeaverState::Held]
            }
            Verdict::Left | Verdict::Ask { .. } => vec![],
            Verdict::Leaves { .. } => vec![LeaverState::Scheduled],
            Verdict::Works | Verdict::Silent if self.left_elsewhere => {
                vec![LeaverState::Employed, LeaverState::Held]
            }
            Verdict::Works | Verdict::Silent => vec![LeaverState::Employed],
        }
    }

    fn holds(&self, state: &str) -> bool {
        self.hold.as_ref().is_some_and(|(known, _)| known == state)
    }
}

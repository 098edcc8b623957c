//! The states in which a person may be, from the documented rules and without the service's own code.

use leaver::reports::leaver_state::LeaverState;

use super::access::View;
use super::accounts::Seen;
use super::model::Verdict;

/// Everything about a person that decides the state.
#[derive(Debug)]
pub(super) struct Situation {
    /// The record, and the account that the rules find.
    pub(super) view: View,
    /// True if another record of the person has left, or may have left.
    pub(super) left_elsewhere: bool,
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
        let mut states = match self.view.seen {
            Seen::Nothing | Seen::LinkGone { other_is_on: false } => self.without_account(),
            Seen::LinkGone { other_is_on: true } => self.with_another_account(),
            Seen::Account { on: false } => self.inactive(),
            Seen::Account { on: true } => self.active(),
        };
        let changes_account = self.view.verdict.works() || self.view.verdict == Verdict::Left;
        let is_found = matches!(self.view.seen, Seen::Account { .. });
        if self.may_be_blocked && is_found && changes_account {
            states.push(LeaverState::Blocked);
        }
        states
    }

    fn without_account(&self) -> Vec<LeaverState> {
        // The HR system could still supply an address that an account has.
        if self.holds("open") {
            return vec![LeaverState::Held];
        }
        match self.view.verdict {
            Verdict::Works | Verdict::Silent => vec![LeaverState::Employed],
            Verdict::Leaves { .. } => vec![LeaverState::Scheduled],
            // A person said that nothing follows from a change without values.
            Verdict::Ask { .. } if self.holds("rejected") => {
                vec![LeaverState::Employed, LeaverState::NoAccount]
            }
            // The account was deleted after its end. A later date may be that of another employment, with another account.
            Verdict::Left | Verdict::Ask { .. }
                if self.view.has_ended && self.view.seen != Seen::Nothing =>
            {
                vec![LeaverState::Ended, LeaverState::NoAccount]
            }
            Verdict::Left | Verdict::Ask { .. } => vec![LeaverState::NoAccount],
        }
    }

    /// The linked account is gone, and one that has the address may be the person's or a successor's.
    fn with_another_account(&self) -> Vec<LeaverState> {
        match self.view.verdict {
            Verdict::Works | Verdict::Silent => vec![LeaverState::Employed],
            Verdict::Leaves { .. } => vec![LeaverState::Scheduled],
            Verdict::Left | Verdict::Ask { .. } if self.holds("rejected") => {
                vec![LeaverState::HasAccess, LeaverState::Held]
            }
            Verdict::Left | Verdict::Ask { .. } => vec![LeaverState::Held],
        }
    }

    fn inactive(&self) -> Vec<LeaverState> {
        if self.holds("open") {
            return vec![LeaverState::Held];
        }
        match self.view.verdict {
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
        if self.holds("rejected") && matches!(self.view.verdict, Verdict::Ask { .. }) {
            return vec![LeaverState::HasAccess];
        }
        match self.view.verdict {
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

//! One employee under one policy.

use chrono::{DateTime, Utc};

use crate::decision::policy::Policy;
use crate::decision::{
    AccountMatch, Action, Decision, NoActionReason, RequestedAction, decide, departure,
};
use crate::domain::{Account, AccountId, Departure, Employee};

/// The access of an employee at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Standing {
    /// The account is active.
    Access,
    /// The account is active, and a person has to decide whether access ends.
    EndHeld,
    /// Access ended.
    Ended,
    /// Access ended, and a person has to decide whether it is given back.
    ReturnHeld,
}

impl Standing {
    /// Returns whether the account is active.
    #[must_use]
    pub fn has_access(self) -> bool {
        matches!(self, Self::Access | Self::EndHeld)
    }

    /// Returns the word used in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A change of the account.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalkFlip {
    pub(super) at: DateTime<Utc>,
    pub(super) action: RequestedAction,
}

/// The state of one employee under one policy.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) standing: Standing,
    pub(super) reason: String,
    pub(super) access_ends_at: Option<DateTime<Utc>>,
    pub(super) flips: Vec<WalkFlip>,
    departure: Option<Departure>,
    deactivated_at: Option<DateTime<Utc>>,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            standing: Standing::Access,
            reason: String::new(),
            access_ends_at: None,
            flips: vec![],
            departure: None,
            deactivated_at: None,
        }
    }
}

impl Walk {
    /// Decides at one time and carries the decision out.
    pub(super) fn step(
        &mut self,
        policy: Option<&Policy>,
        employee: &mut Employee,
        now: DateTime<Utc>,
    ) {
        let Some(policy) = policy else {
            self.access_ends_at = None;
            self.standing = without_hold(self.standing);
            "the source is not configured".clone_into(&mut self.reason);
            return;
        };
        let is_active = self.standing.has_access();
        employee.departure = self.departure;
        employee.deactivated_at = self.deactivated_at;
        let account = AccountMatch::Linked(Account {
            id: AccountId::new(employee.key.employee_id.as_str()),
            email: employee.work_email().cloned(),
            is_active,
            is_protected: false,
            has_other_inactive_status: false,
        });
        let decision = decide(policy, employee, &account, &[], now);
        departure::confirm(employee);
        self.carry_out(&decision, employee, now);
        self.departure = employee.departure;
        self.deactivated_at = employee.deactivated_at;
        self.access_ends_at = decision.access_ends_at.filter(|at| *at > now);
        self.reason = decision.reason;
    }

    fn carry_out(&mut self, decision: &Decision, employee: &mut Employee, now: DateTime<Utc>) {
        self.standing = match &decision.action {
            Action::Deactivate(_) => {
                departure::carried_out(employee, now);
                employee.deactivated_at = Some(now);
                self.flip(RequestedAction::Deactivate, now);
                Standing::Ended
            }
            Action::EndSessions(_) => {
                departure::carried_out(employee, now);
                Standing::Ended
            }
            Action::Reactivate(_) => {
                departure::returned(employee, now);
                employee.deactivated_at = None;
                self.flip(RequestedAction::Reactivate, now);
                Standing::Access
            }
            Action::Hold(request) => match request.requested_action {
                RequestedAction::Deactivate => Standing::EndHeld,
                RequestedAction::Reactivate => Standing::ReturnHeld,
            },
            // A hold stays open until the values are read.
            Action::Keep(NoActionReason::AwaitingRead) => self.standing,
            Action::Keep(_) => without_hold(self.standing),
        };
    }

    fn flip(&mut self, action: RequestedAction, at: DateTime<Utc>) {
        self.flips.push(WalkFlip { at, action });
    }
}

fn without_hold(standing: Standing) -> Standing {
    if standing.has_access() {
        Standing::Access
    } else {
        Standing::Ended
    }
}

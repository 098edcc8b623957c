//! One employee under both policies, from observation to observation.

use chrono::{DateTime, Utc};

use super::Both;
use super::difference::Difference;
use super::walk::Walk;
use crate::decision::RequestedAction;
use crate::decision::policy::Policy;
use crate::domain::{Employee, EmployeeKey};

/// The state of one employee.
#[derive(Debug)]
pub(super) struct ReplayedEmployee {
    /// The facts. Each walk has its own account.
    known: Employee,
    pub(super) first_at: DateTime<Utc>,
    /// Time of observations that are applied and not decided about.
    undecided_at: Option<DateTime<Utc>>,
    pub(super) walks: Both<Walk>,
    pub(super) differences: Vec<Difference>,
}

impl ReplayedEmployee {
    pub(super) fn new(key: EmployeeKey, first_at: DateTime<Utc>) -> Self {
        Self {
            known: Employee::new(key),
            first_at,
            undecided_at: None,
            walks: Both::default(),
            differences: vec![],
        }
    }

    /// Carries out what is due before `at`, then applies an observation.
    pub(super) fn observe(
        &mut self,
        policies: Both<Option<&Policy>>,
        at: DateTime<Utc>,
        apply: impl FnOnce(&mut Employee),
    ) {
        // The clocks of two replicas may differ a little: time does not run backwards here.
        let at = self.undecided_at.map_or(at, |undecided| undecided.max(at));
        if self.undecided_at.is_some_and(|undecided| undecided < at) {
            self.decide(policies);
            self.run_ends(policies, Some(at));
        }
        apply(&mut self.known);
        self.undecided_at = Some(at);
    }

    /// Decides about the last observation, and carries out all scheduled ends.
    pub(super) fn finish(&mut self, policies: Both<Option<&Policy>>) {
        self.decide(policies);
        self.run_ends(policies, None);
    }

    /// Returns whether the employee lost access more often under the new policy since a time, or has none in the end under the
    /// new policy only.
    pub(super) fn loses_more(&self, since: DateTime<Utc>) -> bool {
        let ends = self.walks.as_ref().map(|walk| {
            let ends = walk
                .flips
                .iter()
                .filter(|flip| flip.at >= since && flip.action == RequestedAction::Deactivate);
            ends.count()
        });
        let has_access = self.walks.as_ref().map(|walk| walk.standing.has_access());
        ends.new > ends.present || (has_access.present && !has_access.new)
    }

    fn decide(&mut self, policies: Both<Option<&Policy>>) {
        if let Some(now) = self.undecided_at {
            let Self { known, walks, .. } = self;
            walks.present.step(policies.present, known, now);
            walks.new.step(policies.new, known, now);
            self.compare(now);
        }
    }

    /// Carries out the scheduled ends up to a time, each at its own time.
    fn run_ends(&mut self, policies: Both<Option<&Policy>>, until: Option<DateTime<Utc>>) {
        while let Some(now) = self
            .next_end()
            .filter(|at| until.is_none_or(|until| *at <= until))
        {
            let Self { known, walks, .. } = self;
            for (walk, policy) in [
                (&mut walks.present, policies.present),
                (&mut walks.new, policies.new),
            ] {
                if walk.access_ends_at == Some(now) {
                    walk.step(policy, known, now);
                }
            }
            self.compare(now);
        }
    }

    fn next_end(&self) -> Option<DateTime<Utc>> {
        let ends = self.walks.as_ref().map(|walk| walk.access_ends_at);
        [ends.present, ends.new].into_iter().flatten().min()
    }

    /// Begins or ends a difference if the policies begin or cease to differ.
    fn compare(&mut self, now: DateTime<Utc>) {
        let standings = self.walks.as_ref().map(|walk| walk.standing);
        let open = self
            .differences
            .last_mut()
            .filter(|difference| difference.until.is_none());
        if let Some(open) = open {
            if open.standings == standings {
                return;
            }
            open.until = Some(now);
        }
        if standings.present != standings.new {
            self.differences.push(Difference {
                key: self.known.key.clone(),
                from: now,
                until: None,
                standings,
                reasons: self.walks.as_ref().map(|walk| walk.reason.clone()),
            });
        }
    }
}

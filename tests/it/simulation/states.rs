//! Compares the states of `leaver explain` with the model, with drift, with `/health` and with `/metrics`.

use std::collections::{BTreeMap, BTreeSet};

use leaver::jobs::drift::{self, DriftReport};
use leaver::reports::explain::{Explanation, explain};
use leaver::reports::leaver_state::LeaverState;
use leaver::roster;
use leaver_core::decision::policy::DriftMode;
use serde_json::Value;

use super::access::View;
use super::journal::{Known, Line};
use super::model::Verdict;
use super::ops::Record;
use super::situation::Situation;
use super::world::{TRIES, World};

/// How many employees are in each state, by the member of `/health` that counts them.
type Counts = BTreeMap<&'static str, i64>;

/// The members of `/health`, with their gauges.
const COUNTED: [(&str, &str); 4] = [
    ("holds", "leaver_holds_open"),
    ("blocked", "leaver_deactivations_blocked"),
    ("without_account", "leaver_leavers_without_account"),
    ("schedule", "leaver_scheduled_access_ends"),
];

impl World {
    /// Each person is in exactly one state, and everything that shows states shows the same.
    pub(super) async fn states_agree(
        &mut self,
        journal: &[Line],
        known: &[Known],
        at_the_end: bool,
    ) -> Result<(), String> {
        let situations = self.situations(journal, known).await;
        let report = self.drift_report().await?;
        let mut counts = Counts::from(COUNTED.map(|(member, _)| (member, 0)));
        for (of, situation) in situations {
            let Some(explanation) = self.explanation(of).await else {
                continue;
            };
            let state = explanation.state.ok_or("a source is not configured")?;
            let wrong = |what: &str| {
                let hold = explanation.hold.as_ref().map(|hold| hold.rejected);
                let blocked = explanation.blocked.as_ref().map(|blocked| &blocked.reason);
                Err(format!(
                    "{of:?} is {state:?}: {what}; {situation:?}, decision {:?} {:?}, rejected: {hold:?}, blocked: {blocked:?}, \
                     no account since {:?}, ends at {:?}",
                    explanation.decision,
                    explanation.reason,
                    explanation.without_account_since,
                    explanation.access_ends_at
                ))
            };
            // Nothing reports that an account was changed by hand, or that a day has come: the next comparison finds it.
            let has_changed = self.began(of) || self.hands.touched.contains(of.person());
            let is_outdated = has_changed && !at_the_end;
            if !is_outdated && !situation.states().contains(&state) {
                return wrong("the rules allow others");
            }
            if at_the_end && state == LeaverState::Blocked {
                return wrong("nothing blocks it any more");
            }
            if let Some(what) = evidence(state, &explanation)
                && !is_outdated
            {
                return wrong(what);
            }
            if let Some(what) = drift_disagrees(of, state, &situation, &report) {
                return wrong(what);
            }
            count(&mut counts, &explanation);
        }
        self.health_agrees(&counts).await
    }

    async fn situations(&mut self, journal: &[Line], known: &[Known]) -> Vec<(Record, Situation)> {
        let now = self.now();
        let views = self.views(journal, known).await;
        let holds = self.last_holds().await;
        let situation = |view: &View| {
            let of = view.of;
            let person = of.person();
            let has_left = |verdict| matches!(verdict, Verdict::Left | Verdict::Ask { .. });
            let mut others = views.iter().filter(|other| other.of != of);
            Situation {
                view: view.clone(),
                left_elsewhere: others
                    .any(|other| other.of.person() == person && has_left(other.verdict)),
                may_be_blocked: self.may_be_blocked(person, now),
                hold: holds.get(of.id()).cloned(),
                was_given_back: self.hands.ever_given_back.contains(person)
                    || self.hands.given_back.contains(person),
            }
        };
        views
            .iter()
            .map(|view| (view.of, situation(view)))
            .collect()
    }

    async fn explanation(&mut self, of: Record) -> Option<Explanation> {
        let now = self.now();
        let policies = self.app.parts.engine.policies.clone();
        let session = &mut *self.app;
        let no_emails = BTreeSet::new();
        let employee = roster::store::find_by_email_or_id(&mut session.conn, &no_emails, of.id())
            .await
            .unwrap()
            .pop()?;
        let explained = explain(&mut self.operator, &self.table, &policies, employee, now).await;
        Some(explained.unwrap())
    }

    pub(super) async fn drift_report(&mut self) -> Result<DriftReport, String> {
        for _ in 0..TRIES {
            if let Ok(report) = drift::compare(&self.app.parts.engine, DriftMode::Report).await {
                return Ok(report);
            }
        }
        Err("drift cannot compare".to_owned())
    }

    pub(super) async fn health(&mut self) -> Value {
        let mut health = Value::Null;
        for _ in 0..TRIES {
            health = self.app.get("/health").await.body;
            if health["database"] == "ok" {
                break;
            }
        }
        health
    }

    /// Returns what `/metrics` exports.
    pub(super) async fn metrics(&mut self) -> String {
        let metrics = self.app.get("/metrics").await.body;
        metrics.as_str().unwrap_or_default().to_owned()
    }

    async fn health_agrees(&mut self, counts: &Counts) -> Result<(), String> {
        let health = self.health().await;
        let metrics = self.metrics().await;
        for (member, gauge) in COUNTED {
            let shown = &health[member];
            let shown = shown.as_i64().or_else(|| shown["pending"].as_i64());
            let exported = value_of(gauge, &metrics);
            let expected = counts.get(member).copied();
            if shown != expected || exported != expected {
                return Err(format!(
                    "`explain` finds {expected:?} for `{member}`, /health {shown:?}, {gauge} {exported:?}"
                ));
            }
        }
        Ok(())
    }
}

/// Returns the value of a metric without labels.
pub(super) fn value_of(name: &str, metrics: &str) -> Option<i64> {
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Counts an employee where `/health` should.
fn count(counts: &mut Counts, explanation: &Explanation) {
    let is_open = explanation.hold.as_ref().is_some_and(|hold| !hold.rejected);
    let is_blocked = explanation.blocked.is_some();
    let stored = [
        ("holds", is_open),
        ("blocked", is_blocked),
        (
            "without_account",
            explanation.without_account_since.is_some(),
        ),
        // Of a person who is asked about, access may end at an announced time all the same.
        (
            "schedule",
            explanation.access_ends_at.is_some() && !is_blocked,
        ),
    ];
    for (member, _) in stored.into_iter().filter(|(_, is_stored)| *is_stored) {
        *counts.entry(member).or_default() += 1;
    }
}

/// Returns where the stored state of an employee is not that which is shown.
fn evidence(state: LeaverState, explanation: &Explanation) -> Option<&'static str> {
    let is_open = explanation.hold.as_ref().is_some_and(|hold| !hold.rejected);
    let shown = [
        (LeaverState::Held, is_open, "the hold"),
        (
            LeaverState::Blocked,
            explanation.blocked.is_some(),
            "the block",
        ),
        (
            LeaverState::NoAccount,
            explanation.without_account_since.is_some(),
            "that no account is found",
        ),
    ];
    let wrong = shown
        .into_iter()
        .find(|(of, is_stored, _)| (state == *of) != *is_stored);
    if let Some((_, _, what)) = wrong {
        return Some(what);
    }
    let is_scheduled = explanation.access_ends_at.is_some();
    (state == LeaverState::Scheduled && !is_scheduled).then_some("no end is scheduled")
}

/// Returns how drift disagrees.
fn drift_disagrees(
    of: Record,
    state: LeaverState,
    situation: &Situation,
    report: &DriftReport,
) -> Option<&'static str> {
    let lists = |list: &[drift::TerminatedWithAccess]| {
        list.iter()
            .any(|found| found.employee_id.as_str() == of.id())
    };
    let mut unmatched = report.leavers_without_account();
    let is_unmatched = unmatched.any(|found| found.employee_id.as_str() == of.id());
    if is_unmatched != (state == LeaverState::NoAccount) {
        return Some("drift on leavers without an account");
    }
    let with_access = lists(&report.terminated_with_access);
    let accepted = lists(&report.accepted);
    let held = lists(&report.held);
    let is_active = situation.view.seen.has_access();
    let right = match state {
        LeaverState::HasAccess => with_access || accepted,
        LeaverState::Blocked if is_active => with_access,
        LeaverState::Held if is_active => !accepted,
        _ => !(with_access || accepted || held),
    };
    (!right).then_some("drift on the access of leavers")
}

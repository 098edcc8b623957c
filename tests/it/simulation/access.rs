//! Compares accounts, holds and schedules of an idle service with the model.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::Row;

use super::accounts::{Account, Seen, link_at};
use super::check::{is_change, said};
use super::journal::{Known, Line, What};
use super::model::{Verdict, has_own_address, verdict};
use super::ops::{Record, Rehire};
use super::world::World;

/// Of each employee the last hold that was not withdrawn: its state and what it wants.
type Holds = HashMap<String, (String, String)>;

/// A record, what follows from its facts, and the account that the rules find for it.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) of: Record,
    pub(super) verdict: Verdict,
    pub(super) seen: Seen,
    /// True if the last end was carried out, and access was not given back since.
    pub(super) has_ended: bool,
}

impl View {
    fn asks(&self) -> bool {
        matches!(self.verdict, Verdict::Ask { .. })
    }

    /// Returns whether the person left, and another account may be the person's.
    fn leaves_a_question(&self) -> bool {
        self.verdict == Verdict::Left && self.seen == Seen::LinkGone { other_is_on: true }
    }
}

impl World {
    /// Returns the view of each record.
    pub(super) async fn views(&mut self, journal: &[Line], known: &[Known]) -> Vec<View> {
        let now = self.now();
        let accounts = self.accounts().await;
        let departures = self.departures().await;
        let view = |of: Record| {
            let said = said(known, of, |_| true);
            let ended = departures.get(of.id()).copied();
            let link = link_at(journal, of, None);
            View {
                of,
                verdict: verdict(of.source(), &said, ended, now),
                seen: self.seen(of, link.as_deref(), has_own_address(&said), &accounts),
                has_ended: ended.is_some_and(|ended| ended.returned.is_none()),
            }
        };
        Record::ALL.into_iter().map(view).collect()
    }

    /// Accounts, holds and schedules are as the rules demand.
    pub(super) async fn access_is_right(
        &mut self,
        journal: &[Line],
        known: &[Known],
        at_the_end: bool,
    ) -> Result<(), String> {
        let views = self.views(journal, known).await;
        let accounts = self.accounts().await;
        let holds = self.last_holds().await;
        let schedule = self.schedule().await;
        for person in Self::everybody() {
            let of_person: Vec<View> = views
                .iter()
                .filter(|view| view.of.person() == person)
                .cloned()
                .collect();
            let account = accounts.get(person);
            let wrong = |what: String| {
                let on = account.map(|account| account.on);
                format!("{person}: {what}; on: {on:?}, {of_person:?}, holds: {holds:?}")
            };
            self.is_right(person, account, &of_person, &holds, at_the_end)
                .map_err(|what| wrong(what.to_owned()))?;
            for view in &of_person {
                self.is_asked_rightly(view, &holds)
                    .map_err(|what| wrong(what.to_owned()))?;
                self.is_scheduled_rightly(view, &schedule).map_err(&wrong)?;
            }
            let outlives = |account: &Account| {
                !account.on && account.sessions > 0 && last_switched_by_us(journal, &account.id)
            };
            if account.is_some_and(outlives) {
                return Err(wrong("sessions have outlived access".to_owned()));
            }
        }
        Ok(())
    }

    /// Who has left has no access, and who works there has it, or somebody is asked.
    fn is_right(
        &self,
        person: &'static str,
        account: Option<&Account>,
        views: &[View],
        holds: &Holds,
        at_the_end: bool,
    ) -> Result<(), &'static str> {
        let Some(account) = account else {
            return Ok(());
        };
        let may_be_blocked = self.may_be_blocked(person, self.now());
        let is_found = |view: &View| view.seen == Seen::Account { on: account.on };
        let left = |view: &View| view.verdict == Verdict::Left && is_found(view);
        let given_back = self.hands.given_back.contains(person);
        // Of a hire date that comes nobody is told; the comparison finds what follows.
        let may_wait = !at_the_end && views.iter().any(|view| self.began(view.of));
        if views.iter().any(left) && account.on && !given_back && !may_wait && !may_be_blocked {
            return Err("has left and has access");
        }
        let taken = self.hands.taken.contains(person);
        let all_work = views
            .iter()
            .all(|view| view.verdict.works() && is_found(view));
        // An account that was not found when the person returned is given back by newer facts only.
        let was_missed = self.hands.ever_appeared.contains(person);
        if all_work && !account.on && !taken && !may_be_blocked && !was_missed {
            let asked = |view: &View| held(holds, view.of, "reactivate", &["open", "rejected"]);
            let begins = views.iter().any(|view| self.began(view.of));
            if (self.rehire == Rehire::Reactivate && !begins) || !views.iter().any(asked) {
                return Err("works there and has no access, and nobody is asked");
            }
        }
        Ok(())
    }

    /// Somebody is asked where the rules demand it, and nowhere else.
    fn is_asked_rightly(&self, view: &View, holds: &Holds) -> Result<(), &'static str> {
        let View { of, seen, .. } = *view;
        let person = of.person();
        let ever_given_back = self.hands.ever_given_back.contains(person);
        // Nothing reports these changes; the next comparison finds them.
        let is_outdated = self.began(of) || self.hands.touched.contains(person);
        if is_outdated {
            return Ok(());
        }
        let is_on = seen == Seen::Account { on: true };
        let states = ["open", "rejected", "approved"];
        let wants = |wants: &str, states: &[&str]| held(holds, of, wants, states);
        let any = wants("deactivate", &states) || wants("reactivate", &states);
        if view.asks() && is_on && !any && !ever_given_back {
            return Err("nobody is asked");
        }
        let is_answered = wants("deactivate", &["open", "rejected"]);
        if (view.leaves_a_question() || (view.asks() && seen.has_access() && !is_on))
            && !is_answered
        {
            return Err("the linked account is gone, and nobody is asked");
        }
        if wants("deactivate", &["open"]) && !view.asks() && !view.leaves_a_question() {
            return Err("somebody is asked about a departure without a doubt");
        }
        if wants("reactivate", &["open"]) {
            if !(view.verdict.works() || view.asks() || ever_given_back) {
                return Err("somebody is asked about a return that is none");
            }
            if is_on && !ever_given_back {
                return Err("somebody is asked to switch on what is on");
            }
        }
        Ok(())
    }

    fn is_scheduled_rightly(
        &self,
        view: &View,
        schedule: &HashMap<String, Option<DateTime<Utc>>>,
    ) -> Result<(), String> {
        let now = self.now();
        let may_be_blocked = self.may_be_blocked(view.of.person(), now);
        let at = view.verdict.at().filter(|at| *at > now);
        let due = schedule.get(view.of.id()).copied().flatten();
        // A blocked end keeps the schedule that led to it, or that it replaces.
        let is_blocked = may_be_blocked && !view.asks();
        let due = due.filter(|at| *at > now || !may_be_blocked);
        if due != at && !is_blocked && !self.began(view.of) {
            return Err(format!("the timer looks at {schedule:?}, not at {at:?}"));
        }
        Ok(())
    }

    pub(super) async fn last_holds(&mut self) -> Holds {
        let rows = sqlx::query(
            "SELECT DISTINCT ON (employee_id) employee_id, state, requested_action FROM leaver.holds
             WHERE state <> 'withdrawn' ORDER BY employee_id, id DESC",
        )
        .fetch_all(&mut self.app.conn)
        .await
        .unwrap();
        rows.iter()
            .map(|row| (row.get(0), (row.get(1), row.get(2))))
            .collect()
    }

    async fn schedule(&mut self) -> HashMap<String, Option<DateTime<Utc>>> {
        let rows = sqlx::query("SELECT employee_id, access_ends_at FROM leaver.employees")
            .fetch_all(&mut self.app.conn)
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

/// Returns whether the last hold of a record wants this and is in one of these states.
fn held(holds: &Holds, of: Record, wants: &str, states: &[&str]) -> bool {
    let hold = holds.get(of.id());
    hold.is_some_and(|(state, asked)| asked == wants && states.contains(&state.as_str()))
}

fn last_switched_by_us(journal: &[Line], account: &str) -> bool {
    let switched = |line: &&Line| matches!(&line.what, What::Account { id, .. } if id == account);
    let last = journal.iter().rev().find(switched);
    last.is_some_and(|last| {
        let mut same = journal.iter().filter(|line| line.xid == last.xid);
        same.any(|line| matches!(&line.what, What::Audit(audit) if is_change(audit)))
    })
}

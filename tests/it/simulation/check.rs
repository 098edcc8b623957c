//! The invariants of an idle service: its accounts, roster and audit log agree with the model.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, Utc};
use sqlx::Row;

use super::journal::{self, Audit, Known, Line, What};
use super::model::{Ended, Facts, Statement, Told, Verdict, last_day, verdict};
use super::ops::{Record, Rehire};
use super::world::World;

/// An account as it is.
pub(super) struct Account {
    pub(super) on: bool,
    sessions: i64,
}

impl World {
    /// Checks everything. At the end, too, that all that was acknowledged has been taken in.
    pub(super) async fn check(&mut self, at_the_end: bool) -> Result<(), String> {
        let journal = journal::read(&mut self.app).await;
        let known = journal::known(&journal, &self.post)?;
        self.deeds_have_records(&journal)?;
        for line in &journal {
            if let What::Audit(audit) = &line.what {
                justified(line, audit, &journal, &known)?;
            }
        }
        if at_the_end {
            self.nothing_is_missing(&known).await?;
        }
        self.accounts_are_right(&journal, &known, at_the_end)
            .await?;
        self.states_agree(&known, at_the_end).await
    }

    /// Each change of an account has one record, in the same transaction, or was made by somebody's hand.
    fn deeds_have_records(&self, journal: &[Line]) -> Result<(), String> {
        let mut deeds: BTreeMap<&str, Vec<(String, bool)>> = BTreeMap::new();
        let mut records: BTreeMap<&str, Vec<(String, bool)>> = BTreeMap::new();
        for line in journal {
            match &line.what {
                What::Account { id, on } => deeds
                    .entry(&line.xid)
                    .or_default()
                    .push((id.to_string(), *on)),
                What::Audit(audit) if is_change(audit) => {
                    let account = audit.account_id.clone().unwrap_or_default();
                    let on = audit.action == "reactivated";
                    records.entry(&line.xid).or_default().push((account, on));
                }
                What::Audit(_) | What::Settled(_) => {}
            }
        }
        let mut by_hand = 0;
        for (xid, mut deeds) in deeds {
            let mut records = records.remove(xid).unwrap_or_default();
            if records.is_empty() {
                by_hand += deeds.len();
                continue;
            }
            deeds.sort();
            records.sort();
            if deeds != records {
                return Err(format!(
                    "a transaction did {deeds:?} and recorded {records:?}"
                ));
            }
        }
        if !records.is_empty() {
            return Err(format!("recorded and not done: {records:?}"));
        }
        if by_hand != self.hands.flips {
            return Err(format!(
                "{by_hand} changes without a record, {} by hand",
                self.hands.flips
            ));
        }
        Ok(())
    }

    /// Every acknowledged statement is known, as of the latest time that was signed where it has none of its own.
    async fn nothing_is_missing(&mut self, known: &[Known]) -> Result<(), String> {
        for (number, body) in self.post.bodies.iter().enumerate() {
            let acknowledged = body.attempts.iter().filter(|attempt| attempt.acknowledged);
            let Some(signed_at) = acknowledged.map(|attempt| attempt.signed_at).max() else {
                continue;
            };
            let as_of = body.as_of.unwrap_or(signed_at);
            let is_it = |known: &&Known| known.body == number && known.statement.as_of == as_of;
            if body.says.is_some() && !known.iter().any(|known| is_it(&known)) {
                return Err(format!(
                    "body {number} was acknowledged and never taken in as of {as_of}"
                ));
            }
        }
        let waiting = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";
        let kept =
            "SELECT count(*) FROM leaver.deliveries WHERE state <> 'failed' AND body IS NOT NULL";
        for (what, sql) in [("wait", waiting), ("keep their bodies", kept)] {
            let count = self.app.count(sql).await;
            if count > 0 {
                return Err(format!("{count} deliveries still {what}"));
            }
        }
        Ok(())
    }

    async fn accounts_are_right(
        &mut self,
        journal: &[Line],
        known: &[Known],
        at_the_end: bool,
    ) -> Result<(), String> {
        let now = self.now();
        let accounts = self.accounts().await;
        let holds = self.last_holds().await;
        let schedule = self.schedule().await;
        let departures = self.departures().await;
        for (person, account) in &accounts {
            let records = Record::ALL.into_iter().filter(|of| of.person() == *person);
            let verdicts: Vec<(Record, Verdict)> = records
                .map(|of| {
                    let ended = departures.get(of.id()).copied();
                    (
                        of,
                        verdict(of.source(), &said(known, of, |_| true), ended, now),
                    )
                })
                .collect();
            let wrong = |what: &str| {
                Err(format!(
                    "{person}: {what}; on: {}, {verdicts:?}, holds: {holds:?}",
                    account.on
                ))
            };
            let given_back = self.hands.given_back.contains(person);
            let ever_given_back = self.hands.ever_given_back.contains(person);
            let taken = self.hands.taken.contains(person);
            let may_be_blocked = self.may_be_blocked(person, now);
            let found = |of: Record| of != Record::Dia || has_address(known, of);
            let left = verdicts
                .iter()
                .any(|(of, v)| *v == Verdict::Left && found(*of));
            // Of a hire date that comes nobody is told; the comparison finds what follows.
            let may_wait = !at_the_end && verdicts.iter().any(|(of, _)| self.began(*of));
            if left && account.on && !given_back && !may_wait && !may_be_blocked {
                return wrong("has left and has access");
            }
            let held = |of: &Record, wants: &str, states: &[&str]| {
                let hold = holds.get(of.id());
                hold.is_some_and(|(state, asked)| {
                    asked == wants && states.contains(&state.as_str())
                })
            };
            let all_work = verdicts.iter().all(|(_, v)| v.works());
            if all_work && !account.on && !taken && !may_be_blocked {
                let asked =
                    |(of, _): &(Record, Verdict)| held(of, "reactivate", &["open", "rejected"]);
                let begins = verdicts.iter().any(|(of, _)| self.began(*of));
                if (self.rehire == Rehire::Reactivate && !begins) || !verdicts.iter().any(asked) {
                    return wrong("works there and has no access, and nobody is asked");
                }
            }
            for (of, verdict) in &verdicts {
                let asks = matches!(verdict, Verdict::Ask { .. });
                let states = ["open", "rejected", "approved"];
                let any = ["deactivate", "reactivate"]
                    .iter()
                    .any(|wants| held(of, wants, &states));
                if asks && account.on && !any && !ever_given_back && !self.began(*of) && found(*of)
                {
                    return wrong("nobody is asked");
                }
                if held(of, "deactivate", &["open"]) && !asks && !self.began(*of) {
                    return wrong("somebody is asked about a departure without a doubt");
                }
                let back = verdict.works() || asks;
                if held(of, "reactivate", &["open"])
                    && !back
                    && !ever_given_back
                    && !self.began(*of)
                {
                    return wrong("somebody is asked about a return that is none");
                }
                if held(of, "reactivate", &["open"]) && account.on && !ever_given_back {
                    return wrong("somebody is asked to switch on what is on");
                }
                let at = verdict.at().filter(|at| *at > now);
                let due = schedule.get(of.id()).copied().flatten();
                // A blocked end keeps the schedule that led to it, or that it replaces.
                let is_blocked = may_be_blocked && !matches!(verdict, Verdict::Ask { .. });
                let due = due.filter(|at| *at > now || !may_be_blocked);
                if due != at && !is_blocked && !self.began(*of) {
                    return wrong(&format!("the timer looks at {schedule:?}, not at {at:?}"));
                }
            }
            let ours = last_switched_by_us(journal, person);
            if !account.on && ours && account.sessions > 0 {
                return wrong("sessions have outlived access");
            }
        }
        Ok(())
    }

    /// Returns whether a hire date that may lie ahead was ever told: then things follow without anything being said.
    pub(super) fn began(&self, of: Record) -> bool {
        self.post.bodies.iter().any(|body| {
            let hired = |facts: &Facts| {
                let day = facts.first_day.and_then(Told::day);
                day.is_some_and(|day| day.year() >= 2026)
            };
            let said = body.says.as_ref();
            said.is_some_and(|(who, facts)| *who == of && hired(facts))
        })
    }

    pub(super) async fn accounts(&mut self) -> Vec<(&'static str, Account)> {
        let rows = sqlx::query(
            "SELECT is_active, (SELECT count(*) FROM sessions s WHERE s.user_id = u.id) AS sessions FROM users u ORDER BY id",
        )
        .fetch_all(&mut self.app.conn)
        .await
        .unwrap();
        let account = |row: &sqlx::postgres::PgRow| Account {
            on: row.get("is_active"),
            sessions: row.get("sessions"),
        };
        Self::people()
            .into_iter()
            .zip(rows.iter().map(account))
            .collect()
    }

    /// Of each employee the last hold that was not withdrawn: its state and what it wants.
    pub(super) async fn last_holds(&mut self) -> HashMap<String, (String, String)> {
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

    /// The end of each employee that was carried out last.
    pub(super) async fn departures(&mut self) -> HashMap<String, Ended> {
        let rows = sqlx::query(
            "SELECT employee_id, (departure -> 'termination_date' ->> 'day')::date AS last_day,
                    (departure ->> 'returned_at')::timestamptz AS returned
             FROM leaver.employees WHERE departure IS NOT NULL",
        )
        .fetch_all(&mut self.app.conn)
        .await
        .unwrap();
        let ended = |row: &sqlx::postgres::PgRow| Ended {
            last_day: row.get("last_day"),
            returned: row.get("returned"),
        };
        rows.iter().map(|row| (row.get(0), ended(row))).collect()
    }

    async fn schedule(&mut self) -> HashMap<String, Option<DateTime<Utc>>> {
        let rows = sqlx::query("SELECT employee_id, access_ends_at FROM leaver.employees")
            .fetch_all(&mut self.app.conn)
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

fn is_change(audit: &Audit) -> bool {
    matches!(audit.action.as_str(), "deactivated" | "reactivated")
}

pub(super) fn has_address(known: &[Known], of: Record) -> bool {
    known
        .iter()
        .any(|known| known.of == of && known.statement.facts.address)
}

pub(super) fn said(known: &[Known], of: Record, which: impl Fn(&Known) -> bool) -> Vec<Statement> {
    let of_them = known.iter().filter(|known| known.of == of && which(known));
    of_them.map(|known| known.statement.clone()).collect()
}

fn last_switched_by_us(journal: &[Line], person: &str) -> bool {
    let id = World::people().iter().position(|p| *p == person).unwrap() + 1;
    let last = journal.iter().rev().find(|line| {
        matches!(&line.what, What::Account { id: changed, .. } if usize::try_from(*changed).unwrap() == id)
    });
    last.is_some_and(|last| {
        let same = journal.iter().filter(|line| line.xid == last.xid);
        same.into_iter()
            .any(|line| matches!(&line.what, What::Audit(audit) if is_change(audit)))
    })
}

/// Returns the end of an employee that was carried out last before a line of the journal.
fn ended_before(line: &Line, of: Record, journal: &[Line], known: &[Known]) -> Option<Ended> {
    let mut last: Option<Ended> = None;
    for earlier in journal.iter().filter(|earlier| earlier.seq < line.seq) {
        let What::Audit(audit) = &earlier.what else {
            continue;
        };
        if audit.employee_id != of.id() {
            continue;
        }
        match audit.action.as_str() {
            "deactivated" | "sessions_ended" => {
                let by_then = |known: &Known| known.seq < earlier.seq || known.xid == earlier.xid;
                last = Some(Ended {
                    last_day: last_day(&said(known, of, by_then)),
                    returned: None,
                });
            }
            "reactivated" => {
                if let Some(ended) = &mut last {
                    ended.returned = Some(audit.at);
                }
            }
            _ => {}
        }
    }
    last
}

/// Returns whether the other system said that the person has left: one that does is enough.
fn left_elsewhere(of: Record, line: &Line, audit: &Audit, known: &[Known]) -> bool {
    let others = Record::ALL
        .into_iter()
        .filter(|other| other.person() == of.person());
    others.filter(|other| *other != of).any(|other| {
        let by_then = |known: &Known| known.seq < line.seq || known.xid == line.xid;
        let said = said(known, other, by_then);
        verdict(other.source(), &said, None, audit.at) == Verdict::Left
    })
}

/// Whoever was switched off had left, and whoever was switched on worked there, by what was known in that very
/// transaction; or a person said so. And what a delivery caused was done together with settling it.
fn justified(line: &Line, audit: &Audit, journal: &[Line], known: &[Known]) -> Result<(), String> {
    let together: Vec<&Line> = journal
        .iter()
        .filter(|other| other.xid == line.xid)
        .collect();
    if audit.actor == "system" {
        let id = audit.delivery_id.as_ref();
        let settled =
            |line: &&Line| matches!(&line.what, What::Settled(settled) if Some(&settled.id) == id);
        if !together.iter().any(settled) {
            return Err(format!(
                "{} of {} without settling",
                audit.action, audit.employee_id
            ));
        }
    }
    if !is_change(audit) {
        return Ok(());
    }
    let approved = |line: &&Line| matches!(&line.what, What::Audit(other) if other.action == "approved" && other.employee_id == audit.employee_id);
    if audit.actor == "ada" {
        let approved = together.iter().any(approved);
        return if approved {
            Ok(())
        } else {
            Err("a person did what no person approved".to_owned())
        };
    }
    let of = Record::ALL
        .into_iter()
        .find(|of| of.id() == audit.employee_id);
    let of = of.ok_or_else(|| format!("{} is nobody", audit.employee_id))?;
    let by_then = said(known, of, |known| {
        known.seq < line.seq || known.xid == line.xid
    });
    let ended = ended_before(line, of, journal, known);
    let verdict = verdict(of.source(), &by_then, ended, audit.at);
    let right = match audit.action.as_str() {
        "deactivated" => verdict == Verdict::Left,
        _ => verdict.works() && !left_elsewhere(of, line, audit, known),
    };
    if right {
        return Ok(());
    }
    Err(format!(
        "{} was {} at {} on {verdict:?}: {by_then:#?}",
        of.id(),
        audit.action,
        audit.at
    ))
}

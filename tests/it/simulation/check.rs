//! The invariants of an idle service: its accounts, roster and audit log agree with the model.

use std::collections::{BTreeMap, HashMap};

use chrono::Datelike;
use sqlx::Row;

use super::accounts::link_at;
use super::journal::{self, Audit, Known, Line, What};
use super::model::{Ended, Facts, Statement, Told, Verdict, last_day, verdict};
use super::ops::Record;
use super::world::World;
use crate::support::events::changes_without_event;

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
        links_are_kept(&journal)?;
        let differences = changes_without_event(&mut self.app.session).await;
        if !differences.is_empty() {
            return Err(format!("changes and events differ: {differences:?}"));
        }
        self.access_is_right(&journal, &known, at_the_end).await?;
        self.states_agree(&journal, &known, at_the_end).await
    }

    /// Each change of an account has one record, in the same transaction, or was made by somebody's hand.
    pub(super) fn deeds_have_records(&self, journal: &[Line]) -> Result<(), String> {
        let mut deeds: BTreeMap<&str, Vec<(String, bool)>> = BTreeMap::new();
        let mut records: BTreeMap<&str, Vec<(String, bool)>> = BTreeMap::new();
        for line in journal {
            match &line.what {
                What::Account { id, on, .. } => {
                    deeds.entry(&line.xid).or_default().push((id.clone(), *on));
                }
                What::Audit(audit) if is_change(audit) => {
                    let account = audit.account_id.clone().unwrap_or_default();
                    let on = audit.action == "reactivated";
                    records.entry(&line.xid).or_default().push((account, on));
                }
                What::Audit(_) | What::Settled(_) | What::Link { .. } => {}
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
}

pub(super) fn is_change(audit: &Audit) -> bool {
    matches!(audit.action.as_str(), "deactivated" | "reactivated")
}

pub(super) fn said(known: &[Known], of: Record, which: impl Fn(&Known) -> bool) -> Vec<Statement> {
    let of_them = known.iter().filter(|known| known.of == of && which(known));
    of_them.map(|known| known.statement.clone()).collect()
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

/// Returns whether the other system, of which a record has the same account, said that the person has left: one that does
/// is enough.
fn left_elsewhere(
    of: Record,
    line: &Line,
    audit: &Audit,
    journal: &[Line],
    known: &[Known],
) -> bool {
    let others = Record::ALL
        .into_iter()
        .filter(|other| other.person() == of.person());
    others.filter(|other| *other != of).any(|other| {
        if link_at(journal, other, Some(line)) != audit.account_id {
            return false;
        }
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
    if audit.actor == "system:worker" {
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
    let of = Record::ALL
        .into_iter()
        .find(|of| of.id() == audit.employee_id);
    let of = of.ok_or_else(|| format!("{} is nobody", audit.employee_id))?;
    let is_theirs = |line: &&&Line| match &line.what {
        What::Account { id, email, .. } => {
            Some(id) == audit.account_id.as_ref() && email.split('@').next() == Some(of.person())
        }
        _ => false,
    };
    if together.iter().find(is_theirs).is_none()
        || link_at(journal, of, Some(line)) != audit.account_id
    {
        return Err(format!(
            "{} of {} changed account {:?}, which is not theirs",
            audit.action, audit.employee_id, audit.account_id
        ));
    }
    let approved = |line: &&Line| matches!(&line.what, What::Audit(other) if other.action == "approved" && other.employee_id == audit.employee_id);
    if audit.actor == "cli:ada" {
        let approved = together.iter().any(approved);
        return if approved {
            Ok(())
        } else {
            Err("a person did what no person approved".to_owned())
        };
    }
    let by_then = said(known, of, |known| {
        known.seq < line.seq || known.xid == line.xid
    });
    let ended = ended_before(line, of, journal, known);
    let verdict = verdict(of.source(), &by_then, ended, audit.at);
    let right = match audit.action.as_str() {
        "deactivated" => verdict == Verdict::Left,
        _ => verdict.works() && !left_elsewhere(of, line, audit, journal, known),
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

/// A link moves to another account by a person's word only.
fn links_are_kept(journal: &[Line]) -> Result<(), String> {
    let mut links: HashMap<&str, &str> = HashMap::new();
    for line in journal {
        let What::Link {
            employee_id,
            account_id,
        } = &line.what
        else {
            continue;
        };
        let approved = |other: &&Line| {
            matches!(&other.what, What::Audit(audit) if audit.action == "approved"
            && audit.employee_id == *employee_id && audit.account_id == *account_id)
        };
        let new = account_id.as_deref().unwrap_or_default();
        let before = links.insert(employee_id, new);
        let mut together = journal.iter().filter(|other| other.xid == line.xid);
        if before.is_some_and(|before| before != new) && together.find(approved).is_none() {
            return Err(format!(
                "{employee_id} was linked to {new}, and nobody said so"
            ));
        }
    }
    Ok(())
}

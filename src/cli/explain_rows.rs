//! `leaver explain` for pipes: one row for each fact, for each part of the decision and for each entry of the audit log.

use super::explain::{Reasons, state};
use super::output::{self, Table, TableColumns};
use crate::reports::explain::Explanation;

/// Columns of an explanation.
#[derive(Debug)]
pub(super) struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("employee", 2),
        ("source", 4),
        ("tenant", 5),
        ("item", 0),
        ("value", 0),
        ("at", 1),
        ("actor", 3),
    ];
}

/// Adds the rows of explanations.
pub(super) fn fill(mut table: Table, explanations: &[Explanation]) -> Table {
    for explanation in explanations {
        for [item, value, at, actor] in rows(explanation) {
            table.add_row([
                explanation.employee_id.to_string(),
                explanation.source.to_string(),
                explanation.tenant.to_string(),
                item,
                value,
                at,
                actor,
            ]);
        }
    }
    table
}

fn rows(explanation: &Explanation) -> Vec<[String; 4]> {
    let row = |item: &str, value: String, at: String| [item.to_owned(), value, at, "-".to_owned()];
    let facts = &explanation.facts;
    let facts = [
        ("status", &facts.status),
        ("employment status", &facts.employment_status),
        ("hire date", &facts.hire_date),
        ("termination date", &facts.termination_date),
        ("work e-mail", &facts.work_email),
        ("deleted", &facts.deleted),
    ];
    let known = facts.into_iter().filter_map(|(name, fact)| {
        let fact = fact.as_ref()?;
        let value = output::or_dash(fact.value.as_deref());
        Some(row(name, value, output::time(fact.as_of)))
    });
    let mut rows: Vec<[String; 4]> = known.collect();
    let none = || "-".to_owned();
    let account = explanation.account_id.as_ref();
    let delivery = explanation.last_delivery_id;
    let reason = explanation.reason.as_deref();
    rows.extend([
        row("state", state(explanation, &mut Reasons::default()), none()),
        row(
            "account",
            output::or_dash(account.map(ToString::to_string)),
            none(),
        ),
        row(
            "last delivery",
            output::or_dash(delivery.map(|id| id.to_string())),
            none(),
        ),
        row(
            "access ends",
            none(),
            output::time_or_dash(explanation.access_ends_at),
        ),
        row(
            "deactivated",
            none(),
            output::time_or_dash(explanation.deactivated_at),
        ),
        row(
            "decision now",
            explanation.decision.unwrap_or("none").to_owned(),
            none(),
        ),
        row(
            "reason",
            reason.unwrap_or("this source is not configured").to_owned(),
            none(),
        ),
    ]);
    if let Some(answer) = &explanation.answer {
        let value = format!("{}: {}", answer.what, answer.reason);
        let by = answer.by.clone();
        rows.push(["last answer".to_owned(), value, output::time(answer.at), by]);
    }
    match &explanation.history {
        None => rows.push(row(
            "audit log",
            "not readable by this role".to_owned(),
            none(),
        )),
        Some(records) => rows.extend(records.iter().map(|record| {
            let value = format!("{}: {}", record.action.replace('_', " "), record.reason);
            let at = output::time(record.at);
            ["audit log".to_owned(), value, at, record.actor.clone()]
        })),
    }
    rows
}

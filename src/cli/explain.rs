//! `leaver explain`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;

use super::explain_rows::{Columns, fill};
use super::output::{Listing, Table};
use super::reads::record_read_of;
use super::{Config, exit_code, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::reports::explain::{ExplainedAnswer, Explanation, KnownFact, KnownFacts, explain};
use crate::reports::leaver_state::LeaverState;
use crate::roster;
use crate::service;
use leaver_core::domain::{EmployeeKey, WorkEmail};

/// Show what is known about a person, the decision and its reason
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver explain dana.ruiz@example.com\n  leaver explain 40217 --json\n\nExit code 1: the person is unknown"
)]
pub(super) struct Explain {
    #[command(flatten)]
    config: Config,
    /// Work e-mail or employee ID
    #[arg(value_name = "EMAIL-OR-EMPLOYEE-ID")]
    who: String,
    #[command(flatten)]
    listing: Listing<Columns>,
}

impl Explain {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let policies = service::policies(&settings);
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let email = WorkEmail::parse(&self.who);
        let emails = email.map_or_else(BTreeSet::new, |email| table.email_domains.aliases(&email));
        let employees =
            roster::store::find_by_email_or_id(&mut conn, &emails, self.who.trim()).await?;
        // What was typed may be an e-mail or a name, so it is left out.
        let filter = if self.who.contains('@') {
            "explain, by work e-mail"
        } else {
            "explain, by employee ID"
        };
        let keys: Vec<EmployeeKey> = employees.iter().map(|found| found.key.clone()).collect();
        record_read_of(&mut conn, env, filter, &keys).await?;
        let mut explanations = vec![];
        for employee in employees {
            let now = SystemClock.now();
            explanations.push(explain(&mut conn, &table, &policies, employee, now).await?);
        }
        if self.listing.json {
            output::json(&explanations)?;
        } else if explanations.is_empty() {
            output::problem(
                "no employee has this work e-mail or employee ID; no delivery or sync has named one",
            );
        } else if !output::is_terminal() || self.listing.is_given() {
            fill(Table::of(&self.listing), &explanations).print();
        } else {
            explanations.iter().for_each(print);
        }
        Ok(exit_code(!explanations.is_empty()))
    }
}

/// Reasons that were printed, and where. A repeated one is replaced by a reference.
#[derive(Default)]
pub(super) struct Reasons(Vec<(String, String)>);

impl Reasons {
    /// Returns the reason, or where it stands already.
    fn once(&mut self, reason: &str, place: &str) -> String {
        // A reason grows by an addition. The longer one is news then, and the shorter one is not.
        let mut printed = self.0.iter();
        if let Some((_, place)) = printed.find(|(printed, _)| printed.contains(reason)) {
            return format!("as {place}");
        }
        let mut printed = self.0.iter();
        let begin = printed.find_map(|(printed, place)| {
            let rest = reason.strip_prefix(printed.as_str())?;
            rest.starts_with(';').then(|| format!("as {place}{rest}"))
        });
        self.0.push((reason.to_owned(), place.to_owned()));
        begin.unwrap_or_else(|| reason.to_owned())
    }
}

fn print(explanation: &Explanation) {
    output::line!(
        "employee {} (tenant {}, source {})",
        output::text(&explanation.employee_id),
        output::text(&explanation.tenant),
        explanation.source
    );
    facts_table(&explanation.facts).print();
    let mut reasons = Reasons::default();
    let field = |name: &str, value: &str| output::field(name, &output::text(value));
    field("state", &state(explanation, &mut reasons));
    let account = explanation.account_id.as_ref().map(ToString::to_string);
    field("account", &output::or_dash(account));
    let delivery = explanation.last_delivery_id.map(|id| id.to_string());
    field("last delivery", &output::or_dash(delivery));
    let ends_at = explanation.access_ends_at;
    field("access ends at", &output::time_or_dash(ends_at));
    let deactivated_at = explanation.deactivated_at;
    field("deactivated at", &output::time_or_dash(deactivated_at));
    field("decision now", explanation.decision.unwrap_or("none"));
    let reason = explanation.reason.as_deref();
    let reason = reason.unwrap_or("this source is not configured");
    field("reason", &reasons.once(reason, "in `reason`"));
    if let Some(answer) = &explanation.answer {
        let why = reasons.once(&answer.reason, "in `last answer`");
        field("last answer", &format!("{}: {why}", answered(answer)));
    }
    match &explanation.history {
        None => field("audit log", "not readable by this role"),
        Some(records) if records.is_empty() => field("audit log", "no entries"),
        Some(records) => {
            output::line!("audit log:");
            let mut table = output::Table::new(&["at", "action", "actor", "reason"]);
            for record in records {
                table.add_row([
                    output::time(record.at),
                    record.action.replace('_', " "),
                    record.actor.clone(),
                    reasons.once(&record.reason, &format!("at {}", output::time(record.at))),
                ]);
            }
            table.print();
        }
    }
    output::line!();
}

/// Returns the state with what belongs to it.
pub(super) fn state(explanation: &Explanation, reasons: &mut Reasons) -> String {
    let Some(state) = explanation.state else {
        return "unknown, this source is not configured".to_owned();
    };
    let word = state.as_str();
    let is_rejected = explanation.hold.as_ref().is_some_and(|hold| hold.rejected);
    let answer = explanation.answer.as_ref().filter(|_| is_rejected);
    match (state, explanation) {
        (
            LeaverState::Blocked,
            Explanation {
                blocked: Some(blocked),
                ..
            },
        ) => format!(
            "{word} since {}: {}; the next attempt is at {}",
            output::time(blocked.since),
            reasons.once(&blocked.reason, "in `state`"),
            output::time(blocked.retry_at)
        ),
        (
            LeaverState::Ended,
            Explanation {
                departure: Some(departure),
                ..
            },
        ) => format!("{word} at {}", output::time(departure.carried_out_at)),
        (LeaverState::Scheduled, _) => {
            format!(
                "{word} for {}",
                output::time_or_dash(explanation.access_ends_at)
            )
        }
        (
            LeaverState::Held,
            Explanation {
                hold: Some(hold), ..
            },
        ) => {
            format!(
                "{word}; `leaver holds approve {0}` or `leaver holds reject {0}`",
                hold.id
            )
        }
        (LeaverState::NoAccount, _) => format!(
            "left, and no account found, since {}; {}",
            output::time_or_dash(explanation.without_account_since),
            tried(&explanation.addresses_tried)
        ),
        (LeaverState::HasAccess | LeaverState::Employed, _) if answer.is_some() => {
            let who = answer.map_or_else(String::new, answered);
            match state {
                LeaverState::HasAccess => {
                    format!("{word}, since {who}; this stays until the facts change")
                }
                _ => format!("no account found, and {who}"),
            }
        }
        (
            LeaverState::HasAccess,
            Explanation {
                decision: Some("planned"),
                ..
            },
        ) => format!("{word}, since the source is in shadow mode; `leaver plan` lists the change"),
        (LeaverState::HasAccess, _) => {
            format!("{word} although the person left; `leaver drift` lists the account")
        }
        _ => word.to_owned(),
    }
}

/// Returns who answered, what and when.
fn answered(answer: &ExplainedAnswer) -> String {
    format!(
        "{} {} at {}",
        answer.by,
        answer.what,
        output::time(answer.at)
    )
}

/// Names the addresses with which an account was looked for.
fn tried(addresses: &[String]) -> String {
    match addresses {
        [] => "no work e-mail is known, so none was looked for".to_owned(),
        [one] => format!("address tried: {one}"),
        several => format!("addresses tried: {}", several.join(", ")),
    }
}

fn facts_table(facts: &KnownFacts) -> output::Table {
    let mut table = output::Table::new(&["fact", "value", "as of", "observed at"]);
    let known: [(&str, &Option<KnownFact>); 6] = [
        ("status", &facts.status),
        ("employment status", &facts.employment_status),
        ("hire date", &facts.hire_date),
        ("termination date", &facts.termination_date),
        ("work e-mail", &facts.work_email),
        ("deleted", &facts.deleted),
    ];
    for (name, fact) in known {
        if let Some(fact) = fact {
            table.add_row([
                name.to_owned(),
                output::or_dash(fact.value.as_deref()),
                output::time(fact.as_of),
                output::time(fact.observed_at),
            ]);
        }
    }
    table
}

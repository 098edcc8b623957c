//! `leaver explain`: what we know of one person, from what, and what follows from it.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::{Config, Format, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit;
use crate::engine::evaluate::{Evaluated, evaluate};
use crate::engine::policies::Policies;
use crate::roster;
use crate::service;
use leaver_core::domain::{DateOrInstant, Employee, Fact, Status, WorkEmail};

/// Tell what is known of one person, from which observation, and what the decision is and why
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver explain dana.ruiz@example.com\n  leaver explain 40217 --json"
)]
pub(super) struct Explain {
    #[command(flatten)]
    config: Config,
    /// A work e-mail, or the HR system's id of an employee
    #[arg(value_name = "EMAIL-OR-EMPLOYEE-ID")]
    who: String,
    #[command(flatten)]
    format: Format,
}

impl Explain {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let email = WorkEmail::parse(&self.who);
        let email = email.as_ref().map_or("", WorkEmail::expose);
        let employees =
            roster::store::find_by_email_or_id(&mut conn, email, self.who.trim()).await?;
        if employees.is_empty() {
            if self.format.json {
                output::json(&json!([]))?;
            } else {
                println!(
                    "nobody of that work e-mail or employee id is in the roster: no delivery has named them yet"
                );
            }
            return Ok(ExitCode::FAILURE);
        }
        let rules = service::policies(&settings);
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let mut answers = vec![];
        for employee in employees {
            let answer = explain(&mut conn, &table, &rules, &employee).await?;
            if self.format.json {
                answers.push(answer);
            } else {
                show(&employee, &answer);
            }
        }
        if self.format.json {
            output::json(&answers)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn explain(
    conn: &mut PgConnection,
    table: &AccountsTable,
    rules: &Policies,
    employee: &Employee,
) -> anyhow::Result<Value> {
    let (slice, now) = (vec![employee.clone()], SystemClock.now());
    let deliberated = evaluate(conn, table, rules, slice, now).await?;
    let decided = deliberated.decided.first();
    // Where the roles are separated, the service's own may add to the audit but not read it. The refusal
    // must not spoil what else is asked on this connection.
    let mut aside = conn.begin().await?;
    let history = audit::store::history(&mut aside, &employee.key).await;
    aside.rollback().await?;
    Ok(json!({
        "source": employee.key.source,
        "tenant": employee.key.tenant,
        "employee_id": employee.key.employee_id,
        "facts": facts(employee),
        "account_id": employee.account_id,
        "access_ends_at": employee.access_ends_at,
        "deactivated_at": employee.deactivated_at,
        "values_pending_since": employee.values_pending_since,
        "last_delivery_id": employee.last_delivery_id,
        "decision": decided.map(Evaluated::label),
        "because": decided.map(|decided| &decided.decision.reason),
        "history": match &history {
            Ok(lines) => json!(lines),
            Err(_) => json!("not readable by this role"),
        },
    }))
}

fn facts(employee: &Employee) -> Value {
    fn fact<T>(fact: Option<&Fact<T>>, word: impl Fn(&T) -> String) -> Value {
        fact.map_or(Value::Null, |fact| {
            json!({
                "value": fact.value.as_ref().map(word),
                "as_of": fact.as_of,
                "observed_at": fact.observed_at,
            })
        })
    }
    json!({
        "status": fact(employee.status.as_ref(), |status| match status {
            Status::Active => "active".to_owned(),
            Status::Pending => "pending".to_owned(),
            Status::Inactive => "inactive".to_owned(),
            Status::Unknown(word) => format!("unknown word: {word}"),
        }),
        "employment_status": fact(employee.employment_status.as_ref(), |word| format!("{word:?}").to_lowercase()),
        "hire_date": fact(employee.hire_date.as_ref(), ToString::to_string),
        "termination_date": fact(employee.termination_date.as_ref(), |moment| match moment {
            DateOrInstant::Day(day) => day.to_string(),
            DateOrInstant::Instant(instant) => instant.to_rfc3339(),
        }),
        "work_email": fact(employee.work_email.as_ref(), |email| email.expose().to_owned()),
        "deleted": fact(employee.deleted.as_ref(), ToString::to_string),
    })
}

fn show(employee: &Employee, answer: &Value) {
    let text = |pointer: &str| match answer.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    println!(
        "employee {} of {} at {}",
        employee.key.employee_id, employee.key.tenant, employee.key.source
    );
    let mut table = output::table(&["fact", "value", "true as of", "learned at"]);
    for name in [
        "status",
        "employment_status",
        "hire_date",
        "termination_date",
        "work_email",
        "deleted",
    ] {
        if answer
            .pointer(&format!("/facts/{name}"))
            .is_some_and(|fact| !fact.is_null())
        {
            let part = |part: &str| text(&format!("/facts/{name}/{part}"));
            table.add_row([
                name.replace('_', " "),
                part("value"),
                part("as_of"),
                part("observed_at"),
            ]);
        }
    }
    println!("{table}");
    println!(
        "account: {}; newest facts from delivery {}",
        text("/account_id"),
        text("/last_delivery_id")
    );
    println!(
        "access ends: {}; switched off by us: {}",
        output::moment_or_dash(employee.access_ends_at),
        output::moment_or_dash(employee.deactivated_at)
    );
    println!(
        "decision now: {}, because {}",
        text("/decision"),
        text("/because")
    );
    match answer.get("history").and_then(Value::as_array) {
        Some(lines) if lines.is_empty() => println!("nothing has been done yet"),
        Some(lines) => {
            println!("what was done:");
            for line in lines {
                let part = |name: &str| {
                    line.get(name)
                        .and_then(Value::as_str)
                        .unwrap_or("-")
                        .to_owned()
                };
                println!(
                    "  {}  {} by {}: {}",
                    part("at"),
                    part("action"),
                    part("actor"),
                    part("reason")
                );
            }
        }
        None => println!("the record is not readable by this role"),
    }
    println!();
}

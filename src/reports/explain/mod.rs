//! Everything known about one employee, and the decision that follows from it.

mod answer;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

pub use self::answer::ExplainedAnswer;
use super::leaver_state::LeaverState;
use super::{date_or_instant, employment_status};
use crate::engine::accounts::AccountsTable;
use crate::engine::audit;
use crate::engine::audit::store::AuditRecord;
use crate::engine::evaluate::evaluate;
use crate::engine::holds;
use crate::engine::policies::Policies;
use leaver_core::decision::Action;
use leaver_core::domain::{
    AccountId, DeliveryId, Employee, EmployeeId, Fact, SourceName, Status, Tenant,
};

/// Everything known about one employee. It contains personal data, so it has no `Debug`.
#[derive(Serialize)]
pub struct Explanation {
    /// Source of the employee.
    pub source: SourceName,
    /// Tenant of the employee.
    pub tenant: Tenant,
    /// ID in the HR system.
    pub employee_id: EmployeeId,
    /// Known facts.
    pub facts: KnownFacts,
    /// Linked account.
    pub account_id: Option<AccountId>,
    /// Scheduled end of access.
    pub access_ends_at: Option<DateTime<Utc>>,
    /// Time of our deactivation, while the account is still inactive because of it.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// Time of the oldest notification without values that was not followed by an API read.
    pub values_pending_since: Option<DateTime<Utc>>,
    /// Delivery with the newest facts.
    pub last_delivery_id: Option<DeliveryId>,
    /// State now; `None` if the source is no longer configured.
    pub state: Option<LeaverState>,
    /// Hold of the employee, if one is open, or was rejected and still counts.
    pub hold: Option<ExplainedHold>,
    /// Last answer of a person.
    pub answer: Option<ExplainedAnswer>,
    /// Decision that the database did not carry out.
    pub blocked: Option<ExplainedBlock>,
    /// Last end of employment that was carried out.
    pub departure: Option<ExplainedDeparture>,
    /// Since when the person is known to have left while no account is found.
    pub without_account_since: Option<DateTime<Utc>>,
    /// Addresses with which an account was looked for, if the person left and none is found.
    pub addresses_tried: Vec<String>,
    /// Decision now; `None` if the source is no longer configured.
    pub decision: Option<&'static str>,
    /// Reason for the decision.
    pub reason: Option<String>,
    /// Audit records, oldest first; `None` if the database role may not read the audit log.
    pub history: Option<Vec<AuditRecord>>,
}

/// A hold of an employee.
#[derive(Serialize)]
pub struct ExplainedHold {
    /// ID, for `leaver holds`.
    pub id: i64,
    /// True if a person rejected it; otherwise it is open.
    pub rejected: bool,
}

/// A decision that the database did not carry out.
#[derive(Serialize)]
pub struct ExplainedBlock {
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is tried again.
    pub retry_at: DateTime<Utc>,
    /// Why, without values of the row.
    pub reason: String,
}

/// An end of employment that was carried out.
#[derive(Serialize)]
pub struct ExplainedDeparture {
    /// When it was carried out.
    pub carried_out_at: DateTime<Utc>,
    /// Termination date known then.
    pub termination_date: Option<String>,
}

/// Facts of an employee; `None` for a fact that no observation named.
#[derive(Serialize)]
pub struct KnownFacts {
    /// Employment status: `active`, `pending`, `inactive`, or a word that Leaver does not know.
    pub status: Option<KnownFact>,
    /// BambooHR's employment history status: `terminated` or `other`.
    pub employment_status: Option<KnownFact>,
    /// First day of employment.
    pub hire_date: Option<KnownFact>,
    /// End of employment.
    pub termination_date: Option<KnownFact>,
    /// Work e-mail.
    pub work_email: Option<KnownFact>,
    /// True if the HR system deleted the record.
    pub deleted: Option<KnownFact>,
}

/// One fact with its times.
#[derive(Serialize)]
pub struct KnownFact {
    /// The value; `None` if the HR system states that there is none.
    pub value: Option<String>,
    /// Time since which the value holds, by the HR system.
    pub as_of: DateTime<Utc>,
    /// Time at which Leaver received it.
    pub observed_at: DateTime<Utc>,
}

/// Explains one employee of the roster. Changes nothing.
///
/// # Errors
/// Returns the database's error. A role that may not read the audit log is no error.
pub async fn explain(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    employee: Employee,
    now: DateTime<Utc>,
) -> Result<Explanation, sqlx::Error> {
    let evaluation = evaluate(conn, table, policies, vec![employee.clone()], now).await?;
    let decided = evaluation.decided.first();
    let holds = holds::store::history(conn, std::slice::from_ref(&employee.key)).await?;
    let holds = holds.into_iter().next().unwrap_or_default();
    let rejection = decided.and_then(|decided| match &decided.decision.action {
        Action::Hold(request) => holds.rejection(&request.facts_fingerprint),
        _ => None,
    });
    let state = decided.map(|decided| LeaverState::of(decided, rejection.is_some()));
    // A rejection on other facts has no effect any more.
    let hold = rejection.or_else(|| holds.open());
    // What was rejected is not going to happen.
    let label = decided.map(|decided| match rejection {
        Some(_) => "keep",
        None => decided.label(),
    });
    let addresses_tried = match (state, employee.work_email()) {
        (Some(LeaverState::NoAccount), Some(email)) => {
            let aliases = table.email_domains.aliases(email);
            aliases
                .iter()
                .map(|email| email.expose().to_owned())
                .collect()
        }
        _ => vec![],
    };
    let answered = holds::answers::store::last(conn, &employee.key).await?;
    // The service's own role may be allowed to insert into the audit log only. In a transaction of its own,
    // that refusal does not abort an outer one.
    let mut tx = conn.begin().await?;
    let history = audit::store::history(&mut tx, &employee.key).await;
    tx.rollback().await?;
    let history = history.ok();
    let answer = answer::last(answered, history.as_deref());
    Ok(Explanation {
        answer,
        addresses_tried,
        state,
        hold: hold.map(|hold| ExplainedHold {
            id: hold.id,
            rejected: hold.is_rejected(),
        }),
        blocked: employee.blocked.as_ref().map(|blocked| ExplainedBlock {
            since: blocked.since,
            retry_at: blocked.retry_at,
            reason: blocked.reason.clone(),
        }),
        departure: employee.departure.map(|departure| ExplainedDeparture {
            carried_out_at: departure.carried_out_at,
            termination_date: departure.termination_date.as_ref().map(date_or_instant),
        }),
        without_account_since: employee.without_account_since,
        decision: label,
        reason: decided.map(|decided| decided.decision.reason.clone()),
        history,
        facts: KnownFacts::new(&employee),
        source: employee.key.source,
        tenant: employee.key.tenant,
        employee_id: employee.key.employee_id,
        account_id: employee.account_id,
        access_ends_at: decided.map_or(employee.access_ends_at, |decided| {
            decided.decision.access_ends_at
        }),
        deactivated_at: decided.map_or(employee.deactivated_at, |decided| {
            decided.employee.deactivated_at
        }),
        values_pending_since: employee.values_pending_since,
        last_delivery_id: employee.last_delivery_id,
    })
}

impl KnownFacts {
    fn new(employee: &Employee) -> Self {
        Self {
            status: known(employee.status.as_ref(), status),
            employment_status: known(employee.employment_status.as_ref(), |status| {
                employment_status(*status).to_owned()
            }),
            hire_date: known(employee.hire_date.as_ref(), ToString::to_string),
            termination_date: known(employee.termination_date.as_ref(), date_or_instant),
            work_email: known(employee.work_email.as_ref(), |email| {
                email.expose().to_owned()
            }),
            deleted: known(employee.deleted.as_ref(), ToString::to_string),
        }
    }
}

fn known<T>(fact: Option<&Fact<T>>, text: impl Fn(&T) -> String) -> Option<KnownFact> {
    fact.map(|fact| KnownFact {
        value: fact.value.as_ref().map(text),
        as_of: fact.as_of,
        observed_at: fact.observed_at,
    })
}

fn status(status: &Status) -> String {
    match status {
        Status::Active => "active".to_owned(),
        Status::Pending => "pending".to_owned(),
        Status::Inactive => "inactive".to_owned(),
        Status::Unknown(word) => format!("unknown word: {word}"),
    }
}

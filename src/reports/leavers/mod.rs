//! Every person whose effective end lies in a period: when it was reported and received, when access ended, and how.

mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use self::store::End;
use super::leaver_state::LeaverState;
use super::period::Period;
use super::scope::Scope;
use crate::engine::accounts::AccountsTable;
use crate::engine::batches::newest_fact;
use crate::engine::evaluate::{Evaluated, evaluate};
use crate::engine::holds::{self, HoldHistory};
use crate::engine::policies::Policies;
use crate::roster;
use leaver_core::decision::Action;
use leaver_core::decision::access_end::access_end;
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::policy::Policy;
use leaver_core::domain::{Employee, EmployeeKey, SourceName, Status};

/// Employees that are evaluated together.
const PAGE_SIZE: i64 = 500;

/// One end of employment. It contains personal data, so it has no `Debug`.
#[derive(Serialize)]
pub(crate) struct LeaverLine {
    /// Source of the employee.
    pub(crate) source: String,
    /// Company of the employee.
    pub(crate) tenant: String,
    /// Id of the employee in the HR system.
    pub(crate) employee_id: String,
    /// Work e-mail.
    pub(crate) work_email: Option<String>,
    /// The account.
    pub(crate) account_id: Option<String>,
    /// The end of access by the HR system: its termination date in the source's time zone and cut-off, else the time of the
    /// deciding fact.
    pub(crate) effective_at: DateTime<Utc>,
    /// The time that the HR system gave the deciding fact.
    pub(crate) reported_at: Option<DateTime<Utc>>,
    /// When the deciding fact was received.
    pub(crate) received_at: Option<DateTime<Utc>>,
    /// When access ended.
    pub(crate) ended_at: Option<DateTime<Utc>>,
    /// Seconds from the later one of effective end and receipt to the end of access.
    pub(crate) delay_seconds: Option<i64>,
    /// The cause of the change: webhook, timer, sync, drift, api, cli, release, undo, or `found inactive`.
    pub(crate) how: Option<String>,
    /// The person who approved or caused it.
    pub(crate) approved_by: Option<String>,
    /// The state of the person now.
    pub(crate) state: &'static str,
    /// Why this is no plain end of access.
    pub(crate) exception: Option<String>,
}

/// Numbers of one report.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct LeaverCounts {
    /// Number of ends.
    pub(crate) leavers: u64,
    /// Number of ends with an exception.
    pub(crate) exceptions: u64,
}

/// The inputs of a report.
pub(crate) struct LeaverQuery<'q> {
    /// The accounts.
    pub(crate) table: &'q AccountsTable,
    /// The policies of all configured sources.
    pub(crate) policies: &'q Policies,
    /// The sources.
    pub(crate) sources: &'q [SourceName],
    /// Whom the report is about.
    pub(crate) scope: &'q Scope,
    /// The period.
    pub(crate) period: Period,
    /// The time of the report.
    pub(crate) now: DateTime<Utc>,
}

impl LeaverQuery<'_> {
    /// Calls `line` for each end in the period, in key order, and last for accounts of no known employee. Memory does not
    /// depend on their number.
    ///
    /// # Errors
    /// Returns the database's error, or that of `line`.
    pub(crate) async fn each(
        &self,
        conn: &mut PgConnection,
        line: &mut dyn FnMut(&LeaverLine) -> anyhow::Result<()>,
    ) -> anyhow::Result<LeaverCounts> {
        let mut counts = LeaverCounts::default();
        let mut count = |one: LeaverLine| {
            counts.leavers += 1;
            counts.exceptions += u64::from(one.exception.is_some());
            line(&one)
        };
        let mut after: Option<EmployeeKey> = None;
        loop {
            let entries = roster::scan::store::entries_after;
            let mut page = entries(&mut *conn, self.sources, after.as_ref(), PAGE_SIZE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            page.retain(|employee| self.scope.contains_key(&employee.key));
            for one in self.of_page(&mut *conn, page).await? {
                count(one)?;
            }
        }
        for end in store::ends_without_employee(&mut *conn, &self.period).await? {
            if self
                .scope
                .contains(&end.source, &end.tenant, &end.employee_id)
            {
                count(line_of(end, None, "ended"))?;
            }
        }
        Ok(counts)
    }

    async fn of_page(
        &self,
        conn: &mut PgConnection,
        page: Vec<Employee>,
    ) -> Result<Vec<LeaverLine>, sqlx::Error> {
        let keys: Vec<EmployeeKey> = page.iter().map(|employee| employee.key.clone()).collect();
        let mut ends: BTreeMap<(String, String, String), Vec<End>> = BTreeMap::new();
        for end in store::ends_of(conn, &keys).await? {
            let key = (
                end.source.clone(),
                end.tenant.clone(),
                end.employee_id.clone(),
            );
            ends.entry(key).or_default().push(end);
        }
        let mut of = |key: &EmployeeKey| ends.remove(&stored(key)).unwrap_or_default();
        let mut relevant = vec![];
        let mut ends_by_position = vec![];
        for employee in page {
            let ends = of(&employee.key);
            let is_in = ends.iter().any(|end| self.period.contains(effective(end)))
                || self
                    .now_ending(&employee)
                    .is_some_and(|at| self.period.contains(at));
            if is_in {
                relevant.push(employee);
                ends_by_position.push(ends);
            }
        }
        if relevant.is_empty() {
            return Ok(vec![]);
        }
        let keys: Vec<EmployeeKey> = relevant
            .iter()
            .map(|employee| employee.key.clone())
            .collect();
        let holds = holds::store::history(conn, &keys).await?;
        let decided = evaluate(conn, self.table, self.policies, relevant, self.now).await?;
        let mut lines = vec![];
        // Sources of the query are configured, so each employee was decided about.
        for ((decided, ends), holds) in decided.decided.iter().zip(ends_by_position).zip(&holds) {
            self.of_employee(decided, ends, holds, &mut lines);
        }
        Ok(lines)
    }

    /// Returns the effective end by the facts as they are now.
    fn now_ending(&self, employee: &Employee) -> Option<DateTime<Utc>> {
        let policy = self.policies.policy(&employee.key.source)?;
        match assess(policy, employee, self.now) {
            Employment::Leaving { at, .. } => Some(at),
            Employment::Left { .. } => Some(end_by_facts(policy, employee)),
            Employment::Uncertain { ends_at, .. } => {
                Some(ends_at.unwrap_or_else(|| end_by_facts(policy, employee)))
            }
            Employment::Employed { .. } | Employment::Unclear { .. } => None,
        }
        .filter(|at| *at > DateTime::<Utc>::MIN_UTC)
    }

    fn of_employee(
        &self,
        decided: &Evaluated,
        ends: Vec<End>,
        holds: &HoldHistory,
        lines: &mut Vec<LeaverLine>,
    ) {
        let employee = &decided.employee;
        let rejection = match &decided.decision.action {
            Action::Hold(request) => holds.rejection(&request.facts_fingerprint),
            _ => None,
        };
        let state = LeaverState::of(decided, rejection.is_some());
        let now_ending = self.now_ending(employee);
        let in_effect = ends.iter().rposition(|end| end.returned_at.is_none());
        let mut is_covered = false;
        for (position, end) in ends.into_iter().enumerate() {
            let at = effective(&end);
            let is_now = Some(position) == in_effect;
            let is_in_period = self.period.contains(at)
                || (is_now && now_ending.is_some_and(|at| self.period.contains(at)));
            is_covered |= is_now;
            if is_in_period {
                let state_text = if is_now { state.as_str() } else { "returned" };
                let mut line = line_of(end, Some(employee), state_text);
                if is_now {
                    line.exception = exception(state, decided, holds);
                }
                lines.push(line);
            }
        }
        let Some(at) = now_ending.filter(|at| !is_covered && self.period.contains(*at)) else {
            return;
        };
        // Somebody who may have left and is not asked about counts as employed.
        if state == LeaverState::Employed
            && matches!(decided.employment, Employment::Uncertain { .. })
        {
            return;
        }
        let (reported_at, received_at) = newest_fact(employee).unzip();
        let departure = employee
            .departure
            .as_ref()
            .filter(|it| it.returned_at.is_none());
        let ended_at = departure.map(|departure| departure.carried_out_at);
        lines.push(LeaverLine {
            source: employee.key.source.to_string(),
            tenant: employee.key.tenant.to_string(),
            employee_id: employee.key.employee_id.to_string(),
            work_email: work_email(employee),
            account_id: employee.account_id.as_ref().map(ToString::to_string),
            effective_at: at,
            reported_at,
            received_at,
            ended_at,
            delay_seconds: delay(at, received_at, ended_at),
            how: ended_at.map(|_| "found inactive".to_owned()),
            approved_by: None,
            state: state.as_str(),
            exception: exception(state, decided, holds),
        });
    }
}

fn stored(key: &EmployeeKey) -> (String, String, String) {
    (
        key.source.to_string(),
        key.tenant.to_string(),
        key.employee_id.to_string(),
    )
}

fn work_email(employee: &Employee) -> Option<String> {
    let email = employee.work_email.as_ref()?.value.as_ref()?;
    Some(email.expose().to_owned())
}

/// Returns the end by the termination date, else the time of the fact that shows that the person left.
fn end_by_facts(policy: &Policy, employee: &Employee) -> DateTime<Utc> {
    if let Some((date, _)) = employee.termination_date() {
        return access_end(date, policy.timezone, policy.cutoff);
    }
    let inactive = employee
        .status
        .as_ref()
        .filter(|fact| fact.value == Some(Status::Inactive));
    let deleted = employee
        .deleted
        .as_ref()
        .filter(|fact| fact.value == Some(true));
    let times = [
        inactive.map(|fact| fact.as_of),
        deleted.map(|fact| fact.as_of),
    ];
    let earliest = times.into_iter().flatten().min();
    earliest
        .or_else(|| newest_fact(employee).map(|(as_of, _)| as_of))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Returns the effective end of a change. What a person ended by hand ended then.
fn effective(end: &End) -> DateTime<Utc> {
    if end.cause == "cli" && end.approved_by.is_none() {
        return end.at;
    }
    let by_hr = end.effective_at.or(end.provider_at).or(end.received_at);
    by_hr.unwrap_or(end.at)
}

fn delay(
    effective: DateTime<Utc>,
    received: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
) -> Option<i64> {
    let due = received.map_or(effective, |received| received.max(effective));
    ended.map(|ended| (ended - due).num_seconds())
}

fn line_of(end: End, employee: Option<&Employee>, state: &'static str) -> LeaverLine {
    let effective_at = effective(&end);
    let person = end.actor.filter(|actor| !actor.starts_with("system:"));
    let exception = match (end.is_undone, end.returned_at) {
        (true, _) => Some("undone by a person".to_owned()),
        (false, Some(at)) => Some(format!("access returned at {}", at.to_rfc3339())),
        (false, None) => None,
    };
    LeaverLine {
        work_email: employee.and_then(work_email),
        account_id: Some(end.account_id),
        effective_at,
        reported_at: end.provider_at,
        received_at: end.received_at,
        ended_at: Some(end.at),
        delay_seconds: delay(effective_at, end.received_at, Some(end.at)),
        how: Some(end.cause),
        approved_by: end.approved_by.or(person),
        state,
        exception,
        source: end.source,
        tenant: end.tenant,
        employee_id: end.employee_id,
    }
}

/// Returns why a state is no plain end of access.
fn exception(state: LeaverState, decided: &Evaluated, holds: &HoldHistory) -> Option<String> {
    let reason = &decided.decision.reason;
    match state {
        LeaverState::Ended | LeaverState::Scheduled => None,
        LeaverState::Held => Some(match holds.open() {
            Some(hold) => format!("hold {} is open: {reason}", hold.id),
            None => format!("a person must decide: {reason}"),
        }),
        LeaverState::Blocked => {
            let blocked = decided.employee.blocked.as_ref();
            let cause = blocked.map_or(reason, |blocked| &blocked.reason);
            Some(format!("blocked: {cause}"))
        }
        LeaverState::NoAccount => Some("no account was found".to_owned()),
        LeaverState::HasAccess => Some(format!("the account is active: {reason}")),
        LeaverState::Employed => Some(format!("keeps access: {reason}")),
    }
}

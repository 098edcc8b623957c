//! One real read of each account of a source, for `leaver check`. Nothing is stored.

use chrono::{DateTime, TimeDelta, Utc};

use super::bamboohr::history_begins;
use super::merge::WithheldFields;
use super::{BambooHrApi, LinkedAccount, MergeApi, ProviderClient, ReadError};
use leaver_core::providers::{ChangedAction, ChangedSince};

/// How far back the list of changes reaches at first.
const RECENT: TimeDelta = TimeDelta::days(30);

/// Employees of BambooHR that are read. Some may be hidden from the key's user.
const MAX_EMPLOYEES: usize = 3;

/// The result of a read of one account.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Merge's id of the linked account; empty for BambooHR.
    pub(crate) account: String,
    /// The findings, or why the read failed.
    pub(crate) result: Result<Findings, ReadError>,
}

/// Findings of a read that succeeded.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Employees that were read.
    pub(crate) employees: usize,
    /// Fields that the rules need and the API withholds, with what to do about them.
    pub(crate) withheld: Vec<String>,
    /// Facts about the position that the API withholds. No decision depends on them.
    pub(crate) position: Vec<String>,
    /// Other reasons for which reads would be incomplete.
    pub(crate) problems: Vec<String>,
}

impl Findings {
    fn add_problem(&mut self, problem: impl Into<String>) {
        let problem = problem.into();
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn add_withheld(&mut self, withheld: impl Into<String>) {
        let withheld = withheld.into();
        if !self.withheld.contains(&withheld) {
            self.withheld.push(withheld);
        }
    }
}

impl ProviderClient {
    /// Returns the host of the API, and the port if it is not the usual one.
    #[must_use]
    pub(crate) fn host(&self) -> String {
        let url = match self {
            Self::BambooHr(api) => api.base(),
            Self::Merge(api, _) => api.base(),
        };
        let host = url.host_str().unwrap_or_default();
        match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Reads a few employees of each account, as a sync would.
    pub(crate) async fn probe(&self) -> Vec<Probe> {
        match self {
            Self::BambooHr(api) => vec![Probe {
                account: String::new(),
                result: bamboohr(api).await,
            }],
            Self::Merge(api, accounts) => {
                let mut probes = vec![];
                for account in accounts {
                    probes.push(Probe {
                        account: account.id.clone(),
                        result: merge(api, account).await,
                    });
                }
                probes
            }
        }
    }
}

async fn bamboohr(api: &BambooHrApi) -> Result<Findings, ReadError> {
    let mut found = Findings::default();
    let recent = api.changed_since(api.now() - RECENT).await?;
    let mut newest = newest(recent);
    if newest.is_empty() {
        newest = self::newest(api.changed_since(history_begins()).await?);
    }
    if newest.is_empty() {
        found.add_problem("the list of all employees is empty");
    }
    let mut refusal = None;
    for id in newest {
        match api.employee(&id).await {
            Ok(Some(read)) => {
                found.employees += 1;
                for field in read.restricted_fields {
                    found.add_withheld(format!("`{field}`"));
                }
                for field in read.restricted_position {
                    let field = format!("`{field}`");
                    if !found.position.contains(&field) {
                        found.position.push(field);
                    }
                }
            }
            // It was deleted since, or it is hidden; others may be visible.
            Ok(None) => {
                found.add_problem("an employee is listed as changed and cannot be read (404)");
            }
            Err(
                error @ (ReadError::Forbidden { .. }
                | ReadError::NullRecord { .. }
                | ReadError::UnreadableRecord { .. }
                | ReadError::InvalidId),
            ) => {
                found.add_problem(error.to_string());
                refusal.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match refusal {
        Some(refusal) if found.employees == 0 => Err(refusal),
        _ => Ok(found),
    }
}

/// Returns the employees that changed last and exist.
fn newest(changed: ChangedSince) -> Vec<leaver_core::domain::EmployeeId> {
    let mut existing: Vec<_> = changed
        .employees
        .into_iter()
        .filter(|entry| entry.action != ChangedAction::Deleted)
        .collect();
    existing.sort_by_key(|entry| {
        std::cmp::Reverse(entry.last_changed.unwrap_or(DateTime::<Utc>::MIN_UTC))
    });
    let ids = existing.into_iter().map(|entry| entry.employee_id);
    ids.take(MAX_EMPLOYEES).collect()
}

async fn merge(api: &MergeApi, account: &LinkedAccount) -> Result<Findings, ReadError> {
    let mut found = Findings::default();
    match api.check_source(account).await {
        Ok(()) => {}
        Err(ReadError::NotReady { problem }) => found.add_problem(problem),
        Err(error) => return Err(error),
    }
    let Some(page) = api.employees(account, None).next().await? else {
        return Ok(found);
    };
    found.employees = page.changes.len();
    if page.changes.is_empty() {
        found.add_problem("the list of all employees is empty");
    }
    let causes = page.bad_entries.iter().map(|bad| bad.cause.to_string());
    causes.for_each(|cause| found.add_problem(cause));
    let mut withheld = WithheldFields::default();
    withheld.record(&page.changes);
    for warning in withheld.take_warnings(true) {
        found.add_withheld(warning);
    }
    Ok(found)
}

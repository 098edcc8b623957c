//! What must hold at the end of a case, or at one of its steps.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::company::Company;

/// Holds if all members hold; of a list under `any`, one must. An unknown member is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Expectation {
    /// E-mail of an account: whether it is active.
    active: BTreeMap<String, bool>,
    /// Least number of open holds.
    holds_at_least: Option<i64>,
    /// `ok`, `degraded` or `unavailable`.
    health: Option<String>,
    /// E-mail or ID of an employee: when access is scheduled to end; null for no schedule.
    access_ends: BTreeMap<String, Option<String>>,
    any: Vec<Self>,

    // The members below are ours.
    /// Number of open holds.
    holds: Option<i64>,
    /// Words that the reasons of the open holds contain, in any case.
    hold_reasons: Vec<String>,
    /// E-mail or ID of an employee: the state that `leaver explain` shows.
    state: BTreeMap<String, String>,
    /// E-mail of an account: number of its sessions.
    sessions: BTreeMap<String, i64>,
    /// Number of deliveries by state.
    deliveries: BTreeMap<String, i64>,
    /// Number of audit records by action.
    audit: BTreeMap<String, i64>,
    /// Words that the response of `/health` contains, in any case.
    health_contains: Vec<String>,
    /// Words that the response of `/health` does not contain, in any case.
    health_lacks: Vec<String>,
    /// Codes among the reasons of `/health`.
    health_reasons: Vec<String>,
    /// Beginning of lines of `/metrics`: least sum of their values.
    metrics_at_least: BTreeMap<String, f64>,
    /// Query: its one value as text.
    query: BTreeMap<String, String>,
}

/// Adds a difference unless the two are equal.
fn equal<T: PartialEq + std::fmt::Debug>(
    differences: &mut Vec<String>,
    what: &str,
    is: &T,
    wanted: &T,
) {
    if is != wanted {
        differences.push(format!("{what} is {is:?}, not {wanted:?}"));
    }
}

impl Expectation {
    /// Parses one whose placeholders are resolved.
    pub(super) fn parse(resolved: Value) -> Self {
        match resolved {
            Value::Null => Self::default(),
            value => serde_json::from_value(value).unwrap(),
        }
    }

    /// Returns the differences from the present state.
    pub(super) async fn differences(&self, company: &mut Company) -> Vec<String> {
        let mut found = vec![];
        self.accounts(company, &mut found).await;
        self.decisions(company, &mut found).await;
        self.being_seen(company, &mut found).await;
        let mut alternatives = vec![];
        for alternative in &self.any {
            let differences = Box::pin(alternative.differences(company)).await;
            if differences.is_empty() {
                return found;
            }
            alternatives.push(differences.join(" and "));
        }
        if !alternatives.is_empty() {
            found.push(format!("none of: {}", alternatives.join("; or ")));
        }
        found
    }

    async fn accounts(&self, company: &mut Company, found: &mut Vec<String>) {
        let accounts = company.accounts().await;
        for (email, wanted) in &self.active {
            let is: Vec<bool> = accounts
                .iter()
                .filter(|(known, _)| known == email)
                .map(|(_, active)| *active)
                .collect();
            equal(found, &format!("active {email}"), &is, &vec![*wanted]);
        }
        for (email, wanted) in &self.sessions {
            let sessions = "SELECT count(*)::text FROM sessions s JOIN users u ON u.id = s.user_id
                            WHERE u.email = ";
            let is = company.value(&format!("{sessions}{}", quoted(email))).await;
            equal(
                found,
                &format!("sessions of {email}"),
                &is,
                &wanted.to_string(),
            );
        }
        for (query, wanted) in &self.query {
            equal(found, query, &company.value(query).await, wanted);
        }
    }

    async fn decisions(&self, company: &mut Company, found: &mut Vec<String>) {
        let open = company
            .lines("SELECT reason FROM leaver.holds WHERE state = 'open' ORDER BY id")
            .await;
        let holds = i64::try_from(open.len()).unwrap();
        if self.holds_at_least.is_some_and(|least| holds < least) {
            found.push(format!("{holds} open holds"));
        }
        if let Some(wanted) = self.holds {
            equal(found, "open holds", &holds, &wanted);
        }
        contains(found, "the holds", &open.join("\n"), &self.hold_reasons);
        for (who, wanted) in &self.access_ends {
            let who = quoted(who);
            let query = format!(
                "SELECT COALESCE(to_char(access_ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '-')
                 FROM leaver.employees WHERE employee_id = {who} OR work_email = {who}"
            );
            let parse = |text: &String| text.parse::<DateTime<Utc>>().unwrap();
            let wanted: Vec<_> = vec![wanted.as_ref().map(parse)];
            let rows = company.lines(&query).await;
            let is: Vec<_> = rows
                .iter()
                .map(|row| (row != "-").then(|| row.parse::<DateTime<Utc>>().unwrap()))
                .collect();
            equal(found, &format!("end of access of {who}"), &is, &wanted);
        }
        for (who, wanted) in &self.state {
            let explained = company.run(&["explain", who, "--json"], &BTreeMap::new());
            let explained: Value = serde_json::from_str(&explained.out).unwrap_or_default();
            let is: BTreeSet<String> = explained
                .as_array()
                .unwrap_or(&vec![])
                .iter()
                .map(|one| one["state"].as_str().unwrap_or("-").replace('_', " "))
                .collect();
            let wanted = BTreeSet::from([wanted.clone()]);
            equal(found, &format!("state of {who}"), &is, &wanted);
        }
        for (table, column, counts) in [
            ("deliveries", "state", &self.deliveries),
            ("audit", "action", &self.audit),
        ] {
            for (value, wanted) in counts {
                let query = format!(
                    "SELECT count(*)::text FROM leaver.{table} WHERE {column} = {}",
                    quoted(value)
                );
                let is = company.value(&query).await;
                equal(found, &format!("{value} {table}"), &is, &wanted.to_string());
            }
        }
    }

    async fn being_seen(&self, company: &Company, found: &mut Vec<String>) {
        if self.health.is_some()
            || !self.health_contains.is_empty()
            || !self.health_lacks.is_empty()
            || !self.health_reasons.is_empty()
        {
            let text = company.get("/health").await;
            let health: Value = serde_json::from_str(&text).unwrap_or_default();
            if let Some(wanted) = &self.health {
                let is = health["status"].as_str().unwrap_or_default().to_owned();
                if is != *wanted {
                    found.push(format!("health is {is:?}, not {wanted:?}: {text}"));
                }
            }
            contains(found, "/health", &text, &self.health_contains);
            lacks(found, "/health", &text, &self.health_lacks);
            let empty = vec![];
            let reasons = health["reasons"].as_array().unwrap_or(&empty);
            for code in &self.health_reasons {
                if !reasons.iter().any(|reason| reason["code"] == **code) {
                    found.push(format!("no reason {code} in {text}"));
                }
            }
        }
        if self.metrics_at_least.is_empty() {
            return;
        }
        let text = company.get("/metrics").await;
        for (name, least) in &self.metrics_at_least {
            let lines = text.lines().filter(|line| line.starts_with(name.as_str()));
            let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            let (count, sum) = values.fold((0, 0.0), |(n, sum), value| (n + 1, sum + value));
            if count == 0 || sum < *least {
                found.push(format!("{name} is {sum} in {count} lines of /metrics"));
            }
        }
    }
}

/// Adds each word that a text lacks.
pub(super) fn contains(found: &mut Vec<String>, what: &str, text: &str, words: &[String]) {
    let lower = text.to_lowercase();
    for word in words.iter().filter(|w| !lower.contains(&w.to_lowercase())) {
        found.push(format!("{what} lacks {word:?}: {text}"));
    }
}

/// Adds each word that a text contains.
pub(super) fn lacks(found: &mut Vec<String>, what: &str, text: &str, words: &[String]) {
    let lower = text.to_lowercase();
    for word in words.iter().filter(|w| lower.contains(&w.to_lowercase())) {
        found.push(format!("{what} contains {word:?}: {text}"));
    }
}

/// Returns a text as a literal of SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

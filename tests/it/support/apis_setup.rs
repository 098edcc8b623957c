//! Apps whose sources have a stand-in as API: configuration, users, and leavers in each provider's format.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use leaver::base::clock::Clock;
use leaver::connect::ClientLimits;
use leaver::jobs::sync::SyncSource;
use leaver::service::companies;
use serde_json::Value;

use super::TestApp;
use super::apis::{StandIn, bamboohr_employee, merge_employee};

/// Returns the configuration of a source with this API. A Merge source has the linked account `account-of-NAME`. The secrets
/// are read from `SECRET`, `API_KEY` and `TOKEN`.
pub(crate) fn source_with_api(name: &str, provider: &str, api: &StandIn) -> String {
    let linked_accounts = match provider {
        "merge" => format!(
            r#"linked_accounts = [{{ id = "account-of-{name}", tenant = "widgets", token = "env:TOKEN" }}]"#
        ),
        _ => String::new(),
    };
    format!(
        r#"
        [[sources]]
        name = "{name}"
        provider = "{provider}"
        webhook_secrets = ["env:SECRET"]
        {linked_accounts}
        [sources.api]
        base_url = "{}"
        api_key = "env:API_KEY"
        "#,
        api.url
    )
}

/// The setting under which sources of several companies share the users table.
pub(crate) const SINGLE_COMPANY: &str = "[accounts]\nsingle_company = true\n";

/// Returns Merge's record of the `n`th employee, terminated on 20 November 2026.
pub(crate) fn terminated_merge_employee(n: usize) -> Value {
    let mut employee = merge_employee(n);
    employee["employment_status"] = "INACTIVE".into();
    employee["termination_date"] = "2026-11-20T00:00:00Z".into();
    employee
}

/// Returns BambooHR's record of the `n`th employee, terminated without a date.
pub(crate) fn terminated_bamboohr_employee(n: usize) -> Value {
    let mut employee = bamboohr_employee(n);
    employee["status"] = "Inactive".into();
    employee["employmentHistoryStatus"] = "Terminated".into();
    employee
}

impl TestApp {
    /// Inserts the users of these employees of a stand-in, without sessions.
    pub(crate) async fn add_employees_users(&mut self, numbers: RangeInclusive<usize>) {
        let (first, last) = (numbers.start(), numbers.end());
        self.sql(&format!(
            "INSERT INTO users (email)
             SELECT 'dana.' || n || '@widgets.example' FROM generate_series({first}, {last}) n"
        ))
        .await;
    }

    /// Returns the sources with an API. A request is tried this often, with waits of milliseconds.
    pub(crate) fn sync_sources(&self, max_attempts: u32) -> Vec<SyncSource> {
        let limits = ClientLimits {
            max_attempts,
            first_backoff: Duration::from_millis(2),
            host_failure_window: Duration::from_millis(20),
            ..ClientLimits::default()
        };
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        companies(&self.settings, &limits, &clock).unwrap()
    }
}

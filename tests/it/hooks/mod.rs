//! BambooHR's webhooks: gaps between their delivery logs and the inbox, and the daily check.

mod check;
mod gaps;
mod named;

use std::sync::Arc;

use leaver::jobs::sync::SyncSource;
use serde_json::{Value, json};

use crate::support::apis::{StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::apis_setup::{source_with_api, terminated_bamboohr_employee};
use crate::support::hooks::Hooks;
use crate::support::{BAMBOOHR_KEY, TestApp};

const HERE: &str = "https://leaver.example/webhooks/bamboohr";

/// A BambooHR company of ten, with webhooks, beside the service.
struct WebhooksTest {
    app: TestApp,
    api: StandIn,
    hooks: Arc<Hooks>,
    company: Arc<SyncSource>,
}

impl WebhooksTest {
    /// A company in which these have left, unknown to the service.
    async fn with_leavers(left: &[usize]) -> Self {
        let employees = (1..=10)
            .map(|n| {
                if left.contains(&n) {
                    terminated_bamboohr_employee(n)
                } else {
                    bamboohr_employee(n)
                }
            })
            .collect();
        let hooks = Arc::new(Hooks::default());
        let api = StandIn::start(bamboohr_with_hooks(employees, &hooks)).await;
        let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "api-key-sentinel")];
        let mut app = TestApp::builder()
            .config_file(&source_with_api("bamboohr", "bamboohr", &api), &secrets)
            .build()
            .await;
        app.add_employees_users(1..=10).await;
        let company = company(&app);
        Self {
            app,
            api,
            hooks,
            company: Arc::new(company),
        }
    }

    async fn new() -> Self {
        Self::with_leavers(&[]).await
    }

    /// The e-mails of deactivated users.
    async fn off(&mut self) -> Vec<String> {
        let sql = "SELECT email FROM users WHERE NOT is_active ORDER BY id";
        self.app.lines(sql).await
    }

    /// The health of the source.
    async fn health(&self) -> Value {
        self.app.get("/health").await.body
    }
}

fn company(app: &TestApp) -> SyncSource {
    app.sync_sources(2).remove(0)
}

/// An event without values; `n` makes each body different.
fn thin(employee: &str, n: usize) -> Value {
    json!({"type": "employee.updated", "timestamp": format!("2026-11-22T11:{n:02}:00+0000"),
           "data": {"companyId": "88110", "employeeId": employee, "changedFields": ["status"]}})
}

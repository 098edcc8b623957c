//! BambooHR's webhooks: gaps between their delivery logs and the inbox, and the daily check.

mod check;
mod gaps;
mod named;

use std::sync::Arc;
use std::time::Duration;

use leaver::base::clock::Clock;
use leaver::connect::ClientLimits;
use leaver::jobs::sync::SyncSource;
use leaver::service::companies;
use serde_json::{Value, json};

use crate::support::apis::{StandIn, bamboohr_employee, bamboohr_with_hooks};
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
                let mut one = bamboohr_employee(n);
                if left.contains(&n) {
                    one["status"] = "Inactive".into();
                    one["employmentHistoryStatus"] = "Terminated".into();
                }
                one
            })
            .collect();
        let hooks = Arc::new(Hooks::default());
        let api = StandIn::start(bamboohr_with_hooks(employees, &hooks)).await;
        let file = format!(
            r#"
            [[sources]]
            name = "bamboohr"
            provider = "bamboohr"
            webhook_secrets = ["env:SECRET"]
            [sources.api]
            base_url = "{}"
            api_key = "env:API_KEY"
            "#,
            api.url
        );
        let env = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "api-key-sentinel")];
        let mut app = TestApp::builder().config_file(&file, &env).build().await;
        app.sql(
            "INSERT INTO users (email)
             SELECT 'dana.' || n || '@widgets.example' FROM generate_series(1, 10) n",
        )
        .await;
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
    let limits = ClientLimits {
        max_attempts: 2,
        first_backoff: Duration::from_millis(2),
        host_failure_window: Duration::from_millis(20),
        ..ClientLimits::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(app.clock.clone());
    companies(&app.settings, &limits, &clock).unwrap().remove(0)
}

/// An event without values; `n` makes each body different.
fn thin(employee: &str, n: usize) -> Value {
    json!({"type": "employee.updated", "timestamp": format!("2026-11-22T11:{n:02}:00+0000"),
           "data": {"companyId": "88110", "employeeId": employee, "changedFields": ["status"]}})
}

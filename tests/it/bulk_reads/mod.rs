//! Companies read in few requests: by a report, by the dataset of employees, or one by one, as the account allows.

mod contract;
mod dataset;
mod deleted;
mod future;
mod pages;
mod refusals;
mod report;
mod rows;
mod speed;
mod ways;

use std::sync::Arc;

use leaver::jobs::sync::{SyncMode, SyncReport, SyncSource, Syncer};
use serde_json::{Value, json};

use crate::support::apis::{Answer, StandIn, bamboohr_employee};
use crate::support::apis_setup::{source_with_api, terminated_bamboohr_employee};
use crate::support::bulk_apis::{BulkCompany, DATASET, REPORT};
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, TestApp};

const CHANGED: &str = "/api/v1/employees/changed";

struct BulkTest {
    app: TestApp,
    api: StandIn,
    company: BulkCompany,
    source: SyncSource,
    syncer: Syncer,
}

impl BulkTest {
    async fn new(employees: Vec<Value>) -> Self {
        let company = BulkCompany::new(employees);
        let api = StandIn::start(company.answers()).await;
        let variables = [
            ("SECRET", BAMBOOHR_KEY),
            ("API_KEY", "api-key"),
            END_SESSIONS,
        ];
        let config = source_with_api("bamboohr", "bamboohr", &api);
        let mut app = TestApp::builder()
            .config_file(&config, &variables)
            .build()
            .await;
        app.add_employees_users(1..=60).await;
        let source = app.sync_sources(3).remove(0);
        let syncer = Syncer::new(Arc::clone(&app.parts.engine));
        Self {
            app,
            api,
            company,
            source,
            syncer,
        }
    }

    async fn sync(&mut self, mode: SyncMode) -> SyncReport {
        let synced = self.syncer.sync(&self.source, mode, &|_, _| {}).await;
        synced.unwrap().unwrap().remove(0)
    }

    async fn full(&mut self) -> SyncReport {
        self.sync(SyncMode::Full).await
    }

    /// The e-mails of deactivated users.
    async fn off(&mut self) -> Vec<String> {
        let sql = "SELECT email FROM users WHERE NOT is_active ORDER BY id";
        self.app.lines(sql).await
    }

    /// The ids of the single reads so far, in order.
    fn single_reads(&self) -> Vec<String> {
        let asked = self.api.requests();
        let paths = asked
            .iter()
            .filter_map(|one| one.path.strip_prefix("/api/v1/employees/"));
        let mut ids: Vec<String> = paths
            .filter(|id| *id != "changed")
            .map(ToOwned::to_owned)
            .collect();
        ids.sort_by_key(|id| id.parse::<u64>().unwrap());
        ids
    }

    fn count(&self, path: &str) -> usize {
        let asked = self.api.requests();
        asked.iter().filter(|one| one.path == path).count()
    }

    async fn missing(&mut self) -> Vec<String> {
        let sql = "SELECT employee_id FROM leaver.employees WHERE missing_since IS NOT NULL ORDER BY employee_id";
        self.app.lines(sql).await
    }
}

/// Sixty people, of whom 7 and 52 have left.
fn sixty() -> Vec<Value> {
    (1..=60)
        .map(|n| match n {
            7 | 52 => terminated_bamboohr_employee(n),
            _ => bamboohr_employee(n),
        })
        .collect()
}

const LEFT: [&str; 2] = ["dana.7@widgets.example", "dana.52@widgets.example"];

/// Returns an answer that is cut after its first bytes.
fn cut(text: &str) -> Answer {
    Answer::text(200, "application/json", text)
}

/// Returns a report with all fields.
fn report_of(rows: &[Value]) -> String {
    let fields = leaver_core::providers::BAMBOOHR_FIELDS;
    let fields = fields.map(|name| json!({"id": name, "type": "text", "name": name}));
    let (fields, rows) = (Value::from(fields.to_vec()), Value::from(rows.to_vec()));
    format!(r#"{{"title":"Leaver","fields":{fields},"employees":{rows}}}"#)
}

//! Large reads of everybody: their memory, time and writes.

mod confirmed;
mod writes;

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::jobs::sync::{SyncMode, SyncReport, Syncer};
use serde_json::{Value, json};

use crate::support::apis::{
    Answer, ApiRequest, StandIn, bamboohr_company, bamboohr_employee, merge_company, merge_employee,
};
use crate::support::apis_setup::source_with_api;
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, MERGE_KEY, TestApp};

/// Returns the responses of a company.
type Company = Box<dyn Fn(&ApiRequest) -> Answer + Send + Sync>;

/// A company whose records a test can change between two reads.
struct Sweep {
    app: TestApp,
    records: Vec<Value>,
    provider: &'static str,
    answers: Arc<Mutex<Company>>,
    _api: StandIn,
}

impl Sweep {
    async fn start(provider: &'static str, count: usize) -> Self {
        let record = match provider {
            "merge" => merge_employee,
            _ => bamboohr_employee,
        };
        let records: Vec<Value> = (1..=count).map(record).collect();
        let answers = Arc::new(Mutex::new(company(provider, records.clone())));
        let shared = Arc::clone(&answers);
        let api = StandIn::start(move |request: &ApiRequest| shared.lock().unwrap()(request)).await;
        let secret = match provider {
            "merge" => MERGE_KEY,
            _ => BAMBOOHR_KEY,
        };
        let variables = [
            ("SECRET", secret),
            ("API_KEY", "api-key"),
            ("TOKEN", "token"),
            END_SESSIONS,
        ];
        let mut app = TestApp::builder()
            .config_file(&source_with_api(provider, provider, &api), &variables)
            .build()
            .await;
        app.add_employees_users(1..=count).await;
        Self {
            app,
            records,
            provider,
            answers,
            _api: api,
        }
    }

    /// Reads everybody, ten minutes after the last read. All records of Merge were modified a minute ago.
    async fn read(&mut self) -> SyncReport {
        self.app.advance(TimeDelta::minutes(10));
        let modified = self.app.clock.now() - TimeDelta::minutes(1);
        if self.provider == "merge" {
            for record in &mut self.records {
                record["modified_at"] = json!(modified.to_rfc3339());
            }
        }
        self.read_again().await
    }

    /// Reads everybody. No record of Merge was modified since the last read.
    async fn read_again(&mut self) -> SyncReport {
        *self.answers.lock().unwrap() = company(self.provider, self.records.clone());
        let source = self.app.sync_sources(2).remove(0);
        let syncer = Syncer::new(Arc::clone(&self.app.parts.engine));
        let reports = syncer.sync(&source, SyncMode::Full, &|_, _| {}).await;
        reports.unwrap().unwrap().remove(0)
    }
}

fn company(provider: &str, records: Vec<Value>) -> Company {
    if provider == "merge" {
        return Box::new(merge_company(records));
    }
    Box::new(move |request| {
        // The position of a record is its number, so that a large company is not searched for each employee.
        let number = request.path.strip_prefix("/api/v1/employees/");
        let number: Option<usize> = number.and_then(|number| number.parse().ok());
        let found = number.and_then(|number| records.get(number - 1)).cloned();
        let part = found.map_or_else(|| records.clone(), |record| vec![record]);
        bamboohr_company(part)(request)
    })
}

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

/// A company whose records a test can change between two reads.
struct Sweep {
    app: TestApp,
    records: Arc<Mutex<Vec<Value>>>,
    provider: &'static str,
    _api: StandIn,
}

impl Sweep {
    async fn start(provider: &'static str, count: usize) -> Self {
        let record = match provider {
            "merge" => merge_employee,
            _ => bamboohr_employee,
        };
        let records = Arc::new(Mutex::new((1..=count).map(record).collect::<Vec<_>>()));
        let company = Arc::clone(&records);
        let api = StandIn::start(move |request: &ApiRequest| answer(provider, &company, request));
        let api = api.await;
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
            _api: api,
        }
    }

    /// Reads everybody, ten minutes after the last read. All records of Merge were modified a minute ago.
    async fn read(&mut self) -> SyncReport {
        self.app.advance(TimeDelta::minutes(10));
        let modified = self.app.clock.now() - TimeDelta::minutes(1);
        if self.provider == "merge" {
            for record in self.records.lock().unwrap().iter_mut() {
                record["modified_at"] = json!(modified.to_rfc3339());
            }
        }
        self.read_again().await
    }

    /// Reads everybody. No record of Merge was modified since the last read.
    async fn read_again(&mut self) -> SyncReport {
        let source = self.app.sync_sources(2).remove(0);
        let syncer = Syncer::new(Arc::clone(&self.app.parts.engine));
        let synced = syncer.sync(&source, SyncMode::Full, &|_, _| {}).await;
        synced.unwrap().unwrap().remove(0)
    }
}

fn answer(provider: &str, company: &Mutex<Vec<Value>>, request: &ApiRequest) -> Answer {
    let company = company.lock().unwrap();
    if provider == "merge" {
        return merge_company(company.clone())(request);
    }
    // The position of a record is its number, so that a large company is not searched for each employee.
    let number = request.path.strip_prefix("/api/v1/employees/");
    let number: Option<usize> = number.and_then(|number| number.parse().ok());
    let found = number.and_then(|number| company.get(number - 1)).cloned();
    let part = found.map_or_else(|| company.clone(), |record| vec![record]);
    bamboohr_company(part)(request)
}

//! The next sync finds the change of a lost webhook, and reads nothing else.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use leaver::jobs::sync::SyncMode;
use serde_json::Value;

use super::{CHANGED, SyncTest};
use crate::support::apis::{
    StandIn, bamboohr_company, bamboohr_employee, merge_company, merge_employee,
};

/// The employees of a stand-in, which a test can change.
type Changing = Arc<Mutex<Vec<Value>>>;

#[tokio::test]
async fn the_next_merge_sync_finds_a_lost_change() {
    let people: Changing = Arc::new(Mutex::new((0..250).map(merge_employee).collect()));
    let at_merge = Arc::clone(&people);
    let usual = move |asked: &_| merge_company(at_merge.lock().unwrap().clone())(asked);
    let mut test = SyncTest::merge_over(StandIn::start(usual).await).await;
    test.sync(SyncMode::IfDue).await;
    {
        let mut people = people.lock().unwrap();
        people[33]["employment_status"] = "INACTIVE".into();
        people[33]["termination_date"] = "2026-11-22T00:00:00Z".into();
        people[33]["modified_at"] = "2026-11-22T12:05:00.000000Z".into();
    }
    test.app.advance(TimeDelta::minutes(16));
    let reports = test.sync(SyncMode::IfDue).await;
    assert_eq!((reports[0].records, reports[0].full), (1, false));
    assert_eq!(test.off().await, ["dana.33@widgets.example"]);
}

#[tokio::test]
async fn the_next_bamboohr_sync_finds_a_lost_change() {
    let people: Changing = Arc::new(Mutex::new((1..=30).map(bamboohr_employee).collect()));
    let there = Arc::clone(&people);
    let usual = move |asked: &_| bamboohr_company(there.lock().unwrap().clone())(asked);
    let api = StandIn::start(usual).await;
    let mut test = SyncTest::over("bamboohr", api).await;
    test.sync(SyncMode::IfDue).await;
    let before = test.api.requests().len();
    // The list of changes, the report and the dataset, which are refused, and thirty people.
    assert_eq!(before, 33);
    {
        let mut people = people.lock().unwrap();
        people[16]["status"] = "Inactive".into();
        people[16]["employmentHistoryStatus"] = "Terminated".into();
        people[16]["_changed"] = "2026-11-22T12:05:00+00:00".into();
    }
    test.app.advance(TimeDelta::minutes(16));
    let reports = test.sync(SyncMode::IfDue).await;
    assert_eq!((reports[0].records, reports[0].full), (1, false));
    assert_eq!(test.off().await, ["dana.17@widgets.example"]);
    let asked = test.api.requests();
    let paths: Vec<&str> = asked[before..].iter().map(|a| a.path.as_str()).collect();
    assert_eq!(paths, [CHANGED, "/api/v1/employees/17"]);
}

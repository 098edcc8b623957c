//! `account.*` events.

use serde_json::json;

use crate::support::events::documented;
use crate::support::{TestApp, employee, employees};

#[tokio::test]
async fn a_deactivation_is_recorded_as_its_example_shows() {
    let mut app = TestApp::builder().wanting("account.*").build().await;
    app.add_users(&["dana@example.com"]).await;
    let left = json!({"status": "Inactive", "employmentStatus": "Terminated", "workEmail": "dana@example.com",
                      "terminationDate": "2026-11-21"});
    let entry = employee("40217", "2026-11-22T11:59:58Z", &["status"], &left);
    app.deliver("bamboohr", &employees(&[entry])).await;
    let events = app.events().await;
    assert_eq!(events.len(), 1);
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let example = documented("account.deactivated.example.json");
    assert_eq!(keys(&events[0]), keys(&example));
    assert_eq!(keys(&events[0]["data"]), keys(&example["data"]));
}

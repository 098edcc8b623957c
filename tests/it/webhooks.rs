//! From a signed webhook to a switched-off account, and to nothing else.

use serde_json::json;

use crate::support::{TestApp, employee, employees};

#[tokio::test]
async fn a_terminated_employee_loses_access_and_sessions() {
    let mut app = TestApp::new().await;
    app.add_users(&["Dana.Ruiz@example.com", "other@example.com"])
        .await;
    let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "dana.ruiz@example.com"});
    let body = employees(&[employee(
        "40217",
        "2026-11-22T11:59:55+0000",
        &["status"],
        &fields,
    )]);

    let first = app.deliver("bamboohr", &body).await;
    let again = app.deliver("bamboohr", &body).await;

    assert_eq!(first.body["duplicate"], json!(false));
    assert_eq!(
        again.body,
        json!({"received": true, "delivery": first.body["delivery"], "duplicate": true})
    );
    assert_eq!(app.user("Dana.Ruiz@example.com").await, (false, 0));
    assert_eq!(app.user("other@example.com").await, (true, 2));
    assert_eq!(app.audit().await, ["deactivated 40217"]);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.deliveries WHERE body IS NOT NULL")
            .await,
        0
    );
}

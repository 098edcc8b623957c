//! From a provider's bytes to the account, for every form in which providers send.

mod vectors;

use serde_json::{Value, json};

use crate::support::{
    BAMBOOHR_KEY, FORM, JSON, MERGE_KEY, TestApp, employee, employees, merge_changed,
};

const AS_OF: &str = "2026-11-22T11:59:55+0000";
const LINKED: &str = r#"
    [accounts]
    single_company = true
    [[sources]]
    name = "merge"
    provider = "merge"
    webhook_secrets = ["env:MERGE"]
    linked_accounts = [
        { id = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", tenant = "acme" },
        { id = "11111111-1c2d-4e3f-8a4b-6c7d8e9f0a1b", tenant = "globex" },
    ]"#;

fn leaver(email: &str) -> Value {
    json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": email})
}

fn merge_leaver(email: &str) -> Value {
    merge_changed(&json!({
        "id": "c0ffee00-0000-4000-8000-000000000001", "modified_at": "2026-11-22T11:00:00Z",
        "employment_status": "INACTIVE", "termination_date": "2026-11-20T00:00:00Z", "work_email": email,
    }))
}

async fn states(app: &mut TestApp) -> Vec<(String, Option<String>)> {
    sqlx::query_as("SELECT state, reason FROM leaver.deliveries ORDER BY id")
        .fetch_all(&mut app.conn)
        .await
        .unwrap()
}

async fn outcome(app: &mut TestApp) -> Value {
    let outcome = app
        .text("SELECT outcome::text FROM leaver.deliveries ORDER BY id DESC LIMIT 1")
        .await;
    serde_json::from_str(&outcome.unwrap()).unwrap()
}

#[tokio::test]
async fn bamboohr_posts_forms() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana+hr@example.com", "other@example.com"])
        .await;
    let body = "employees[40217][changedFields][]=status&employees%5B40217%5D%5Bstatus%5D=Inactive\
                &employees[40217][Employment+Status]=Terminated&employees[40217][Work+Email]=dana%2Bhr%40example.com\
                &employees[5][status]=Active&employees[5][workEmail]=other%40example.com";
    app.send("bamboohr", FORM, body).await;
    app.work().await;
    assert_eq!(app.user("dana+hr@example.com").await, (false, 0));
    assert_eq!(app.user("other@example.com").await, (true, 2));
    assert_eq!(
        outcome(&mut app).await,
        json!({"deactivated": 1, "kept": 1})
    );
}

#[tokio::test]
async fn an_event_without_values_asks_for_a_read_and_ends_nothing() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com"]).await;
    let active = json!({"status": "Active", "workEmail": "a@example.com"});
    let known = employees(&[employee("1", "2026-11-22T09:00:00Z", &[], &active)]);
    app.deliver("bamboohr", &known).await;
    let event = json!({"type": "employee.updated", "timestamp": "2026-11-22T10:00:00Z",
                       "data": {"employeeId": "1", "companyId": "c", "changedFields": ["status"]}});
    app.deliver("bamboohr", &event).await;
    let form = "type=employee.updated&timestamp=2026-11-22T10%3A00%3A00Z&data[employeeId]=2&data[changedFields][]=status";
    app.send("bamboohr", FORM, form).await;
    app.work().await;

    assert_eq!(app.user("a@example.com").await, (true, 2));
    assert_eq!(app.audit().await, ["hold_opened 1", "hold_opened 2"]);
    let reasons = app
        .count("SELECT count(*) FROM leaver.holds WHERE state = 'open' AND reason LIKE 'needs a read%'")
        .await;
    assert_eq!(reasons, 2);
}

#[tokio::test]
async fn a_deletion_event_goes_by_the_policy_of_the_provider() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com", "m@example.com"]).await;
    let active = json!({"status": "Active", "workEmail": "a@example.com"});
    let known = employees(&[employee("1", "2026-11-22T09:00:00Z", &[], &active)]);
    app.deliver("bamboohr", &known).await;
    let event = json!({"type": "employee.deleted", "timestamp": "2026-11-22T10:00:00Z", "data": {"employeeId": "1"}});
    app.deliver("bamboohr", &event).await;
    assert_eq!(app.user("a@example.com").await, (false, 0));

    let mut removed = merge_changed(&json!({
        "id": "m1", "modified_at": "2026-11-22T11:00:00Z", "employment_status": "ACTIVE",
        "termination_date": null, "work_email": "m@example.com",
    }));
    removed["hook"]["event"] = json!("Employee.removed");
    app.deliver("merge", &removed).await;
    assert_eq!(app.user("m@example.com").await, (true, 2));
    assert_eq!(app.audit().await, ["deactivated 1", "hold_opened m1"]);
}

#[tokio::test]
async fn events_of_other_objects_are_recorded_as_ignored() {
    let mut app = TestApp::builder()
        .config_file(LINKED, &[("MERGE", MERGE_KEY)])
        .build()
        .await;
    app.add_users(&["m@example.com"]).await;
    let hooked = |event: &str| {
        let mut body = merge_leaver("m@example.com");
        body["hook"]["event"] = json!(event);
        body
    };
    let mut stranger = merge_leaver("m@example.com");
    stranger["linked_account"]["id"] = json!("99999999-0000-4000-8000-000000000000");
    let mut nobody = merge_leaver("m@example.com");
    nobody.as_object_mut().unwrap().remove("linked_account");
    for body in [
        json!({"ping": true}),
        hooked("Candidate.changed"),
        hooked("Employment.changed"),
        hooked("EmployeePayrollRun.changed"),
        hooked("Employee.synced"),
        hooked("LinkedAccount.deleted"),
        hooked("Issue.new"),
        hooked("Something.else"),
        hooked(""),
        stranger,
        nobody,
    ] {
        app.deliver("merge", &body).await;
    }
    for (state, reason) in states(&mut app).await {
        assert_eq!(state, "ignored");
        assert!(reason.is_some());
    }
    for unreadable in [
        "{",
        "<xml/>",
        "[1]",
        "\"text\"",
        "a=b",
        r#"{"hook":1,"hook":2}"#,
    ] {
        app.send("merge", JSON, unreadable).await;
        app.work().await;
        let (state, reason) = states(&mut app).await.pop().unwrap();
        assert_eq!(
            (state.as_str(), reason.is_some()),
            ("failed", true),
            "{unreadable}"
        );
    }
    assert_eq!(app.user("m@example.com").await, (true, 2));
    assert_eq!(app.count("SELECT count(*) FROM leaver.employees").await, 0);

    app.deliver("merge", &merge_leaver("m@example.com")).await;
    let (is_active, _) = app.user("m@example.com").await;
    assert!(!is_active, "and the right one still counts");
}

#[tokio::test]
async fn a_text_that_postgres_cannot_hold_does_no_harm() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com"]).await;
    let odd =
        json!({"status": "In\0active", "workEmail": "a\0@example.com", "terminationDate": "\0"});
    let body = employees(&[
        employee("1", AS_OF, &["status", "\0"], &odd),
        employee("2", AS_OF, &["status"], &leaver("a@example.com")),
    ]);
    app.deliver("bamboohr", &body).await;
    let mut merge = merge_leaver("m@example.com");
    merge["data"]["employment_status"] = json!("\0\u{1}odd");
    app.deliver("merge", &merge).await;
    assert_eq!(app.user("a@example.com").await, (false, 0));
    let states = states(&mut app).await;
    assert!(
        states.iter().all(|(state, _)| state == "processed"),
        "{states:?}"
    );
}

#[tokio::test]
async fn configured_field_names_replace_the_usual_ones() {
    let file = r#"
        [[sources]]
        name = "hr"
        provider = "bamboohr"
        webhook_secrets = ["env:HR"]
        fields = { status = ["Beschäftigt"], work_email = ["customEmail", "4321"] }"#;
    let mut app = TestApp::builder()
        .config_file(file, &[("HR", BAMBOOHR_KEY)])
        .build()
        .await;
    app.add_users(&["a@example.com", "b@example.com", "c@example.com"])
        .await;
    let body = employees(&[
        employee(
            "1",
            AS_OF,
            &[],
            &json!({"BESCHÄFTIGT": "inactive", "employmentHistoryStatus": "Terminated", "customemail": "a@example.com"}),
        ),
        employee(
            "2",
            AS_OF,
            &[],
            &json!({"Beschäftigt": "Inactive", "employmentHistoryStatus": "Terminated", "customEmail": "", "4321": "b@example.com"}),
        ),
        employee("3", AS_OF, &[], &leaver("c@example.com")),
    ]);
    app.deliver("hr", &body).await;
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active AND email <> 'c@example.com'")
            .await,
        0
    );
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active AND email = 'c@example.com'")
            .await,
        1
    );
}

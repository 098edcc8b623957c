//! Finds an employee's account by link, else by work e-mail within the tenant, and never guesses.

use serde_json::json;

use super::{active, outcome, questions, says, terminated};
use crate::support::driving::{REACTIVATE, merge_record};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp, employee, employees, merge_changed};

#[tokio::test]
async fn an_account_is_only_matched_inside_its_tenant() {
    let file = r#"
        [accounts]
        tenant_column = "company"
        [[sources]]
        name = "acme-hr"
        provider = "bamboohr"
        webhook_secrets = ["env:K"]
        tenant = "acme"
        [[sources]]
        name = "globex-hr"
        provider = "bamboohr"
        webhook_secrets = ["env:L"]
        tenant = "globex""#;
    for kind in ["text", "varchar(20)", "companies"] {
        let tables = format!(
            "CREATE TYPE companies AS ENUM ('acme', 'globex');
             CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, company {kind}, email text, is_active boolean DEFAULT true);
             INSERT INTO users (company, email)
             VALUES ('acme', 'dana@example.com'), ('globex', 'dana@example.com'), (NULL, 'dana@example.com');",
        );
        let mut app = TestApp::builder()
            .config_file(file, &[("K", BAMBOOHR_KEY), ("L", MERGE_KEY)])
            .tables(&tables)
            .build()
            .await;
        let entry = employee(
            "1",
            "2026-11-22T09:00:00Z",
            &["status"],
            &terminated("dana@example.com"),
        );
        let body = employees(&[entry]);
        app.deliver("globex-hr", &body).await;
        let off = "SELECT string_agg(company::text, ',') FROM users WHERE NOT is_active";
        assert_eq!(app.text(off).await.as_deref(), Some("globex"), "{kind}");
        app.deliver("acme-hr", &body).await;
        let on = app
            .count("SELECT count(*) FROM users WHERE is_active AND company IS NULL")
            .await;
        assert_eq!(on, 1, "{kind}");
    }
}

#[tokio::test]
async fn the_case_and_the_blanks_of_an_address_do_not_matter() {
    let mut app = TestApp::new().await;
    app.add_users(&["Dana.RUIZ@Example.com", "other@example.com"])
        .await;
    says(
        &mut app,
        9,
        &[("1", terminated("\t dAnA.ruiz@eXample.COM \n"))],
    )
    .await;
    assert_eq!(app.user("Dana.RUIZ@Example.com").await, (false, 0));
    assert_eq!(app.user("other@example.com").await, (true, 2));
}

#[tokio::test]
async fn an_address_is_not_a_pattern_and_not_sql() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com", "d%@example.com", "' or true --"])
        .await;
    let said = [
        ("1", terminated("d%@example.com")),
        ("2", terminated("____@example.com")),
    ];
    says(&mut app, 9, &said).await;
    assert_eq!(app.user("dana@example.com").await, (true, 2));
    assert_eq!(app.user("d%@example.com").await, (false, 0));
    says(&mut app, 10, &[("3", terminated("' or true --"))]).await;
    assert_eq!(app.user("dana@example.com").await, (true, 2));
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        1
    );
}

#[tokio::test]
async fn a_protected_address_waits_for_a_person() {
    let env = [("LEAVER__ACCOUNTS__PROTECTED", r#"["Root@Example.com"]"#)];
    let mut app = TestApp::builder().settings(&env).build().await;
    app.add_users(&["ROOT@example.com", "dana@example.com"])
        .await;
    let said = [
        ("1", terminated("root@example.com")),
        ("2", terminated("dana@example.com")),
    ];
    says(&mut app, 9, &said).await;
    assert_eq!(app.user("ROOT@example.com").await, (true, 2));
    assert_eq!(app.user("dana@example.com").await, (false, 0));
    assert!(questions(&mut app).await.contains("protected"));
    assert_eq!(app.audit().await, ["deactivated 2", "hold_opened 1"]);
}

#[tokio::test]
async fn an_account_is_protected_by_the_address_it_bears_now() {
    let env = [("LEAVER__ACCOUNTS__PROTECTED", r#"["root@example.com"]"#)];
    let mut app = TestApp::builder().settings(&env).build().await;
    app.add_users(&["dana@example.com"]).await;
    says(&mut app, 9, &[("1", active("dana@example.com"))]).await;
    app.sql("UPDATE users SET email = 'Root@example.com'").await;
    says(&mut app, 10, &[("1", terminated("dana@example.com"))]).await;
    assert_eq!(app.user("Root@example.com").await, (true, 2));
    assert!(questions(&mut app).await.contains("protected"));
}

#[tokio::test]
async fn an_address_that_fits_two_accounts_waits_for_a_person() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com", "Dana@Example.com"])
        .await;
    says(&mut app, 9, &[("1", terminated("dana@example.com"))]).await;
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        2
    );
    assert!(questions(&mut app).await.contains("matches 2 accounts"));
    let linked = app
        .count("SELECT count(account_id) FROM leaver.employees")
        .await;
    assert_eq!(linked, 0);
}

#[tokio::test]
async fn an_account_of_an_employed_colleague_opens_a_hold() {
    let mut app = TestApp::new().await;
    app.add_users(&["shared@example.com"]).await;
    says(&mut app, 8, &[("1", active("shared@example.com"))]).await;
    says(&mut app, 9, &[("2", terminated("shared@example.com"))]).await;
    assert_eq!(app.user("shared@example.com").await, (true, 2));
    assert!(
        questions(&mut app)
            .await
            .contains("linked to another employee")
    );
}

#[tokio::test]
async fn an_account_shared_by_two_entries_stays_until_both_leave() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    let [mut contractor, mut employee] = [active("dana@example.com"), active("dana@example.com")];
    contractor["hireDate"] = "2020-03-02".into();
    employee["hireDate"] = "2023-05-01".into();
    says(&mut app, 7, &[("contractor", contractor)]).await;
    let change = [
        ("contractor", terminated("dana@example.com")),
        ("employee", employee),
    ];
    says(&mut app, 8, &change).await;
    assert_eq!(app.user("dana@example.com").await, (true, 2));
    assert_eq!(app.audit().await, [""; 0]);
    says(&mut app, 9, &[("employee", terminated("dana@example.com"))]).await;
    assert_eq!(app.user("dana@example.com").await, (false, 0));
    assert_eq!(app.audit().await, ["deactivated employee"]);
}

#[tokio::test]
async fn two_entries_in_one_delivery_deactivate_the_account_once() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    let said = [
        ("1", terminated("dana@example.com")),
        ("2", terminated("dana@example.com")),
    ];
    says(&mut app, 9, &said).await;
    assert_eq!(app.user("dana@example.com").await, (false, 0));
    assert_eq!(app.audit().await.len(), 1);
}

#[tokio::test]
async fn one_source_that_reports_a_departure_is_enough() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    let works = json!({"id": "m1", "modified_at": "2026-11-22T09:00:00Z", "employment_status": "ACTIVE",
                       "termination_date": null, "work_email": "dana@example.com"});
    app.deliver("merge", &merge_changed(&works)).await;
    says(&mut app, 9, &[("1", terminated("dana@example.com"))]).await;
    assert_eq!(app.user("dana@example.com").await, (false, 0));
}

#[tokio::test]
async fn a_return_in_the_second_source_reactivates() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&["dana@example.com"]).await;
    let merge = |minute: u8, status: &str, date: Option<&str>| {
        let at = format!("2026-11-22T09:{minute:02}:00Z");
        merge_record("m1", "dana@example.com", &at, status, date)
    };
    let left = merge(0, "INACTIVE", Some("2026-11-20T00:00:00Z"));
    says(&mut app, 8, &[("1", terminated("dana@example.com"))]).await;
    app.deliver("merge", &left).await;
    says(&mut app, 9, &[("1", active("dana@example.com"))]).await;
    assert!(!app.is_active("dana@example.com").await);
    app.deliver("merge", &merge(10, "ACTIVE", None)).await;
    assert!(app.is_active("dana@example.com").await);
    assert_eq!(
        app.audit().await,
        ["deactivated 1", "sessions_ended m1", "reactivated m1"]
    );

    // Once is enough: what somebody else switches off now stays off.
    app.sql("UPDATE users SET is_active = false").await;
    app.deliver("merge", &merge(20, "ACTIVE", None)).await;
    says(&mut app, 10, &[("1", active("dana@example.com"))]).await;
    assert!(!app.is_active("dana@example.com").await);
}

#[tokio::test]
async fn uncertainty_in_one_source_is_not_a_return() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&["dana@example.com"]).await;
    let merge = |minute: u8, status: &str, date: Option<&str>| {
        let at = format!("2026-11-22T09:{minute:02}:00Z");
        merge_record("m1", "dana@example.com", &at, status, date)
    };
    says(&mut app, 8, &[("1", active("dana@example.com"))]).await;
    let left = merge(0, "INACTIVE", Some("2026-11-20T00:00:00Z"));
    app.deliver("merge", &left).await;
    let mut removed = merge(10, "ACTIVE", None);
    removed["data"]["remote_was_deleted"] = json!(true);
    app.deliver("merge", &removed).await;

    says(&mut app, 9, &[("1", active("dana@example.com"))]).await;
    assert!(!app.is_active("dana@example.com").await);

    app.deliver("merge", &merge(20, "ACTIVE", None)).await;
    assert!(app.is_active("dana@example.com").await);
}

#[tokio::test]
async fn a_return_opens_a_hold_while_another_source_is_uncertain() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&["dana@example.com"]).await;
    let merge = |minute: u8, removed: bool| {
        let at = format!("2026-11-22T09:{minute:02}:00Z");
        let mut body = merge_record("m1", "dana@example.com", &at, "ACTIVE", None);
        body["data"]["remote_was_deleted"] = json!(removed);
        body
    };
    app.deliver("merge", &merge(0, false)).await;
    says(&mut app, 8, &[("1", terminated("dana@example.com"))]).await;
    app.deliver("merge", &merge(10, true)).await;
    assert_eq!(questions(&mut app).await, "");

    says(&mut app, 9, &[("1", active("dana@example.com"))]).await;
    assert!(!app.is_active("dana@example.com").await);
    let asked = questions(&mut app).await;
    assert!(asked.contains("another source is uncertain"), "{asked}");
    says(&mut app, 10, &[("1", active("dana@example.com"))]).await;
    assert_eq!(app.holds().await, ["open reactivate 1 1"]);

    app.deliver("merge", &merge(20, false)).await;
    assert!(app.is_active("dana@example.com").await);
    assert_eq!(app.holds().await, ["withdrawn reactivate 1 1"]);
}

#[tokio::test]
async fn a_personal_address_is_never_used() {
    let mut app = TestApp::new().await;
    app.add_users(&["me@home.example"]).await;
    let mut fields = terminated("");
    for name in ["homeEmail", "Home Email", "personalEmail", "email"] {
        fields[name] = json!("me@home.example");
    }
    says(&mut app, 9, &[("1", fields)]).await;
    assert_eq!(outcome(&mut app).await, json!({"no_account": 1}));
    let merge = json!({"id": "m1", "modified_at": "2026-11-22T09:00:00Z", "employment_status": "INACTIVE",
                       "termination_date": "2026-11-20T00:00:00Z", "work_email": null, "personal_email": "me@home.example"});
    app.deliver("merge", &merge_changed(&merge)).await;
    assert_eq!(app.user("me@home.example").await, (true, 2));
}

#[tokio::test]
async fn a_change_of_address_and_a_deletion_go_through_the_link() {
    let mut app = TestApp::new().await;
    app.add_users(&["maiden@example.com", "married@example.com"])
        .await;
    says(&mut app, 8, &[("1", active("maiden@example.com"))]).await;
    says(
        &mut app,
        9,
        &[("1", json!({"workEmail": "married@example.com"}))],
    )
    .await;
    says(&mut app, 10, &[("1", terminated("married@example.com"))]).await;
    assert_eq!(app.user("maiden@example.com").await, (false, 0));
    assert_eq!(
        app.user("married@example.com").await,
        (true, 2),
        "the link outlives the address"
    );

    says(&mut app, 8, &[("2", active("married@example.com"))]).await;
    app.sql("UPDATE users SET email = 'renamed@example.com' WHERE email = 'married@example.com'")
        .await;
    let gone = json!({"id": "2", "action": "Deleted", "timestamp": "2026-11-22T11:00:00Z", "changedFields": [], "fields": []});
    app.deliver("bamboohr", &employees(&[gone])).await;
    assert_eq!(app.user("renamed@example.com").await, (false, 0));
}

#[tokio::test]
async fn a_missing_account_is_searched_again_when_facts_change() {
    let mut app = TestApp::new().await;
    says(&mut app, 8, &[("1", terminated("dana@example.com"))]).await;
    assert_eq!(outcome(&mut app).await, json!({"no_account": 1}));
    app.add_users(&["dana@example.com", "d.ruiz@example.com"])
        .await;
    says(
        &mut app,
        9,
        &[("1", json!({"workEmail": "d.ruiz@example.com"}))],
    )
    .await;
    assert_eq!(app.user("d.ruiz@example.com").await, (false, 0));
    assert_eq!(app.user("dana@example.com").await, (true, 2));
}

#[tokio::test]
async fn a_deletion_of_somebody_unknown_ends_nothing() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    let gone = json!({"type": "employee.deleted", "timestamp": "2026-11-22T11:00:00Z", "data": {"employeeId": "9"}});
    app.deliver("bamboohr", &gone).await;
    assert_eq!(outcome(&mut app).await, json!({"no_account": 1}));
    assert_eq!(app.user("dana@example.com").await, (true, 2));
}

#[tokio::test]
async fn a_return_does_not_outweigh_a_departure_in_another_source() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__POLICY__REHIRE", "reactivate")])
        .build()
        .await;
    app.add_users(&["dana@example.com"]).await;
    says(&mut app, 8, &[("1", terminated("dana@example.com"))]).await;
    let merge = |hour: &str, status: &str, ended: Option<&str>| {
        merge_changed(&json!({
            "id": "m1", "modified_at": format!("2026-11-22T{hour}:00:00Z"), "employment_status": status,
            "termination_date": ended, "work_email": "dana@example.com",
        }))
    };
    let gone = merge("09", "INACTIVE", Some("2026-11-20T00:00:00Z"));
    app.deliver("merge", &gone).await;
    says(&mut app, 10, &[("1", active("dana@example.com"))]).await;
    assert_eq!(
        app.user("dana@example.com").await,
        (false, 0),
        "Merge still says that she left"
    );
    assert_eq!(app.audit().await, ["deactivated 1", "sessions_ended m1"]);

    app.deliver("merge", &merge("11", "ACTIVE", None)).await;
    let mut again = active("dana@example.com");
    again["hireDate"] = json!("2026-11-22");
    says(&mut app, 11, &[("1", again)]).await;
    assert_eq!(app.user("dana@example.com").await, (true, 0));
}

//! The statements of docs/ERASURE.md leave nothing of a person, and the service goes on.

use super::pages::page;
use crate::support::TestApp;
use crate::support::database::Session;
use crate::support::driving::{leaving, terminated, working};
use crate::support::employees;

/// Returns the statements of the page for one person.
fn statements(tenant: &str, employee_id: &str) -> String {
    let page = page("docs/ERASURE.md");
    let block = page
        .blocks
        .iter()
        .find(|block| block.info == "sql")
        .unwrap();
    let quoted = |value: &str| format!("'{value}'");
    block
        .text
        .replace(":'source'", &quoted("bamboohr"))
        .replace(":'tenant'", &quoted(tenant))
        .replace(":'employee_id'", &quoted(employee_id))
}

/// Returns each column of the schema `leaver` whose values contain a text.
async fn columns_with(session: &mut Session, text: &str) -> Vec<String> {
    let columns = "SELECT format('%I.%I', table_schema, table_name) || ' ' || quote_ident(column_name) || ' ' || data_type
                   FROM information_schema.columns WHERE table_schema = 'leaver'";
    let mut found = vec![];
    for column in session.lines(columns).await {
        let [table, name, kind] = column
            .splitn(3, ' ')
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let as_text = match kind {
            "bytea" => format!("encode({name}, 'escape')"),
            _ => format!("{name}::text"),
        };
        let rows = format!("SELECT count(*) FROM {table} WHERE {as_text} LIKE '%{text}%'");
        if session.count(&rows).await > 0 {
            found.push(format!("{table}.{name}"));
        }
    }
    found
}

#[tokio::test]
async fn the_statements_of_the_page_erase_a_person() {
    let (erased, other) = ("dana.ruiz@example.com", "omar.lind@example.com");
    let mut app = TestApp::builder().wanting("*").build().await;
    app.add_users(&[erased, other]).await;
    let reports = [
        working("4711", erased, "2026-11-20T09:00:00Z"),
        leaving("4711", erased, "2026-11-20T10:00:00Z", "2099-01-01"),
        terminated("4711", erased, "2026-11-20T11:00:00Z"),
        working("4711", erased, "2026-11-21T09:00:00Z"),
    ];
    for record in reports {
        app.deliver("bamboohr", &employees(&[record])).await;
    }
    // A delivery that cannot be read, with the person in its body.
    let mut broken = employees(&[terminated("4711", erased, "2026-11-21T10:00:00Z")]);
    broken["employees"][0]["id"] = serde_json::Value::Null;
    app.deliver("bamboohr", &broken).await;
    let before = columns_with(&mut app, erased).await;
    for column in [
        "leaver.employees.facts",
        "leaver.observations.facts",
        "leaver.outbox.details",
        "leaver.deliveries.body",
    ] {
        let is_there = before.iter().any(|name| name == column);
        assert!(is_there, "{before:?} lacks {column}");
    }
    assert!(app.count("SELECT count(*) FROM leaver.holds").await > 0);
    let tenant = app
        .text("SELECT tenant FROM leaver.employees")
        .await
        .unwrap();

    app.sql(&statements(&tenant, "4711")).await;

    assert_eq!(columns_with(&mut app, erased).await, Vec::<String>::new());
    let entries = "SELECT count(*) FROM leaver.audit WHERE employee_id = '4711'";
    assert!(app.count(entries).await > 0, "the audit log keeps ids");
    let next = terminated("4712", other, "2026-11-21T11:00:00Z");
    app.deliver("bamboohr", &employees(&[next])).await;
    assert!(!app.active().await.contains(&other.to_owned()));
}

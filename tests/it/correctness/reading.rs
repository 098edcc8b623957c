//! What can be read has its effect, and what cannot be read is not done.

use serde_json::{Value, json};

use crate::support::driving::{leaving, merge_record, terminated};
use crate::support::{FORM, JSON, TestApp, USERS, at, employees, merge_changed};

const AS_OF: &str = "2026-11-22T11:59:55+0000";
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A Merge record of a leaver, with one more member.
fn merge_leaver(id: &str, email: &str, name: &str, value: &str) -> String {
    let record = json!({
        "id": id, "modified_at": "2026-11-22T11:00:00Z", "employment_status": "INACTIVE",
        "termination_date": "2026-11-20T00:00:00Z", "work_email": email, name: "?",
    });
    merge_changed(&record).to_string().replace("\"?\"", value)
}

async fn settled(app: &mut TestApp) -> (String, Option<String>, Value, bool) {
    let row: (String, Option<String>, Option<Value>, bool) = sqlx::query_as(
        "SELECT state, reason, outcome, body IS NOT NULL FROM leaver.deliveries ORDER BY id DESC LIMIT 1",
    )
    .fetch_one(&mut app.conn)
    .await
    .unwrap();
    (row.0, row.1, row.2.unwrap_or_default(), row.3)
}

#[tokio::test]
async fn byte_order_mark_is_skipped() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com", "b@example.com", "m@example.com"])
        .await;
    let marked = |body: &str| [MARK, body.as_bytes()].concat();
    let body = employees(&[terminated("1", "a@example.com", AS_OF)]).to_string();
    app.send("bamboohr", JSON, marked(&body)).await;
    let form = "employees[2][status]=Inactive&employees[2][employmentHistoryStatus]=Terminated\
                &employees[2][workEmail]=b%40example.com";
    app.send("bamboohr", FORM, marked(form)).await;
    let body = merge_leaver("m1", "m@example.com", "note", "1");
    app.send("merge", JSON, marked(&body)).await;
    app.work().await;
    assert_eq!(app.active().await, Vec::<String>::new());
}

#[tokio::test]
async fn unreadable_member_that_is_not_needed_is_ignored() {
    for unreadable in [r#""Ana \ud83d""#, "NaN", "-Infinity", "1e999"] {
        let mut app = TestApp::new().await;
        app.add_users(&["a@example.com", "m@example.com"]).await;
        let mut entry = terminated("1", "a@example.com", AS_OF);
        entry["fields"]["firstName"] = json!("?");
        let body = employees(&[entry]).to_string().replace("\"?\"", unreadable);
        app.send("bamboohr", JSON, body).await;
        let body = merge_leaver("m1", "m@example.com", "first_name", unreadable);
        app.send("merge", JSON, body).await;
        app.work().await;
        assert_eq!(app.active().await, Vec::<String>::new(), "{unreadable}");
    }
}

#[tokio::test]
async fn unreadable_needed_member_spoils_its_entry_only() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com", "b@example.com"]).await;
    let [one, two] = ["a@example.com", "b@example.com"]
        .map(|email| terminated(&email[..1], email, AS_OF).to_string());
    let cut = two.replace("b@example.com", r"b\ud83d@example.com");
    let body = format!(r#"{{"employees": [{cut}, {one}]}}"#);
    app.send("bamboohr", JSON, body).await;
    app.work().await;
    assert_eq!(app.active().await, ["b@example.com"]);
    let (state, _, outcome, _) = settled(&mut app).await;
    assert_eq!(state, "processed");
    assert_eq!(outcome, json!({"deactivated": 1, "bad_entries": 1}));
}

#[tokio::test]
async fn midnight_in_any_offset_is_a_day() {
    let timezone = ("LEAVER__POLICY__TIMEZONE", "America/Los_Angeles");
    for date in [
        "2026-11-27",
        "2026-11-27T00:00:00Z",
        "2026-11-27T00:00:00-08:00",
        "2026-11-27T08:00:00Z",
    ] {
        let mut app = TestApp::with(&[timezone], USERS).await;
        app.add_users(&["a@example.com", "m@example.com"]).await;
        app.bamboohr(&[leaving("1", "a@example.com", AS_OF, date)])
            .await;
        let record = merge_record("m1", "m@example.com", AS_OF, "ACTIVE", Some(date));
        app.deliver("merge", &record).await;
        for id in ["1", "m1"] {
            let ends = app.access_ends_at(id).await;
            assert_eq!(ends, Some(at("2026-11-28T08:00:00Z")), "{id} {date}");
        }
    }
}

//! `leaver end`: access that ends on a person's word.

use chrono::TimeDelta;
use leaver_core::decision::policy::DriftMode;
use serde_json::json;

use super::acting::{AS_OF, DANA, EVE, drift};
use crate::support::TestApp;
use crate::support::driving::{REACTIVATE, leaving, merge_record, terminated, working};
use crate::support::process::CommandOutput;

fn end(app: &TestApp, args: &[&str]) -> CommandOutput {
    let reason = ["--reason", "left today, ticket 4711", "--as", "kim"];
    app.run(&[&["end"], args, &reason].concat())
}

/// Dana works here with the employee id 7 by both sources, and Eve does too.
async fn employed(settings: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::builder().settings(settings).build().await;
    app.add_users(&[DANA, EVE]).await;
    app.bamboohr(&[working("7", DANA, AS_OF)]).await;
    let record = merge_record("m7", DANA, AS_OF, "ACTIVE", None);
    app.deliver("merge", &record).await;
    app
}

const REASONS: &str = "SELECT DISTINCT reason FROM leaver.audit";

#[tokio::test]
async fn each_name_of_a_person_ends_access() {
    for who in [
        DANA,
        "7",
        "m7",
        "employee:7",
        "account:1",
        " Dana@Example.com ",
    ] {
        let mut app = employed(&[]).await;
        let output = end(&app, &[who, "--yes"]).succeeded();
        assert!(
            output.out.contains("account 1 was deactivated"),
            "{output:?}"
        );
        assert_eq!(app.user(DANA).await, (false, 0), "{who}");
        assert_eq!(app.active().await, [EVE]);
        assert_eq!(
            app.audit_in_full().await,
            ["deactivated 7 1 cli:kim"],
            "{who}"
        );
        assert_eq!(
            app.lines(REASONS).await,
            ["ended by hand: left today, ticket 4711"]
        );
        let output = app.run(&["explain", "7", "--json"]).succeeded().json();
        assert_eq!(output[0]["state"], "ended", "{output}");
    }
}

#[tokio::test]
async fn an_end_by_hand_outlasts_an_hr_system_that_repeats_active() {
    let mut app = employed(&[REACTIVATE]).await;
    end(&app, &[DANA, "--yes"]).succeeded();
    for minute in ["30", "40", "50"] {
        let at = format!("2026-11-22T11:{minute}:00Z");
        app.bamboohr(&[working("7", DANA, &at)]).await;
        let record = merge_record("m7", DANA, &at, "ACTIVE", None);
        app.deliver("merge", &record).await;
        // Announced, and withdrawn in the next round.
        app.bamboohr(&[leaving("7", DANA, &at, "2026-12-24")]).await;
        app.run_due().await;
        drift(&app, DriftMode::Fix).await;
    }
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(app.holds().await, [""; 0]);
    app.set_clock("2026-12-26T00:00:00Z");
    app.run_due().await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn a_later_hire_date_is_a_rehire_after_an_end_by_hand() {
    let mut app = employed(&[]).await;
    end(&app, &["7", "--yes"]).succeeded();
    // The command uses the time of the machine.
    app.set_clock("2099-01-05T12:00:00Z");
    let mut back = working("7", DANA, "2099-01-05T11:00:00Z");
    back["fields"]["hireDate"] = json!("2099-01-04");
    app.bamboohr(&[back]).await;
    assert_eq!(app.holds().await, ["open reactivate 7 1"]);
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert!(app.is_active(DANA).await);
    // Nothing of the end is left.
    app.sql("UPDATE users SET is_active = false WHERE id = 1")
        .await;
    app.advance(TimeDelta::hours(1));
    app.bamboohr(&[working("7", DANA, "2099-01-05T12:30:00Z")])
        .await;
    assert_eq!(app.holds().await, ["approved reactivate 7 1"]);
}

#[tokio::test]
async fn a_hire_date_known_before_an_end_by_hand_undoes_nothing() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&[DANA]).await;
    let hired = |at: &str, day: &str| {
        let mut record = working("7", DANA, at);
        record["fields"]["hireDate"] = json!(day);
        record
    };
    app.bamboohr(&[hired(AS_OF, "2099-01-04")]).await;
    end(&app, &["7", "--yes"]).succeeded();
    app.bamboohr(&[hired("2026-11-22T11:30:00Z", "2099-01-04")])
        .await;
    app.set_clock("2099-01-05T12:00:00Z");
    app.bamboohr(&[hired("2099-01-05T11:00:00Z", "2099-01-04")])
        .await;
    drift(&app, DriftMode::Fix).await;
    assert!(!app.is_active(DANA).await);
    assert_eq!(app.holds().await, [""; 0]);
    // A row that was stored without the date loads, and another date is a newer fact.
    app.sql("UPDATE leaver.employees SET departure = departure - 'hire_date'")
        .await;
    app.bamboohr(&[hired("2099-01-05T11:30:00Z", "2099-01-05")])
        .await;
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn an_account_without_an_employee_can_be_ended() {
    let mut app = employed(&[]).await;
    let output = end(&app, &[EVE, "--yes", "--json"]).succeeded().json();
    let expected = json!({"accounts": [{"account_id": "2", "changed": true}]});
    assert_eq!(output, expected);
    assert_eq!(app.user(EVE).await, (false, 0));
    let row = "SELECT concat_ws(' ', action, source, tenant, employee_id, account_id, actor) FROM leaver.audit";
    assert_eq!(app.lines(row).await, ["deactivated - - - 2 cli:kim"]);
}

#[tokio::test]
async fn an_ambiguous_name_lists_the_candidates() {
    let mut app = employed(&[]).await;
    app.add_users(&["DANA@example.com"]).await;
    app.bamboohr(&[terminated("2", "nobody@example.com", AS_OF)])
        .await;
    for (who, candidates) in [
        // Two accounts with one address.
        ("dana@example.com", ["account:1", "account:3"]),
        // The id of an account, and that of an employee without one.
        ("2", ["account:2", "employee:2"]),
    ] {
        let output = end(&app, &[who, "--yes"]);
        assert_eq!(output.code, Some(2), "{output:?}");
        for candidate in candidates {
            assert!(output.out.contains(candidate), "{output:?}");
        }
    }
    assert_eq!(app.active().await.len(), 3);
    end(&app, &["account:2", "--yes"]).succeeded();
    end(&app, &[DANA, "--all", "--yes"]).succeeded();
    assert_eq!(app.active().await, [""; 0]);
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 0);
}

#[tokio::test]
async fn a_source_limits_who_is_meant() {
    let mut app = employed(&[]).await;
    app.add_users(&["other@example.com"]).await;
    let record = merge_record("7", "other@example.com", AS_OF, "ACTIVE", None);
    app.deliver("merge", &record).await;
    assert_eq!(end(&app, &["7", "--yes"]).code, Some(2));
    end(&app, &["7", "--yes", "--source", "merge"]).succeeded();
    assert_eq!(app.active().await, [DANA, EVE]);
}

#[tokio::test]
async fn a_protected_account_needs_a_flag() {
    let protected = ("LEAVER__ACCOUNTS__PROTECTED", r#"["dana@example.com"]"#);
    let mut app = employed(&[protected]).await;
    let output = end(&app, &[DANA, "--yes"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err.contains("--protected") && app.is_active(DANA).await);
    end(&app, &[DANA, "--yes", "--protected"]).succeeded();
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn wrong_usage_of_end_changes_nothing() {
    let mut app = employed(&[]).await;
    for (args, code, text) in [
        (&["end", DANA, "--yes"][..], 2, "--reason"),
        (&["end", DANA, "--yes", "--reason", " "], 2, "blank"),
        (
            &[
                "end",
                DANA,
                "--yes",
                "--reason",
                "as dana@example.com wrote",
            ],
            2,
            "e-mail",
        ),
        (&["end", DANA, "--reason", "left"], 2, "--yes"),
        (
            &["end", "none@example.com", "--yes", "--reason", "left"],
            1,
            "no account",
        ),
        (&["end", "", "--yes", "--reason", "left"], 1, "no account"),
    ] {
        let output = app.run(args);
        assert_eq!(output.code, Some(code), "{output:?}");
        assert!(output.err.contains(text), "{output:?}");
    }
    assert_eq!(app.active().await, [DANA, EVE]);
    assert_eq!(app.audit().await, [""; 0]);
}

#[tokio::test]
async fn a_blocked_end_by_hand_changes_nothing() {
    let mut app = employed(&[]).await;
    app.add_users(&["DANA@example.com"]).await;
    app.refuse_to_change(&[3], "P0001").await;
    let output = end(&app, &[DANA, "--all", "--yes"]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(
        output.err.contains("account 3") && output.err.contains("refuse()"),
        "{output:?}"
    );
    assert!(!output.err.contains("legal hold"), "{output:?}");
    assert_eq!(app.active().await.len(), 3);
    assert_eq!(app.audit().await, [""; 0]);
}

#[tokio::test]
async fn an_end_by_hand_settles_an_open_hold() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let record = merge_record("m7", DANA, AS_OF, "INACTIVE", None);
    app.deliver("merge", &record).await;
    assert_eq!(app.holds().await, ["open deactivate m7 1"]);
    end(&app, &["m7", "--yes"]).succeeded();
    assert_eq!(app.holds().await, ["withdrawn deactivate m7 1"]);
    assert_eq!(app.user(DANA).await, (false, 0));
}

#[tokio::test]
async fn an_inactive_account_still_loses_its_sessions() {
    let mut app = employed(&[]).await;
    app.sql("UPDATE users SET is_active = false WHERE id = 1")
        .await;
    let output = end(&app, &[DANA, "--yes"]).succeeded();
    assert!(output.out.contains("was already inactive"), "{output:?}");
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(app.audit_in_full().await, ["sessions_ended 7 1 cli:kim"]);
}

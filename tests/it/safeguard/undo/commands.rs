//! The command: its lists, digests and exit codes, and 100 changes of which 20 were touched.

use super::{DANA, EVE, NINE, last_batch};
use crate::support::apis::{StandIn, bamboohr_company};
use crate::support::apis_setup::{source_with_api, terminated_bamboohr_employee};
use crate::support::driving::terminated;
use crate::support::{BAMBOOHR_KEY, TestApp};

const SECRETS: [(&str, &str); 2] = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "key")];
const SETTINGS: &str = r#"
    [accounts]
    end_sessions = ["DELETE FROM sessions WHERE user_id::text = ANY($1)"]
    [safeguard]
    hour = { floor = 1000, percent = 5 }
    day = { floor = 1000, percent = 5 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn of_100_changes_the_80_untouched_are_restored() {
    let people: Vec<_> = (1..=100).map(terminated_bamboohr_employee).collect();
    let api = StandIn::start(bamboohr_company(people)).await;
    let config = source_with_api("bamboohr", "bamboohr", &api) + SETTINGS;
    let mut app = TestApp::builder()
        .config_file(&config, &SECRETS)
        .build()
        .await;
    app.add_employees_users(1..=100).await;
    app.sql("INSERT INTO sessions (user_id) SELECT id FROM users")
        .await;
    app.run(&["sync", "--full"]).succeeded();
    assert_eq!(app.active().await.len(), 0);
    app.sql("UPDATE users SET hashed_password = 'x' WHERE id <= 20")
        .await;

    let batch = last_batch(&mut app).await.to_string();
    let undo = ["undo", "--batch", &batch, "--json"];
    let listed = app.run(&undo).succeeded().json();
    let lengths = |of: &serde_json::Value| {
        ["restored", "kept"].map(|list| of[list].as_array().unwrap().len())
    };
    assert_eq!(lengths(&listed), [80, 20]);
    assert_eq!(listed["kept"][0]["reason"], "touched");
    assert_eq!(app.active().await.len(), 0);
    let digest = listed["digest"].as_str().unwrap();
    let confirm = [&undo[..], &["--confirm", digest]].concat();
    let done = app.run(&confirm).succeeded().json();
    assert_eq!(lengths(&done), [80, 20]);
    let active = "SELECT count(*) FROM users WHERE is_active AND id > 20";
    for again in [&["sync", "--full"][..], &["drift", "--fix"]] {
        assert_eq!(app.count(active).await, 80);
        assert_eq!(app.active().await.len(), 80);
        assert_eq!(app.count("SELECT count(*) FROM sessions").await, 0);
        app.run(again);
    }
    assert_eq!(app.active().await.len(), 80);
    let explained = app.run(&["explain", "30", "--json"]).succeeded().json();
    let reason = explained[0]["reason"].as_str().unwrap();
    assert!(reason.contains("a person decided to keep"), "{reason}");
    let history = explained[0]["history"].as_array().unwrap();
    let undone = history.last().unwrap()["reason"].as_str().unwrap();
    assert!(undone.contains(&batch), "{undone}");
}

/// Dana, who has left.
async fn one_leaver() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("1", DANA, NINE)]).await;
    app
}

#[tokio::test]
async fn the_list_names_the_command_that_confirms_it() {
    let mut app = one_leaver().await;
    let delivery = last_batch(&mut app).await.to_string();
    let output = app.run(&["undo", "--delivery", &delivery]).succeeded();
    assert!(
        output.err.contains("1 of 1 account can be restored"),
        "{output:?}"
    );
    let command = output.err.split('`').nth(1).unwrap();
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(arguments[..3], ["undo", "--delivery", &delivery]);
    assert!(!app.is_active(DANA).await);
    let output = app.run(&arguments).succeeded();
    assert!(output.err.contains("1 of 1 account restored"), "{output:?}");
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn a_list_of_several_batches_names_each() {
    let mut app = one_leaver().await;
    app.add_users(&[EVE]).await;
    let first = last_batch(&mut app).await;
    app.bamboohr(&[terminated("2", EVE, NINE)]).await;
    let second = last_batch(&mut app).await;
    let since = ["undo", "--since", "2026-11-22 11:00:00Z"];
    let output = app.run(&since).succeeded();
    for batch in [first, second] {
        let row = format!("\t2026-11-22 12:00:00Z\twebhook\t{batch}\tcan be restored\t");
        assert!(output.out.contains(&row), "{output:?}");
    }
}

#[tokio::test]
async fn a_wrong_digest_exits_2_and_changes_nothing() {
    let mut app = one_leaver().await;
    let batch = last_batch(&mut app).await.to_string();
    let undo = ["undo", "--batch", &batch];
    let digest = app
        .run(&[&undo[..], &["--json"]].concat())
        .succeeded()
        .json()["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    for (more, wrong) in [
        (&[][..], "1f0c-77ab-90d2-e5b1"),
        // The list was shown for another command.
        (&["--touched"][..], digest.as_str()),
    ] {
        let output = app.run(&[&undo[..], more, &["--confirm", wrong]].concat());
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.err.contains("nothing was changed"), "{output:?}");
    }
    assert!(!app.is_active(DANA).await);
    let confirm = [&undo[..], &["--confirm", &digest]].concat();
    app.run(&confirm).succeeded();
    assert_eq!(app.run(&confirm).code, Some(2));
}

#[tokio::test]
async fn an_undo_without_a_change_exits_1() {
    let app = one_leaver().await;
    let unknown = "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10";
    for arguments in [
        ["--batch", unknown],
        ["--delivery", unknown],
        ["--trip", "7"],
        ["--since", "2099-01-05"],
    ] {
        let output = app.run(&[&["undo"], &arguments[..]].concat());
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.err.contains("no change"), "{output:?}");
    }
    let output = app.run(&["undo"]);
    assert_eq!(output.code, Some(2), "{output:?}");
}

#[tokio::test]
async fn a_role_that_cannot_read_writers_needs_touched() {
    let mut app = one_leaver().await;
    let role = format!("undo_{}", uuid::Uuid::new_v4().simple());
    app.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT (id, email, is_active), UPDATE (is_active) ON users TO {role};
         GRANT SELECT, DELETE ON sessions TO {role}"
    ))
    .await;
    app.run(&["migrate", "--grant-to", &role]).succeeded();
    app.sql(&format!("REVOKE SELECT (xmin) ON users FROM {role}"))
        .await;
    let url = app.url.replacen("postgres@", &format!("{role}@"), 1);
    assert_ne!(url, app.url);
    let batch = last_batch(&mut app).await.to_string();
    let env = [("DATABASE_URL", url.as_str())];
    let output = app.run_with(&["undo", "--batch", &batch], &env);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err.contains("GRANT SELECT (xmin)"), "{output:?}");
    let output = app.run_with(&["undo", "--batch", &batch, "--touched", "--json"], &env);
    let digest = output.succeeded().json()["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let confirm = ["undo", "--batch", &batch, "--touched", "--confirm", &digest];
    app.run_with(&confirm, &env).succeeded();
    assert!(app.is_active(DANA).await);
    app.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

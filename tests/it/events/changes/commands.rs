//! Commands record their events in their transaction, and notify the service.

use sqlx::postgres::PgListener;

use super::CHANGES;
use crate::support::TestApp;
use crate::support::driving::terminated;

const DANA: &str = "dana@example.com";
const EVE: &str = "eve@example.com";

/// Dana and Eve have left, and both accounts are protected: holds 1 and 2. Gus has left, too.
async fn app() -> TestApp {
    let protected = (
        "LEAVER__ACCOUNTS__PROTECTED",
        "[\"dana@example.com\", \"eve@example.com\"]",
    );
    let app = TestApp::builder().settings(&[protected]).wanting(CHANGES);
    let mut app = app.build().await;
    app.add_users(&[DANA, EVE, "fay@example.com", "gus@example.com"])
        .await;
    let time = "2026-11-22T09:00:00Z";
    app.bamboohr(&[
        terminated("1", DANA, time),
        terminated("2", EVE, time),
        terminated("3", "gus@example.com", time),
    ])
    .await;
    app
}

/// Runs a command, and returns the types of the events that it recorded. It must notify the service of them.
async fn recorded(app: &mut TestApp, args: &[&str]) -> Vec<String> {
    let before = app.event_types().await.len();
    let mut listener = PgListener::connect(&app.url).await.unwrap();
    listener.listen("leaver").await.unwrap();
    let output = app.run(args).succeeded();
    let notified = tokio::time::timeout(crate::support::process::WAIT_LIMIT, async {
        while listener.recv().await.unwrap().payload() != "events" {}
    });
    assert!(notified.await.is_ok(), "{output:?}");
    app.changes_have_events().await;
    app.event_types().await.split_off(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_notifies_the_service_of_its_events() {
    let mut app = app().await;
    let rejected = recorded(&mut app, &["holds", "reject", "1", "--as", "ada"]).await;
    assert_eq!(rejected, ["hold.closed"]);
    let approved = recorded(&mut app, &["holds", "approve", "2", "--as", "ada"]).await;
    assert_eq!(approved, ["hold.closed", "account.deactivated"]);
    let end = [
        "end",
        "fay@example.com",
        "--reason",
        "lost laptop",
        "--as",
        "ada",
        "--yes",
    ];
    assert_eq!(recorded(&mut app, &end).await, ["account.deactivated"]);
    let of_nobody = app.events().await.pop().unwrap();
    assert!(of_nobody.get("employee_id").is_none(), "{of_nobody:#}");
    let batch = app.text("SELECT batch_id::text FROM leaver.changes ORDER BY id DESC LIMIT 1");
    let batch = batch.await.unwrap();
    let undo = ["undo", "--batch", &batch, "--as", "ada", "--json"];
    let list = app.run(&undo).succeeded().json();
    let digest = list["digest"].as_str().unwrap();
    let undo = [&undo[..], &["--confirm", digest]].concat();
    assert_eq!(recorded(&mut app, &undo).await, ["account.restored"]);
    app.sql("UPDATE users SET is_active = true WHERE email = 'gus@example.com'")
        .await;
    let fixed = recorded(&mut app, &["drift", "--fix"]).await;
    assert_eq!(fixed, ["account.deactivated"]);
}

#[tokio::test]
async fn a_command_without_its_event_changes_nothing() {
    let mut app = app().await;
    app.sql(
        "CREATE FUNCTION leaver.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON leaver.outbox FOR EACH ROW EXECUTE FUNCTION leaver.refuse();",
    )
    .await;
    let before = app.audit().await;
    for command in [
        &["holds", "approve", "1", "--as", "ada"][..],
        &["holds", "reject", "1", "--as", "ada"],
        &[
            "end",
            "fay@example.com",
            "--reason",
            "lost laptop",
            "--as",
            "ada",
            "--yes",
        ],
    ] {
        let output = app.run(command);
        assert_ne!(output.code, Some(0), "{command:?}: {output:?}");
    }
    assert_eq!(app.active().await.len(), 3);
    assert_eq!(app.audit().await, before);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.holds WHERE state = 'open'")
            .await,
        2
    );
}

//! `leaver send` against `leaver serve`.

use std::process::Command;

use serde_json::json;

use super::{app, five};
use crate::support::process::RunningProcess;
use crate::support::{BAMBOOHR_KEY, merge_changed};

#[tokio::test]
async fn a_batch_deactivates_only_leavers_and_a_repeat_nothing() {
    let mut app = app().await;
    let service = app.serve(&[]);
    let file = app.file("five.json", &five());

    let first = service.send(&app, "bamboohr", &file).succeeded().json();
    assert_eq!(first["status"], json!(200));
    assert_eq!(first["body"]["received"], json!(true));
    assert_eq!(first["body"]["duplicate"], json!(false));
    app.wait_until_processed().await;
    let stay = ["ben@example.com", "dia@example.com", "eve@example.com"];
    assert_eq!(app.active().await, stay);
    let sessions = "SELECT count(*) FROM sessions";
    assert_eq!(app.count(sessions).await, 6);
    let audit = "SELECT action || ' ' || employee_id FROM leaver.audit ORDER BY 1";
    assert_eq!(app.lines(audit).await, ["deactivated 1", "deactivated 3"]);

    // An account is reactivated by hand; a duplicate carries no new facts and leaves it active.
    app.sql("UPDATE users SET is_active = true WHERE email = 'cem@example.com'")
        .await;
    let again = service.send(&app, "bamboohr", &file).succeeded().json();
    assert_eq!(again["body"]["duplicate"], json!(true));
    assert_eq!(again["body"]["delivery"], first["body"]["delivery"]);
    app.wait_until_processed().await;
    assert_eq!(app.active().await.len(), 4);
    assert_eq!(app.lines(audit).await.len(), 2);
    let passwords = "SELECT count(*) FROM users WHERE hashed_password = 'x'";
    assert_eq!(app.count(passwords).await, 5);
    service.stop();
}

#[tokio::test]
async fn form_and_merge_bodies_are_signed_like_the_providers() {
    let mut app = app().await;
    let service = app.serve(&[]);
    let form = "employees%5B1%5D%5BchangedFields%5D%5B0%5D=Status&employees%5B1%5D%5BStatus%5D=Inactive\
                &employees%5B1%5D%5BEmployment+Status%5D=Terminated&employees%5B1%5D%5BWork+Email%5D=ana%40example.com";
    let form = app.file("form.txt", form);
    let merge = merge_changed(&json!({
        "id": "m-1", "work_email": "ben@example.com", "employment_status": "INACTIVE",
        "termination_date": "2020-01-31T00:00:00Z", "modified_at": "2026-01-01T00:00:00Z",
    }));
    let merge = app.file("merge.json", &merge.to_string());
    service.send(&app, "bamboohr", &form).succeeded();
    service.send(&app, "merge", &merge).succeeded();
    app.wait_until_processed().await;
    assert_eq!(
        app.active().await,
        ["cem@example.com", "dia@example.com", "eve@example.com"]
    );
    let types = "SELECT content_type FROM leaver.deliveries ORDER BY 1";
    assert_eq!(
        app.lines(types).await,
        ["application/json", "application/x-www-form-urlencoded"]
    );
}

#[tokio::test]
async fn the_printed_curl_command_sends_the_delivery() {
    let mut app = app().await;
    let service = app.serve(&[]);
    for (source, name) in [("bamboohr", "five o'clock.json"), ("merge", "merge.json")] {
        let file = app.file(name, &five());
        let args = [
            "send",
            "--source",
            source,
            "--to",
            &service.url,
            "--print",
            file.to_str().unwrap(),
        ];
        let printed = app.run(&args).succeeded();
        assert!(printed.out.starts_with("curl "), "{printed:?}");
        assert!(!printed.out.contains(BAMBOOHR_KEY), "{printed:?}");
        assert_eq!(
            app.count("SELECT count(*) FROM leaver.deliveries").await,
            i64::from(source == "merge")
        );

        let there = Command::new("curl").arg("--version").output().is_ok();
        // Without curl, check at least that a shell parses the words.
        let stub = if there {
            ""
        } else {
            "curl() { printf '%s\\n' \"$@\"; }; "
        };
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{stub}{}", printed.out)]);
        let output = RunningProcess::start(shell).wait().succeeded();
        if there {
            assert_eq!(output.json()["duplicate"], json!(false), "{output:?}");
        } else {
            let words = [service.url.clone(), format!("\n@{}\n", file.display())];
            assert!(
                words.iter().all(|word| output.out.contains(word)),
                "{output:?}"
            );
            return;
        }
    }
    app.wait_until_processed().await;
    assert_eq!(app.active().await.len(), 3);
}

#[tokio::test]
async fn a_rejected_delivery_exits_1_with_the_response() {
    let app = app().await;
    let service = app.serve(&[]);
    let file = app.file("five.json", &five());
    let file = file.to_str().unwrap();
    let send = ["send", "--source", "bamboohr", "--to", &service.url, file];
    let forged = app.run_with(&send, &[("BAMBOOHR_WEBHOOK_SECRET", "another-webhook-key")]);
    assert_eq!(forged.code, Some(1), "{forged:?}");
    assert!(
        forged.out.contains("401") && forged.out.contains("invalid signature"),
        "{forged:?}"
    );

    let unknown = format!("{}/webhooks/other", service.url);
    let lost = app.run(&[
        "send", "--source", "bamboohr", "--json", "--to", &unknown, file,
    ]);
    assert_eq!(lost.code, Some(1));
    assert_eq!(
        lost.json(),
        json!({"status": 404, "body": {"error": "unknown source"}})
    );
}

#[tokio::test]
async fn send_explains_why_it_could_not_send() {
    let app = app().await;
    let file = app.file("five.json", &five());
    let file = file.to_str().unwrap();
    let nobody = "http://127.0.0.1:1";
    for (args, words) in [
        (
            ["--source", "merge", "--to", nobody, "/nowhere/file"],
            ["/nowhere/file", "No such file"],
        ),
        (
            ["--source", "merge", "--to", nobody, file],
            ["no response from http://127.0.0.1:1", "refused"],
        ),
    ] {
        app.run(&[&["send"][..], &args].concat()).failed(&words);
    }
}

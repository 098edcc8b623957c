//! `leaver send` against `leaver serve`.

use std::process::Command;

use serde_json::json;

use super::{five, place};
use crate::support::process::{Running, leaver};
use crate::support::{BAMBOOHR_KEY, merge_changed};

#[tokio::test]
async fn a_batch_deactivates_only_leavers_and_a_repeat_nothing() {
    let mut place = place().await;
    let service = place.serve(&[]);
    let file = place.file("five.json", &five());

    let first = service.send(&place, "bamboohr", &file).good().json();
    assert_eq!(first["status"], json!(200));
    assert_eq!(first["body"]["received"], json!(true));
    assert_eq!(first["body"]["duplicate"], json!(false));
    place.settled().await;
    let stay = ["ben@example.com", "dia@example.com", "eve@example.com"];
    assert_eq!(place.active().await, stay);
    let sessions = "SELECT count(*) FROM sessions";
    assert_eq!(place.count(sessions).await, 6);
    let audit = "SELECT action || ' ' || employee_id FROM leaver.audit ORDER BY 1";
    assert_eq!(place.lines(audit).await, ["deactivated 1", "deactivated 3"]);

    // An account is reactivated by hand; a duplicate carries no new facts and leaves it active.
    place
        .sql("UPDATE users SET is_active = true WHERE email = 'cem@example.com'")
        .await;
    let again = service.send(&place, "bamboohr", &file).good().json();
    assert_eq!(again["body"]["duplicate"], json!(true));
    assert_eq!(again["body"]["delivery"], first["body"]["delivery"]);
    place.settled().await;
    assert_eq!(place.active().await.len(), 4);
    assert_eq!(place.lines(audit).await.len(), 2);
    let passwords = "SELECT count(*) FROM users WHERE hashed_password = 'x'";
    assert_eq!(place.count(passwords).await, 5);
    service.stop();
}

#[tokio::test]
async fn form_and_merge_bodies_are_signed_like_the_providers() {
    let mut place = place().await;
    let service = place.serve(&[]);
    let form = "employees%5B1%5D%5BchangedFields%5D%5B0%5D=Status&employees%5B1%5D%5BStatus%5D=Inactive\
                &employees%5B1%5D%5BEmployment+Status%5D=Terminated&employees%5B1%5D%5BWork+Email%5D=ana%40example.com";
    let form = place.file("form.txt", form);
    let merge = merge_changed(&json!({
        "id": "m-1", "work_email": "ben@example.com", "employment_status": "INACTIVE",
        "termination_date": "2020-01-31T00:00:00Z", "modified_at": "2026-01-01T00:00:00Z",
    }));
    let merge = place.file("merge.json", &merge.to_string());
    service.send(&place, "bamboohr", &form).good();
    service.send(&place, "merge", &merge).good();
    place.settled().await;
    assert_eq!(
        place.active().await,
        ["cem@example.com", "dia@example.com", "eve@example.com"]
    );
    let types = "SELECT content_type FROM leaver.deliveries ORDER BY 1";
    assert_eq!(
        place.lines(types).await,
        ["application/json", "application/x-www-form-urlencoded"]
    );
}

#[tokio::test]
async fn the_printed_curl_command_sends_the_delivery() {
    let mut place = place().await;
    let service = place.serve(&[]);
    for (source, name) in [("bamboohr", "five o'clock.json"), ("merge", "merge.json")] {
        let file = place.file(name, &five());
        let args = [
            "send",
            "--source",
            source,
            "--to",
            &service.url,
            "--print",
            file.to_str().unwrap(),
        ];
        let printed = place.leaver(&args).good();
        assert!(printed.out.starts_with("curl "), "{printed:?}");
        assert!(!printed.out.contains(BAMBOOHR_KEY), "{printed:?}");
        assert_eq!(
            place.count("SELECT count(*) FROM leaver.deliveries").await,
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
        let said = Running::start(shell).ended().good();
        if there {
            assert_eq!(said.json()["duplicate"], json!(false), "{said:?}");
        } else {
            let words = [service.url.clone(), format!("\n@{}\n", file.display())];
            assert!(words.iter().all(|word| said.out.contains(word)), "{said:?}");
            return;
        }
    }
    place.settled().await;
    assert_eq!(place.active().await.len(), 3);
}

#[tokio::test]
async fn a_rejected_delivery_exits_1_with_the_response() {
    let place = place().await;
    let service = place.serve(&[]);
    let file = place.file("five.json", &five());
    let file = file.to_str().unwrap();
    let send = ["send", "--source", "bamboohr", "--to", &service.url, file];
    let forged = leaver(
        &send,
        &place.env(&[("BAMBOOHR_WEBHOOK_SECRET", "another-key")]),
    );
    assert_eq!(forged.code, Some(1), "{forged:?}");
    assert!(
        forged.out.contains("401") && forged.out.contains("invalid signature"),
        "{forged:?}"
    );

    let unknown = format!("{}/webhooks/other", service.url);
    let lost = place.leaver(&[
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
    let place = place().await;
    let file = place.file("five.json", &five());
    let file = file.to_str().unwrap();
    let nobody = "http://127.0.0.1:1";
    for (args, words) in [
        (
            ["--source", "workday", "--to", nobody, file],
            ["workday", "bamboohr, merge"],
        ),
        (
            ["--source", "merge", "--to", nobody, "/nowhere/file"],
            ["/nowhere/file", "No such file"],
        ),
        (
            ["--source", "merge", "--to", nobody, file],
            ["no response from http://127.0.0.1:1", "refused"],
        ),
    ] {
        place
            .leaver(&[&["send"][..], &args].concat())
            .failed(&words);
    }
}

//! `leaver check` and its destinations: nothing is sent without `--send-test`, and a test is marked as one.

use serde_json::json;

use super::{KEYS, bus};
use crate::commands::check::line;
use crate::support::TestApp;
use crate::support::apis::{Answer, StandIn};
use crate::support::events::assert_fits;

const KEY: (&str, &str) = ("ONE", KEYS[0]);
const SECRETS: &str = "secrets = [\"env:ONE\"]";

async fn app(receiver: &StandIn) -> TestApp {
    let section = bus(&receiver.url, SECRETS);
    let builder = TestApp::builder().with_config_file(&section);
    builder.settings(&[KEY]).build().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_sends_nothing_by_itself() {
    let receiver = StandIn::always(Answer::status(204)).await;
    let app = app(&receiver).await;
    let output = app.run(&["check", "--json"]).succeeded();
    let text = line(&output, "destination bus", "ok");
    assert!(text.contains("webhook, 1 key, 4 of 22 types"), "{text}");
    assert!(line(&output, "secrets", "ok").contains("secrets of 1 destination"));
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_event_is_marked_and_fits_its_schema() {
    let receiver = StandIn::always(Answer::status(202)).await;
    let app = app(&receiver).await;
    let args = ["check", "--send-test", "bus"];
    let output = app.run(&args).succeeded();
    assert!(
        output.out.contains("accepted with status 202"),
        "{output:?}"
    );
    let requests = receiver.requests();
    let [request] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    assert_eq!(request.path, "/leaver");
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("user-agent").starts_with("leaver/"));
    let event = request.json();
    assert_fits(&event);
    assert_eq!(event["data"]["test"], json!(true));
    assert_eq!(event["employee_id"], "test");
    assert_eq!(event["id"], request.header("webhook-id"));
    // A second test is another event.
    app.run(&args).succeeded();
    assert_ne!(receiver.requests()[1].json()["id"], event["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_test_is_an_error_with_advice() {
    let receiver = StandIn::always(Answer::status(204)).await;
    let app = app(&receiver).await;
    let elsewhere = StandIn::always(Answer::status(204)).await;
    let endless = "x".repeat(1 << 20);
    for (answer, words) in [
        (
            Answer::status(307).with("location", &elsewhere.url),
            "redirects are not followed",
        ),
        (
            Answer::text(401, "text/plain", "the-answer-is-not-shown"),
            "status 401; compare the keys",
        ),
        (Answer::status(404), "correct the path in `url`"),
        (Answer::status(410), "status 410"),
        (
            Answer::text(500, "text/plain", &endless),
            "status 500; the log of the receiver",
        ),
    ] {
        receiver.script("/leaver", [answer]);
        let output = app.run(&["check", "--send-test", "bus"]).findings(&[words]);
        assert!(!output.out.contains("the-answer"), "{output:?}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
    let output = app.run(&["check", "--send-test", "buss"]);
    output.findings(&["`buss` is no destination; configured: bus"]);
    let nobody = bus("http://127.0.0.1:1", SECRETS);
    app.file("leaver.toml", &nobody);
    let output = app.run(&["check", "--send-test", "bus"]);
    output.findings(&["refused", "correct `url`"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_is_sent_although_another_secret_is_missing() {
    let receiver = StandIn::always(Answer::status(204)).await;
    let app = app(&receiver).await;
    let mail = "[[destinations]]\nname = \"mail\"\nkind = \"email\"\nurl = \"smtps://user@mail.example.com\"\n\
                password = \"env:MISSING\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\nevents = [\"*\"]\n";
    app.file(
        "leaver.toml",
        &format!("{}{mail}", bus(&receiver.url, SECRETS)),
    );
    let output = app.run(&["check", "--send-test", "bus"]);
    output.findings(&["MISSING is not set", "accepted with status 204"]);
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_host_and_a_wrong_key_are_errors() {
    let receiver = StandIn::always(Answer::status(204)).await;
    let app = app(&receiver).await;
    let section = bus("https://no-such-host.invalid", SECRETS);
    app.file("leaver.toml", &section);
    let output = app.run(&["check", "--json"]).findings(&[]);
    let text = line(&output, "destination bus", "error");
    assert!(text.contains("no-such-host.invalid"), "{text}");
    let output = app.run(&["check", "--json", "--offline"]).succeeded();
    line(&output, "destination bus", "ok");
    let output = app.run_with(&["check", "--json"], &[("ONE", "whsec_dG9vIHNob3J0")]);
    let text = line(&output.findings(&[]), "configuration", "error");
    let words = ["destinations[0] (bus).secrets[0]", "9 bytes", "24 to 64"];
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

//! Mail servers: encryption, users, and what is no mail server.

use std::path::PathBuf;

use serde_json::json;

use super::sink::Sink;
use super::*;
use crate::safeguard::{employ, report};
use crate::support::scratch;

const USER: &str = "leaver@example.com";
const WITH_PASSWORD: &str = "password = \"env:SMTP_PASSWORD\"\n";

/// An address that reaches this machine, but is no loopback address.
pub(super) const ELSEWHERE: &str = "0.0.0.0";

/// A certificate that no authority has signed, and its key.
struct Pair {
    folder: tempfile::TempDir,
}

impl Pair {
    fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let signed = rcgen::generate_simple_self_signed(names).unwrap();
        let folder = scratch::folder();
        std::fs::write(folder.path().join("cert"), signed.cert.pem()).unwrap();
        std::fs::write(
            folder.path().join("key"),
            signed.signing_key.serialize_pem(),
        )
        .unwrap();
        Self { folder }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert")
    }

    /// Returns options of a mail server that encrypts: `tls` or `starttls`.
    fn options(&self, how: &str) -> Value {
        json!({ how: true, "cert": self.certificate(), "key": self.folder.path().join("key") })
    }
}

/// Returns an app with a trip.
pub(super) async fn tripped(destinations: &str) -> TestApp {
    let mut app = app_with(destinations, &[]).await;
    employ(&mut app, 10).await;
    report(&mut app, 0..5, false).await;
    app
}

/// Sends one message, and returns why the destination is paused, and the last error.
pub(super) async fn refused(url: &str, more: &str) -> (Option<String>, String) {
    let mut app = tripped(&mailbox(url, "\"it@example.com\"", more)).await;
    send_due(&app, "mail").await;
    let (paused, error) = state(&mut app, "mail").await;
    let error = error.unwrap();
    assert!(!error.contains("hush") && !error.contains(USER), "{error}");
    (paused, error)
}

#[tokio::test]
async fn a_password_is_sent_and_a_wrong_one_pauses() {
    let right = Sink::start("127.0.0.1", &json!({ "user": USER, "password": PASSWORD }));
    let url = |sink: &Sink| format!("smtp://leaver%40example.com@127.0.0.1:{}", sink.port);
    let mut app = tripped(&mailbox(&url(&right), "\"it@example.com\"", WITH_PASSWORD)).await;
    send_due(&app, "mail").await;
    assert_eq!(
        (&right.only()["user"], open(&mut app).await),
        (&json!(USER), 0)
    );

    let wrong = Sink::start("127.0.0.1", &json!({ "user": USER, "password": "another" }));
    let (paused, error) = refused(&url(&wrong), WITH_PASSWORD).await;
    assert_eq!(paused.as_deref(), Some(error.as_str()));
    assert!(
        error.contains("refused the user or `password` (code 535)"),
        "{error}"
    );

    let none = Sink::start("127.0.0.1", &json!({}));
    let (paused, error) = refused(&url(&none), WITH_PASSWORD).await;
    assert!(
        paused.is_some() && error.contains("takes no user and password"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_elsewhere_without_starttls_is_refused() {
    let sink = Sink::start(ELSEWHERE, &json!({}));
    let (paused, error) = refused(&format!("smtp://{ELSEWHERE}:{}", sink.port), "").await;
    assert!(
        paused.is_some() && error.contains("offers no STARTTLS, so nothing was sent"),
        "{error}"
    );
    assert!(sink.transfers().is_empty());
}

#[tokio::test]
async fn an_unknown_certificate_is_refused() {
    let pair = Pair::new(&["localhost"]);
    let sink = Sink::start("127.0.0.1", &pair.options("tls"));
    let (paused, error) = refused(&format!("smtps://localhost:{}", sink.port), "").await;
    assert!(
        paused.is_none() && error.contains("TLS failed: no CA known to this machine"),
        "{error}"
    );
    assert!(sink.transfers().is_empty());
}

#[tokio::test]
async fn no_mail_server_is_named_as_such() {
    let slack = super::slack_stub::Slack::start().await;
    let port = slack.url.rsplit(':').next().unwrap();
    let (_, error) = refused("smtp://127.0.0.1:9", "").await;
    assert!(
        error.contains("cannot connect to 127.0.0.1:9") && error.contains("refused"),
        "{error}"
    );
    let (_, error) = refused(&format!("smtps://localhost:{port}"), "").await;
    assert!(error.contains("the port does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_service_sends_encrypted_mail_both_ways() {
    let pair = Pair::new(&["localhost", ELSEWHERE]);
    let with = |how: &str| {
        let mut options = pair.options(how);
        options["user"] = json!(USER);
        options["password"] = json!(PASSWORD);
        options
    };
    let implicit = Sink::start("127.0.0.1", &with("tls"));
    let upgraded = Sink::start(ELSEWHERE, &with("starttls"));
    let one = mailbox(
        &format!("smtps://leaver%40example.com@localhost:{}", implicit.port),
        "\"it@example.com\"",
        WITH_PASSWORD,
    );
    let two = mailbox(
        &format!("smtp://leaver%40example.com@{ELSEWHERE}:{}", upgraded.port),
        "\"it@example.com\"",
        WITH_PASSWORD,
    );
    let two = two.replace("name = \"mail\"", "name = \"mail-too\"");
    let app = tripped(&(one + &two)).await;
    let service = app.serve(&[("SSL_CERT_FILE", pair.certificate().to_str().unwrap())]);
    for sink in [&implicit, &upgraded] {
        let email = sink.wait_for(1).remove(0);
        assert_eq!(
            (&email["is_encrypted"], &email["user"]),
            (&json!(true), &json!(USER))
        );
    }
    let log = service.stop().err;
    assert!(!log.contains(PASSWORD) && !log.contains("person1"), "{log}");
}

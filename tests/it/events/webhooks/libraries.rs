//! The libraries of Standard Webhooks verify requests of the real service, with two keys at once and during a rotation.

use nix::sys::signal::Signal;

use super::verifiers::verified;
use super::{KEYS, bus};
use crate::support::apis::{Answer, StandIn};
use crate::support::driving::terminated;
use crate::support::process::RunningService;
use crate::support::{TestApp, employees};

/// A service that posts to a receiver, with its keys in files `a` and `b`.
struct Posting {
    app: TestApp,
    receiver: StandIn,
    service: RunningService,
    left: usize,
}

impl Posting {
    async fn start(secrets: &str) -> Self {
        let receiver = StandIn::always(Answer::status(204)).await;
        let section = bus(&receiver.url, "secrets = [\"env:FIRST\"]");
        let builder = TestApp::builder().with_config_file(&section);
        let mut app = builder.settings(&[("FIRST", KEYS[0])]).build().await;
        app.file("a", KEYS[0]);
        app.file("b", KEYS[1]);
        let seed = "whsk_VGhpcnR5LXR3byBieXRlcyBvZiBhIHNlZWQsIG5vIG0=";
        app.file("c", seed);
        let people: Vec<String> = (1..=9).map(|n| format!("p{n}@example.com")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        app.add_users(&people).await;
        let posting = |app: &TestApp| {
            write_config(app, &receiver, secrets);
            app.serve(&[])
        };
        let mut service = posting(&app);
        service.wait_until_ready();
        Self {
            app,
            receiver,
            service,
            left: 0,
        }
    }

    /// Replaces the list of secrets and sends SIGHUP.
    fn rotate(&mut self, secrets: &str) {
        write_config(&self.app, &self.receiver, secrets);
        let reloads = self.reloads();
        self.service.process.signal(Signal::SIGHUP);
        crate::support::process::wait_until("the keys were replaced", || self.reloads() > reloads);
    }

    fn reloads(&self) -> usize {
        let log = self.service.process.err();
        log.matches("service.replace_keys: replaced").count()
    }

    /// Lets one more person leave, and returns whether the request is verified by each of the two keys.
    async fn leave(&mut self) -> [bool; 2] {
        self.left += 1;
        let id = self.left.to_string();
        let email = format!("p{id}@example.com");
        let body = employees(&[terminated(&id, &email, "2026-11-01T00:00:00Z")]);
        let body = self.app.file("body", &body.to_string());
        self.service.send(&self.app, "bamboohr", &body).succeeded();
        self.receiver.wait_until_requested(self.left).await;
        let request = self.receiver.requests().pop().unwrap();
        assert_eq!(request.json()["employee_id"], id);
        KEYS.map(|key| verified(key, std::slice::from_ref(&request)) == [true])
    }
}

fn write_config(app: &TestApp, receiver: &StandIn, secrets: &str) {
    let section = bus(&receiver.url, &format!("secrets = {secrets}"));
    app.file("leaver.toml", &section);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_libraries_verify_during_a_rotation() {
    let mut posting = Posting::start(r#"["file:a"]"#).await;
    assert_eq!(posting.leave().await, [true, false]);
    posting.rotate(r#"["file:b", "file:a"]"#);
    assert_eq!(posting.leave().await, [true, true]);
    posting.rotate(r#"["file:b"]"#);
    assert_eq!(posting.leave().await, [false, true]);
    // An ed25519 signature beside it does no harm.
    posting.rotate(r#"["file:c", "file:b"]"#);
    assert_eq!(posting.leave().await, [false, true]);
    let last = posting.receiver.requests().pop().unwrap();
    assert!(last.header("webhook-signature").starts_with("v1a,"));
    // A list that cannot be read changes nothing.
    let reloads = posting.reloads();
    write_config(&posting.app, &posting.receiver, r#"["file:missing"]"#);
    posting.service.process.signal(Signal::SIGHUP);
    posting
        .service
        .process
        .wait_for("cannot read the configuration");
    assert_eq!(posting.reloads(), reloads);
    assert_eq!(posting.leave().await, [false, true]);
    let log = posting.service.stop().err;
    for secret in ["whsec_", "whsk_"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_body_id_or_time_is_refused() {
    let receiver = StandIn::always(Answer::status(204)).await;
    let section = bus(&receiver.url, "secrets = [\"env:ONE\", \"env:TWO\"]");
    let builder = TestApp::builder().with_config_file(&section);
    let keys = [("ONE", KEYS[0]), ("TWO", KEYS[1])];
    let app = builder.settings(&keys).build().await;
    app.run(&["check", "--send-test", "bus"]).succeeded();
    let request = receiver.requests().pop().unwrap();
    assert_eq!(
        request.header("webhook-signature").matches("v1,").count(),
        2
    );
    for key in KEYS {
        let mut changed = vec![request.clone(); 4];
        changed[1].body = [&request.body[..], b" "].concat().into();
        for (n, name) in [(2, "webhook-id"), (3, "webhook-timestamp")] {
            let value = format!("{}0", request.header(name));
            changed[n].headers.insert(name, value.parse().unwrap());
        }
        assert_eq!(verified(key, &changed), [true, false, false, false]);
    }
}

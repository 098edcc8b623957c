//! `leaver webhooks`: the real binary against a stand-in for BambooHR.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::apis::{Answer, ApiRequest, StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::apis_setup::{SINGLE_COMPANY, source_with_api, terminated_bamboohr_employee};
use crate::support::hooks::{Hooks, PRIVATE_KEY, denied, log_entry};
use crate::support::process::{CommandOutput, run};
use crate::support::{BAMBOOHR_KEY, TestApp};

const HERE: &str = "https://leaver.example/webhooks/bamboohr";
const API_KEY: &str = "api-key-sentinel";
const SECRETS: [(&str, &str); 2] = [("SECRET", BAMBOOHR_KEY), ("API_KEY", API_KEY)];

struct WebhooksTest {
    app: TestApp,
    api: StandIn,
    hooks: Arc<Hooks>,
}

impl WebhooksTest {
    /// Employee 4 has left.
    async fn new() -> Self {
        let mut employees: Vec<Value> = (1..=5).map(bamboohr_employee).collect();
        employees[3] = terminated_bamboohr_employee(4);
        let hooks = Arc::new(Hooks::default());
        let api = StandIn::start(bamboohr_with_hooks(employees, &hooks)).await;
        let mut app = TestApp::builder()
            .config_file(&source_with_api("bamboohr", "bamboohr", &api), &SECRETS)
            .build()
            .await;
        app.add_employees_users(1..=5).await;
        Self { app, api, hooks }
    }

    fn run(&self, args: &[&str]) -> CommandOutput {
        let output = self.app.run(args);
        assert!(!format!("{output:?}").contains(API_KEY), "{output:?}");
        assert!(!output.err.contains(PRIVATE_KEY), "{output:?}");
        output
    }

    /// Returns the bodies of the create requests.
    fn made(&self) -> Vec<Value> {
        let asked = self.api.requests();
        asked
            .iter()
            .filter(|asked| asked.method == "POST")
            .map(ApiRequest::json)
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_shows_the_key_and_where_to_store_it() {
    let test = WebhooksTest::new().await;
    let output = test.run(&["webhooks", "create", "--url", HERE]).succeeded();
    assert_eq!(output.out.matches(PRIVATE_KEY).count(), 1, "{output:?}");
    for words in [
        "BAMBOOHR_WEBHOOK_SECRET",
        "webhook_secrets",
        "restart",
        "keep the old key",
        "[sources.api]",
        "webhook 1 ",
    ] {
        assert!(output.out.contains(words), "no {words:?} in {}", output.out);
    }
    assert_eq!(output.err, "");
    let body = &test.made()[0];
    assert_eq!(
        (&body["name"], &body["url"]),
        (&json!("Leaver (bamboohr)"), &json!(HERE))
    );

    let args = [
        "webhooks", "create", "--url", HERE, "--name", "Mine", "--kind", "field", "--json",
    ];
    let output = test.run(&args).succeeded();
    assert_eq!(output.json()["private_key"], PRIVATE_KEY);
    assert_eq!(output.json()["id"], "2");
    let body = &test.made()[1];
    assert_eq!(
        (&body["name"], &body["postFields"]["terminationDate"]),
        (&json!("Mine"), &json!("terminationDate"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_completes_the_url_path_or_warns() {
    let test = WebhooksTest::new().await;
    let output = test
        .run(&[
            "webhooks",
            "create",
            "--url",
            "https://leaver.example",
            "--json",
        ])
        .succeeded();
    assert!(output.err.contains(HERE), "{output:?}");
    assert_eq!(output.json()["url"], HERE);
    let output = test
        .run(&["webhooks", "create", "--url", "https://leaver.example/hr"])
        .succeeded();
    assert!(output.err.contains("/webhooks/bamboohr"), "{output:?}");
    assert_eq!(test.made()[1]["url"], "https://leaver.example/hr");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_rejects_a_url_without_https() {
    let test = WebhooksTest::new().await;
    for (url, words) in [
        ("http://leaver.example/webhooks/bamboohr", "https://"),
        ("leaver.example", "--url"),
        ("ftp://leaver.example/", "https://"),
        (
            "https://user:secret@leaver.example/webhooks/bamboohr",
            "no user",
        ),
    ] {
        let output = test.run(&["webhooks", "create", "--url", url]);
        assert!(!output.err.contains("secret@"), "{output:?}");
        output.failed(&[words, "https://leaver.example.com/webhooks/bamboohr"]);
    }
    assert!(test.api.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn create_skips_hidden_fields_but_requires_status() {
    let test = WebhooksTest::new().await;
    test.hooks.hide("hireDate");
    let output = test
        .run(&["webhooks", "create", "--url", HERE, "--kind", "field"])
        .succeeded();
    assert!(output.err.contains("hireDate"), "{output:?}");
    let body = &test.made()[0];
    assert_eq!(
        body["monitorFields"],
        json!(["status", "employmentHistoryStatus", "workEmail"])
    );
    assert!(body["postFields"].get("hireDate").is_none(), "{body}");
    test.hooks.hide("status");
    let output = test.run(&["webhooks", "create", "--url", HERE]);
    output.failed(&["status", "access level", "api.api_key"]);
    assert_eq!(test.made().len(), 1);
    let fields = test.run(&["webhooks", "fields"]).succeeded();
    assert!(
        fields.err.contains("needed but missing: status, hireDate"),
        "{fields:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_names_the_fields_that_bamboohr_rejects() {
    let test = WebhooksTest::new().await;
    let output =
        r#"{"errors":[{"error":"Dana may not","monitorFields":[{"id":7,"name":"workEmail"}]}]}"#;
    test.api.script(
        "/api/v1/webhooks",
        [Answer::text(403, "application/json", output)],
    );
    let output = test.run(&["webhooks", "create", "--url", HERE]);
    assert!(!output.err.contains("Dana"), "{output:?}");
    output.failed(&["workEmail", "api.api_key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_listed_shown_and_deleted() {
    let mut test = WebhooksTest::new().await;
    let output = test.run(&["webhooks", "list"]).succeeded();
    assert!(output.err.contains("no webhooks"), "{output:?}");
    let ours = test.hooks.add(HERE);
    test.hooks.add("https://other.example/hook?token=hush");
    let output = test.run(&["webhooks", "list", "--json"]).succeeded();
    assert_eq!(
        (
            &output.json()[0]["targets_this_service"],
            &output.json()[1]["url"]
        ),
        (&json!(true), &json!("https://other.example/hook"))
    );
    let output = test.run(&["webhooks", "list"]).succeeded();
    assert!(
        output.out.contains(HERE) && !output.out.contains("hush"),
        "{output:?}"
    );
    let output = test.run(&["webhooks", "show", &ours]).succeeded();
    assert!(output.out.contains("employee.updated"), "{output:?}");
    let output = test.run(&["webhooks", "show", &ours, "--json"]).succeeded();
    assert_eq!(output.json()["monitor_fields"], json!(["status"]));
    test.hooks
        .log(&ours, vec![log_entry("2026-11-22 11:58:03", "503", &["4"])]);
    let output = test.run(&["webhooks", "log", &ours]).succeeded();
    assert!(
        output.out.contains("503") && output.out.contains("2026-11-22 11:58:03Z"),
        "{output:?}"
    );
    let output = test.run(&["webhooks", "log", &ours, "--json"]).succeeded();
    assert_eq!(output.json()[0]["employee_ids"], json!(["4"]));

    let known =
        "INSERT INTO leaver.provider_webhooks (source, webhook_id, name, observed_at, checked_at)
                 SELECT 'bamboohr', n::text, 'x', now(), now() FROM generate_series(1, 9, 8) n";
    test.app.sql(known).await;
    test.run(&["webhooks", "delete", &ours]).succeeded();
    let left = "SELECT webhook_id FROM leaver.provider_webhooks";
    assert_eq!(test.app.lines(left).await, ["9"]);
    // One that is gone at BambooHR is forgotten; one known nowhere is an error.
    let output = test.run(&["webhooks", "delete", "9", "--json"]).succeeded();
    assert_eq!(
        output.json(),
        json!({"id": "9", "deleted": false, "forgotten": true})
    );
    assert_eq!(test.app.lines(left).await, [""; 0]);
    test.run(&["webhooks", "delete", "9"])
        .failed(&["webhook 9", "leaver webhooks list"]);
    // A webhook of another user is forgotten as well.
    test.app.sql(known).await;
    test.api.script("/api/v1/webhooks/1", [Answer::status(403)]);
    test.run(&["webhooks", "delete", "1"])
        .failed(&["another BambooHR user", "no longer monitored"]);
    assert_eq!(test.app.lines(left).await, ["9"]);
    let output = test.run(&["webhooks", "show", "nine"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(
        output.err.contains("it is no id of a webhook"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_lists_missing_deliveries_and_reads_employees() {
    let mut test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    test.hooks.log(&hook, vec![]);
    let output = test.run(&["webhooks", "gaps"]).succeeded();
    assert!(output.err.contains("0 deliveries in its log"), "{output:?}");
    test.hooks.log(
        &hook,
        vec![log_entry("2026-11-22 08:00:00", "503", &["2", "4"])],
    );
    let output = test.run(&["webhooks", "gaps", "--json"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    let json = output.json();
    assert_eq!(
        json["gaps"],
        json!([{"webhook": "1", "sent_at": "2026-11-22T08:00:00Z", "status": "503", "retry_state": "given_up",
                "employees": ["2", "4"]}])
    );
    assert_eq!(
        json["sync"]["outcome"],
        json!({"deactivated": 1, "kept": 1})
    );
    assert_eq!(test.app.active().await.len(), 4);
    // It is still missing; a second read changes nothing.
    let output = test.run(&["webhooks", "gaps", "--webhook", &hook]);
    let words = [
        "1 not received",
        "given up",
        "2, 4",
        "2 employees read over the API",
    ];
    output.findings(&words);

    test.api
        .script("/api/v1/webhooks/1/log", [Answer::status(403)]);
    let output = test.run(&["webhooks", "gaps"]);
    output.findings(&["webhook 1", "cannot read its log", "another BambooHR user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_checks_its_webhooks_and_health_shows_it() {
    let test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    test.hooks
        .configure(&hook, "errors", denied(&["status"], &[]));
    let mut service = test.app.serve(&[]);
    service.process.wait_for("provider_webhooks.check: done");
    let (_, _, health) = service.get("/health").await;
    let health: Value = serde_json::from_str(&health).unwrap();
    let shown = &health["sources"]["bamboohr"]["webhooks"][0];
    assert_eq!(
        (&shown["id"], &health["status"]),
        (&json!("1"), &json!("degraded"))
    );
    let log = service.process.err();
    assert!(
        log.contains("provider_webhooks.check: this webhook has a problem")
            && !log.contains(API_KEY),
        "{log}"
    );
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_option_is_needed_only_with_several_sources() {
    let test = WebhooksTest::new().await;
    let list = |sources: &str, more: &[&str]| {
        let path = test.app.file("other.toml", sources);
        let args = ["webhooks", "list", "--config", path.to_str().unwrap()];
        run(&[&args, more].concat(), &SECRETS)
    };
    let source = |name| source_with_api(name, "bamboohr", &test.api);
    let both = format!("{SINGLE_COMPANY}{}{}", source("acme"), source("globex"));
    for more in [&[][..], &["--source", "initech"]] {
        let output = list(&both, more);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.err.contains("acme, globex"), "{output:?}");
    }
    list(&both, &["--source", "acme"]).succeeded();
    let acme = source("acme");
    let (without_api, _) = acme.split_once("[sources.api]").unwrap();
    list(without_api, &[]).failed(&["[sources.api]"]);
}

//! `leaver webhooks`: the real binary against a stand-in for BambooHR.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::apis::{Answer, Asked, StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::hooks::{Hooks, PRIVATE_KEY, denied, log_entry};
use crate::support::process::{CommandOutput, RunningService, run};
use crate::support::{BAMBOOHR_KEY, TestApp};

const HERE: &str = "https://leaver.example/webhooks/bamboohr";
const API_KEY: &str = "api-key-sentinel";

struct It {
    app: TestApp,
    api: StandIn,
    hooks: Arc<Hooks>,
    config: String,
}

impl It {
    /// Employee 4 has left.
    async fn new() -> Self {
        let mut app = TestApp::builder().unmigrated().build().await;
        app
            .sql("INSERT INTO users (email) SELECT 'dana.' || n || '@widgets.example' FROM generate_series(1, 5) n")
            .await;
        let mut employees: Vec<Value> = (1..=5).map(bamboohr_employee).collect();
        employees[3]["status"] = "Inactive".into();
        employees[3]["employmentHistoryStatus"] = "Terminated".into();
        let hooks = Arc::new(Hooks::default());
        let api = StandIn::start(bamboohr_with_hooks(employees, &hooks)).await;
        let text = source("bamboohr", &api.url);
        let config = app.file("hooks.toml", &text).to_str().unwrap().to_owned();
        let it = Self {
            app,
            api,
            hooks,
            config,
        };
        it.run(&["migrate"]).await.succeeded();
        it
    }

    async fn run(&self, args: &[&str]) -> CommandOutput {
        let mut args: Vec<String> = args.iter().map(ToString::to_string).collect();
        args.extend(["--config".to_owned(), self.config.clone()]);
        let url = self.app.url.clone();
        let output = tokio::task::spawn_blocking(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let env = [
                ("DATABASE_URL", url.as_str()),
                ("SECRET", BAMBOOHR_KEY),
                ("API_KEY", API_KEY),
            ];
            run(&args, &env)
        });
        let output = output.await.unwrap();
        assert!(!format!("{output:?}").contains(API_KEY), "{output:?}");
        assert!(!output.err.contains(PRIVATE_KEY), "{output:?}");
        output
    }

    /// Returns the bodies of the create requests.
    fn made(&self) -> Vec<Value> {
        let asked = self.api.asked();
        asked
            .iter()
            .filter(|asked| asked.method == "POST")
            .map(Asked::json)
            .collect()
    }
}

fn source(name: &str, url: &str) -> String {
    format!(
        r#"
        [[sources]]
        name = "{name}"
        provider = "bamboohr"
        webhook_secrets = ["env:SECRET"]
        api = {{ base_url = "{url}", api_key = "env:API_KEY" }}
        "#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn create_shows_the_key_and_where_to_store_it() {
    let it = It::new().await;
    let output = it
        .run(&["webhooks", "create", "--url", HERE])
        .await
        .succeeded();
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
    let body = &it.made()[0];
    assert_eq!(
        (&body["name"], &body["url"]),
        (&json!("Leaver (bamboohr)"), &json!(HERE))
    );

    let args = [
        "webhooks", "create", "--url", HERE, "--name", "Mine", "--kind", "field", "--json",
    ];
    let output = it.run(&args).await.succeeded();
    assert_eq!(output.json()["private_key"], PRIVATE_KEY);
    assert_eq!(output.json()["id"], "2");
    let body = &it.made()[1];
    assert_eq!(
        (&body["name"], &body["postFields"]["terminationDate"]),
        (&json!("Mine"), &json!("terminationDate"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_completes_the_url_path_or_warns() {
    let it = It::new().await;
    let output = it
        .run(&[
            "webhooks",
            "create",
            "--url",
            "https://leaver.example",
            "--json",
        ])
        .await
        .succeeded();
    assert!(output.err.contains(HERE), "{output:?}");
    assert_eq!(output.json()["url"], HERE);
    let output = it
        .run(&["webhooks", "create", "--url", "https://leaver.example/hr"])
        .await
        .succeeded();
    assert!(output.err.contains("/webhooks/bamboohr"), "{output:?}");
    assert_eq!(it.made()[1]["url"], "https://leaver.example/hr");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_rejects_a_url_without_https() {
    let it = It::new().await;
    for (url, words) in [
        ("http://leaver.example/webhooks/bamboohr", "https://"),
        ("leaver.example", "--url"),
        ("ftp://leaver.example/", "https://"),
        (
            "https://user:secret@leaver.example/webhooks/bamboohr",
            "no user",
        ),
    ] {
        let output = it.run(&["webhooks", "create", "--url", url]).await;
        assert!(!output.err.contains("secret@"), "{output:?}");
        output.failed(&[words, "https://leaver.example.com/webhooks/bamboohr"]);
    }
    assert!(it.api.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn create_skips_hidden_fields_but_requires_status() {
    let it = It::new().await;
    it.hooks.hide("hireDate");
    let output = it
        .run(&["webhooks", "create", "--url", HERE, "--kind", "field"])
        .await
        .succeeded();
    assert!(output.err.contains("hireDate"), "{output:?}");
    let body = &it.made()[0];
    assert_eq!(
        body["monitorFields"],
        json!(["status", "employmentHistoryStatus", "workEmail"])
    );
    assert!(body["postFields"].get("hireDate").is_none(), "{body}");
    it.hooks.hide("status");
    let output = it.run(&["webhooks", "create", "--url", HERE]).await;
    output.failed(&["status", "access level", "api.api_key"]);
    assert_eq!(it.made().len(), 1);
    let fields = it.run(&["webhooks", "fields"]).await.succeeded();
    assert!(
        fields.err.contains("needed but missing: status, hireDate"),
        "{fields:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_names_the_fields_that_bamboohr_rejects() {
    let it = It::new().await;
    let output =
        r#"{"errors":[{"error":"Dana may not","monitorFields":[{"id":7,"name":"workEmail"}]}]}"#;
    it.api.script(
        "/api/v1/webhooks",
        [Answer::text(403, "application/json", output)],
    );
    let output = it.run(&["webhooks", "create", "--url", HERE]).await;
    assert!(!output.err.contains("Dana"), "{output:?}");
    output.failed(&["workEmail", "api.api_key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_listed_shown_and_deleted() {
    let mut it = It::new().await;
    let output = it.run(&["webhooks", "list"]).await.succeeded();
    assert!(output.err.contains("no webhooks"), "{output:?}");
    let ours = it.hooks.add(HERE);
    it.hooks.add("https://other.example/hook?token=hush");
    let output = it.run(&["webhooks", "list", "--json"]).await.succeeded();
    assert_eq!(
        (
            &output.json()[0]["targets_this_service"],
            &output.json()[1]["url"]
        ),
        (&json!(true), &json!("https://other.example/hook"))
    );
    let output = it.run(&["webhooks", "list"]).await.succeeded();
    assert!(
        output.out.contains(HERE) && !output.out.contains("hush"),
        "{output:?}"
    );
    let output = it.run(&["webhooks", "show", &ours]).await.succeeded();
    assert!(output.out.contains("employee.updated"), "{output:?}");
    let output = it
        .run(&["webhooks", "show", &ours, "--json"])
        .await
        .succeeded();
    assert_eq!(output.json()["monitor_fields"], json!(["status"]));
    it.hooks
        .log(&ours, vec![log_entry("2026-11-22 11:58:03", "503", &["4"])]);
    let output = it.run(&["webhooks", "log", &ours]).await.succeeded();
    assert!(
        output.out.contains("503") && output.out.contains("2026-11-22 11:58:03Z"),
        "{output:?}"
    );
    let output = it
        .run(&["webhooks", "log", &ours, "--json"])
        .await
        .succeeded();
    assert_eq!(output.json()[0]["employee_ids"], json!(["4"]));

    let known =
        "INSERT INTO leaver.provider_webhooks (source, webhook_id, name, observed_at, checked_at)
                 SELECT 'bamboohr', n::text, 'x', now(), now() FROM generate_series(1, 9, 8) n";
    it.app.sql(known).await;
    it.run(&["webhooks", "delete", &ours]).await.succeeded();
    let left = "SELECT webhook_id FROM leaver.provider_webhooks";
    assert_eq!(it.app.lines(left).await, ["9"]);
    // One that is gone at BambooHR is forgotten; one known nowhere is an error.
    let output = it
        .run(&["webhooks", "delete", "9", "--json"])
        .await
        .succeeded();
    assert_eq!(
        output.json(),
        json!({"id": "9", "deleted": false, "forgotten": true})
    );
    assert_eq!(it.app.lines(left).await, [""; 0]);
    it.run(&["webhooks", "delete", "9"])
        .await
        .failed(&["webhook 9", "leaver webhooks list"]);
    // A webhook of another user is forgotten as well.
    it.app.sql(known).await;
    it.api.script("/api/v1/webhooks/1", [Answer::status(403)]);
    it.run(&["webhooks", "delete", "1"])
        .await
        .failed(&["another BambooHR user", "no longer monitored"]);
    assert_eq!(it.app.lines(left).await, ["9"]);
    it.run(&["webhooks", "show", "nine"])
        .await
        .failed(&["nine", "digits"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_lists_missing_deliveries_and_reads_employees() {
    let mut it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.hooks.log(&hook, vec![]);
    let output = it.run(&["webhooks", "gaps"]).await.succeeded();
    assert!(output.out.contains("0 deliveries in its log"), "{output:?}");
    it.hooks.log(
        &hook,
        vec![log_entry("2026-11-22 08:00:00", "503", &["2", "4"])],
    );
    let output = it.run(&["webhooks", "gaps", "--json"]).await;
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
    assert_eq!(it.app.active().await.len(), 4);
    // It is still missing; a second read changes nothing.
    let output = it.run(&["webhooks", "gaps", "--webhook", &hook]).await;
    let words = [
        "1 not received",
        "given up",
        "2, 4",
        "2 employees read over the API",
    ];
    output.findings(&words);

    it.api
        .script("/api/v1/webhooks/1/log", [Answer::status(403)]);
    let output = it.run(&["webhooks", "gaps"]).await;
    output.findings(&["webhook 1", "cannot read its log", "another BambooHR user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_checks_its_webhooks_and_health_shows_it() {
    let it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.hooks
        .configure(&hook, "errors", denied(&["status"], &[]));
    let env = [
        ("DATABASE_URL", it.app.url.as_str()),
        ("LEAVER_CONFIG", &it.config),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
        ("SECRET", BAMBOOHR_KEY),
        ("API_KEY", API_KEY),
    ];
    let mut service = RunningService::start(&env);
    service.wait_until_ready();
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
    let it = It::new().await;
    let file = |name: &str, text: &str| {
        let path = it.app.file(name, text);
        path.to_str().unwrap().to_owned()
    };
    let list = |config: String, more: &'static [&'static str]| {
        let mut args = vec![
            "webhooks".to_owned(),
            "list".to_owned(),
            "--config".to_owned(),
            config,
        ];
        args.extend(more.iter().map(ToString::to_string));
        tokio::task::spawn_blocking(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            run(&args, &[("SECRET", BAMBOOHR_KEY), ("API_KEY", API_KEY)])
        })
    };
    let both = source("acme", &it.api.url) + &source("globex", &it.api.url);
    let both = file("both.toml", &both);
    let output = list(both.clone(), &[]).await.unwrap();
    output.failed(&["--source", "acme, globex"]);
    list(both.clone(), &["--source", "acme"])
        .await
        .unwrap()
        .succeeded();
    list(both, &["--source", "initech"])
        .await
        .unwrap()
        .failed(&["initech", "[sources.api]"]);
    let without = file(
        "without.toml",
        &source("acme", &it.api.url).replace("api = ", "# api = "),
    );
    list(without, &[]).await.unwrap().failed(&["[sources.api]"]);
}

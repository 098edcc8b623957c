//! `leaver webhooks`: the real binary against a stand-in for BambooHR.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::apis::{Answer, Asked, StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::hooks::{Hooks, PRIVATE_KEY, denied, log_entry};
use crate::support::process::{Place, Said, Served, leaver};
use crate::support::{BAMBOOHR_KEY, USERS};

const HERE: &str = "https://leaver.example/webhooks/bamboohr";
const API_KEY: &str = "api-key-sentinel";

struct It {
    place: Place,
    api: StandIn,
    hooks: Arc<Hooks>,
    config: String,
}

impl It {
    /// Employee 4 has left.
    async fn new() -> Self {
        let mut place = Place::new(USERS).await;
        place
            .sql("INSERT INTO users (email) SELECT 'dana.' || n || '@widgets.example' FROM generate_series(1, 5) n")
            .await;
        let mut employees: Vec<Value> = (1..=5).map(bamboohr_employee).collect();
        employees[3]["status"] = "Inactive".into();
        employees[3]["employmentHistoryStatus"] = "Terminated".into();
        let hooks = Arc::new(Hooks::default());
        let api = StandIn::start(bamboohr_with_hooks(employees, &hooks)).await;
        let text = source("bamboohr", &api.url);
        let config = place.file("hooks.toml", &text).to_str().unwrap().to_owned();
        let it = Self {
            place,
            api,
            hooks,
            config,
        };
        it.leaver(&["migrate"]).await.good();
        it
    }

    async fn leaver(&self, args: &[&str]) -> Said {
        let mut args: Vec<String> = args.iter().map(ToString::to_string).collect();
        args.extend(["--config".to_owned(), self.config.clone()]);
        let url = self.place.url.clone();
        let said = tokio::task::spawn_blocking(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let env = [
                ("DATABASE_URL", url.as_str()),
                ("SECRET", BAMBOOHR_KEY),
                ("API_KEY", API_KEY),
            ];
            leaver(&args, &env)
        });
        let said = said.await.unwrap();
        assert!(!format!("{said:?}").contains(API_KEY), "{said:?}");
        assert!(!said.err.contains(PRIVATE_KEY), "{said:?}");
        said
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
    let said = it
        .leaver(&["webhooks", "create", "--url", HERE])
        .await
        .good();
    assert_eq!(said.out.matches(PRIVATE_KEY).count(), 1, "{said:?}");
    for words in [
        "BAMBOOHR_WEBHOOK_SECRET",
        "webhook_secrets",
        "restart",
        "keep the old key",
        "[sources.api]",
        "webhook 1 ",
    ] {
        assert!(said.out.contains(words), "no {words:?} in {}", said.out);
    }
    assert_eq!(said.err, "");
    let body = &it.made()[0];
    assert_eq!(
        (&body["name"], &body["url"]),
        (&json!("Leaver (bamboohr)"), &json!(HERE))
    );

    let args = [
        "webhooks", "create", "--url", HERE, "--name", "Mine", "--kind", "field", "--json",
    ];
    let said = it.leaver(&args).await.good();
    assert_eq!(said.json()["private_key"], PRIVATE_KEY);
    assert_eq!(said.json()["id"], "2");
    let body = &it.made()[1];
    assert_eq!(
        (&body["name"], &body["postFields"]["terminationDate"]),
        (&json!("Mine"), &json!("terminationDate"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_completes_the_url_path_or_warns() {
    let it = It::new().await;
    let said = it
        .leaver(&[
            "webhooks",
            "create",
            "--url",
            "https://leaver.example",
            "--json",
        ])
        .await
        .good();
    assert!(said.err.contains(HERE), "{said:?}");
    assert_eq!(said.json()["url"], HERE);
    let said = it
        .leaver(&["webhooks", "create", "--url", "https://leaver.example/hr"])
        .await
        .good();
    assert!(said.err.contains("/webhooks/bamboohr"), "{said:?}");
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
        let said = it.leaver(&["webhooks", "create", "--url", url]).await;
        assert!(!said.err.contains("secret@"), "{said:?}");
        said.failed(&[words, "https://leaver.example.com/webhooks/bamboohr"]);
    }
    assert!(it.api.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn create_skips_hidden_fields_but_requires_status() {
    let it = It::new().await;
    it.hooks.hide("hireDate");
    let said = it
        .leaver(&["webhooks", "create", "--url", HERE, "--kind", "field"])
        .await
        .good();
    assert!(said.err.contains("hireDate"), "{said:?}");
    let body = &it.made()[0];
    assert_eq!(
        body["monitorFields"],
        json!(["status", "employmentHistoryStatus", "workEmail"])
    );
    assert!(body["postFields"].get("hireDate").is_none(), "{body}");
    it.hooks.hide("status");
    let said = it.leaver(&["webhooks", "create", "--url", HERE]).await;
    said.failed(&["status", "access level", "api.api_key"]);
    assert_eq!(it.made().len(), 1);
    let fields = it.leaver(&["webhooks", "fields"]).await.good();
    assert!(
        fields.err.contains("needed but missing: status, hireDate"),
        "{fields:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_names_the_fields_that_bamboohr_rejects() {
    let it = It::new().await;
    let said =
        r#"{"errors":[{"error":"Dana may not","monitorFields":[{"id":7,"name":"workEmail"}]}]}"#;
    it.api.script(
        "/api/v1/webhooks",
        [Answer::text(403, "application/json", said)],
    );
    let said = it.leaver(&["webhooks", "create", "--url", HERE]).await;
    assert!(!said.err.contains("Dana"), "{said:?}");
    said.failed(&["workEmail", "api.api_key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_listed_shown_and_deleted() {
    let mut it = It::new().await;
    let said = it.leaver(&["webhooks", "list"]).await.good();
    assert!(said.err.contains("no webhooks"), "{said:?}");
    let ours = it.hooks.add(HERE);
    it.hooks.add("https://other.example/hook?token=hush");
    let said = it.leaver(&["webhooks", "list", "--json"]).await.good();
    assert_eq!(
        (
            &said.json()[0]["targets_this_service"],
            &said.json()[1]["url"]
        ),
        (&json!(true), &json!("https://other.example/hook"))
    );
    let said = it.leaver(&["webhooks", "list"]).await.good();
    assert!(
        said.out.contains(HERE) && !said.out.contains("hush"),
        "{said:?}"
    );
    let said = it.leaver(&["webhooks", "show", &ours]).await.good();
    assert!(said.out.contains("employee.updated"), "{said:?}");
    let said = it
        .leaver(&["webhooks", "show", &ours, "--json"])
        .await
        .good();
    assert_eq!(said.json()["monitor_fields"], json!(["status"]));
    it.hooks
        .log(&ours, vec![log_entry("2026-11-22 11:58:03", "503", &["4"])]);
    let said = it.leaver(&["webhooks", "log", &ours]).await.good();
    assert!(
        said.out.contains("503") && said.out.contains("2026-11-22 11:58:03Z"),
        "{said:?}"
    );
    let said = it
        .leaver(&["webhooks", "log", &ours, "--json"])
        .await
        .good();
    assert_eq!(said.json()[0]["employee_ids"], json!(["4"]));

    let known =
        "INSERT INTO leaver.provider_webhooks (source, webhook_id, name, observed_at, checked_at)
                 SELECT 'bamboohr', n::text, 'x', now(), now() FROM generate_series(1, 9, 8) n";
    it.place.sql(known).await;
    it.leaver(&["webhooks", "delete", &ours]).await.good();
    let left = "SELECT webhook_id FROM leaver.provider_webhooks";
    assert_eq!(it.place.lines(left).await, ["9"]);
    // One that is gone at BambooHR is forgotten; one known nowhere is an error.
    let said = it
        .leaver(&["webhooks", "delete", "9", "--json"])
        .await
        .good();
    assert_eq!(
        said.json(),
        json!({"id": "9", "deleted": false, "forgotten": true})
    );
    assert_eq!(it.place.lines(left).await, [""; 0]);
    it.leaver(&["webhooks", "delete", "9"])
        .await
        .failed(&["webhook 9", "leaver webhooks list"]);
    // A webhook of another user is forgotten as well.
    it.place.sql(known).await;
    it.api.script("/api/v1/webhooks/1", [Answer::status(403)]);
    it.leaver(&["webhooks", "delete", "1"])
        .await
        .failed(&["another BambooHR user", "no longer monitored"]);
    assert_eq!(it.place.lines(left).await, ["9"]);
    it.leaver(&["webhooks", "show", "nine"])
        .await
        .failed(&["nine", "digits"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_lists_missing_deliveries_and_reads_employees() {
    let mut it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.hooks.log(&hook, vec![]);
    let said = it.leaver(&["webhooks", "gaps"]).await.good();
    assert!(said.out.contains("0 deliveries in its log"), "{said:?}");
    it.hooks.log(
        &hook,
        vec![log_entry("2026-11-22 08:00:00", "503", &["2", "4"])],
    );
    let said = it.leaver(&["webhooks", "gaps", "--json"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let json = said.json();
    assert_eq!(
        json["gaps"],
        json!([{"webhook": "1", "sent_at": "2026-11-22T08:00:00Z", "status": "503", "retry_state": "given_up",
                "employees": ["2", "4"]}])
    );
    assert_eq!(
        json["sync"]["outcome"],
        json!({"deactivated": 1, "kept": 1})
    );
    assert_eq!(it.place.active().await.len(), 4);
    // It is still missing; a second read changes nothing.
    let said = it.leaver(&["webhooks", "gaps", "--webhook", &hook]).await;
    let words = [
        "1 not received",
        "given up",
        "2, 4",
        "2 employees read over the API",
    ];
    said.findings(&words);

    it.api
        .script("/api/v1/webhooks/1/log", [Answer::status(403)]);
    let said = it.leaver(&["webhooks", "gaps"]).await;
    said.findings(&["webhook 1", "cannot read its log", "another BambooHR user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_checks_its_webhooks_and_health_shows_it() {
    let it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.hooks
        .configure(&hook, "errors", denied(&["status"], &[]));
    let env = [
        ("DATABASE_URL", it.place.url.as_str()),
        ("LEAVER_CONFIG", &it.config),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
        ("SECRET", BAMBOOHR_KEY),
        ("API_KEY", API_KEY),
    ];
    let mut served = Served::start(&env);
    served.wait_until_ready();
    served.process.wait_for("provider_webhooks.check: done");
    let (_, _, health) = served.get("/health").await;
    let health: Value = serde_json::from_str(&health).unwrap();
    let shown = &health["sources"]["bamboohr"]["webhooks"][0];
    assert_eq!(
        (&shown["id"], &health["status"]),
        (&json!("1"), &json!("degraded"))
    );
    let log = served.process.err();
    assert!(
        log.contains("provider_webhooks.check: this webhook has a problem")
            && !log.contains(API_KEY),
        "{log}"
    );
    served.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_option_is_needed_only_with_several_sources() {
    let it = It::new().await;
    let file = |name: &str, text: &str| {
        let path = it.place.file(name, text);
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
            leaver(&args, &[("SECRET", BAMBOOHR_KEY), ("API_KEY", API_KEY)])
        })
    };
    let both = source("acme", &it.api.url) + &source("globex", &it.api.url);
    let both = file("both.toml", &both);
    let said = list(both.clone(), &[]).await.unwrap();
    said.failed(&["--source", "acme, globex"]);
    list(both.clone(), &["--source", "acme"])
        .await
        .unwrap()
        .good();
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

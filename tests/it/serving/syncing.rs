//! Services that sync from the providers' APIs: two replicas on one database, and no secret in any output.

use std::fmt::Write;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::apis::{
    Answer, MERGE_EMPLOYEES, StandIn, bamboohr_company, bamboohr_employee, merge_company,
    merge_employee,
};
use crate::support::process::{RunningService, wait_until};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp};

/// The first request of each sync of a linked account.
const FIRST: &str = "/api/hris/v1/account-details";

/// Records each change of `leaver.sync_state`.
const READS: &str = "
    CREATE TABLE reads_told (last_started_at timestamptz NOT NULL, state text NOT NULL);
    CREATE FUNCTION tell_read() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.reads_told VALUES (NEW.last_started_at, NEW.state); RETURN NULL; END $$;
    CREATE TRIGGER tell AFTER INSERT OR UPDATE ON leaver.sync_state
        FOR EACH ROW EXECUTE FUNCTION tell_read();";

fn left(n: usize) -> Value {
    let mut one = merge_employee(n);
    one["employment_status"] = "INACTIVE".into();
    one["termination_date"] = "2026-11-20T00:00:00Z".into();
    one
}

/// A Merge source with one linked account, synced every second.
fn merge_source(name: &str, api: &StandIn) -> String {
    format!(
        r#"
        [[sources]]
        name = "{name}"
        provider = "merge"
        webhook_secrets = ["env:SECRET"]
        linked_accounts = [{{ id = "la-of-{name}", tenant = "widgets", token = "env:TOKEN" }}]
        [sources.api]
        base_url = "{}"
        api_key = "env:API_KEY"
        sync_interval = "1s"
        "#,
        api.url
    )
}

/// A service with this configuration. `key` identifies the replica in requests to the API.
fn serve(app: &TestApp, file: &str, key: &str, more: &[(&str, &str)]) -> RunningService {
    let mut variables = vec![
        ("SECRET", MERGE_KEY),
        ("API_KEY", key),
        ("TOKEN", "account-token-sentinel"),
        ("LEAVER_CONFIG", file),
    ];
    variables.extend(more);
    let mut env = app.env(&variables);
    env.retain(|(name, _)| !name.ends_with("WEBHOOK_SECRET"));
    let mut service = RunningService::start(&env);
    service.wait_until_ready();
    service
}

/// Users 1 to 3.
async fn widgets() -> TestApp {
    let mut app = TestApp::builder().unmigrated().build().await;
    let users = "INSERT INTO users (email) SELECT 'dana.' || n || '@widgets.example' FROM generate_series(1, 3) n";
    app.sql(users).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "the time measured is asked for with --nocapture"
)]
async fn two_replicas_sync_once_and_one_takes_over() {
    let mut app = widgets().await;
    let api = StandIn::start(merge_company((1..=3).map(merge_employee).collect())).await;
    let file = app.file("two.toml", &merge_source("merge", &api));
    let file = file.to_str().unwrap().to_owned();
    app.run(&["migrate"]).succeeded();
    app.sql(READS).await;
    let mut replicas = vec![
        ("Bearer one", serve(&app, &file, "one", &[])),
        ("Bearer two", serve(&app, &file, "two", &[])),
    ];
    let begun = |api: &StandIn| {
        let asked = api.asked();
        asked
            .into_iter()
            .filter(|a| a.path == FIRST)
            .collect::<Vec<_>>()
    };
    wait_until("five reads have begun", || begun(&api).len() >= 5);

    // One replica's sync hangs.
    let never = Answer::status(200).after(Duration::from_mins(10));
    api.script(MERGE_EMPLOYEES, [never]);
    let held = |api: &StandIn| {
        let asked = api.asked();
        let before = asked.iter().rev().take_while(|a| a.path != FIRST);
        let is_held = before.filter(|a| a.path == MERGE_EMPLOYEES).count() == 1
            && asked
                .last()
                .is_some_and(|a| a.at.elapsed() > Duration::from_secs(2));
        is_held.then(|| asked.last().unwrap().header("authorization").to_owned())
    };
    wait_until("a read is held up", || held(&api).is_some());
    let holder = held(&api).unwrap();
    let reads_before = begun(&api);
    let told = "SELECT count(*) FROM reads_told";
    let told_before = usize::try_from(app.count(told).await).unwrap();
    // Each sync that started was due and is recorded, except the one that hangs.
    assert_eq!(reads_before.len(), told_before + 1);
    let too_soon =
        "SELECT count(*) FROM (SELECT last_started_at - lag(last_started_at) OVER (ORDER BY last_started_at) AS since
                    FROM reads_told) AS told WHERE since < interval '1 second'";
    assert_eq!(app.count(too_soon).await, 0);

    let position = replicas.iter().position(|(key, _)| *key == holder).unwrap();
    let (_, mut dies) = replicas.remove(position);
    let killed = Instant::now();
    dies.process.kill();
    wait_until("the other one reads", || {
        begun(&api).len() > reads_before.len()
    });
    let takes_over = begun(&api)[reads_before.len()].clone();
    assert_eq!(takes_over.header("authorization"), replicas[0].0);
    let after = takes_over.at.into_std() - killed;
    println!("taken over {after:?} after the kill");
    assert!(after < Duration::from_secs(10), "{after:?}");
    let complete = format!(
        "SELECT ((count(*) > {told_before}) AND bool_and(state = 'complete'))::int::bigint FROM reads_told"
    );
    app.wait_for_count(1, &complete).await;
    assert_eq!(app.active().await.len(), 3);
    replicas.remove(0).1.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syncing_service_leaks_no_key_or_token() {
    let mut app = widgets().await;
    let good = StandIn::start(merge_company(vec![left(1), merge_employee(2)])).await;
    let refused = StandIn::always(Answer::status(401)).await;
    let page = Answer::text(200, "text/html", "<html>answer-sentinel</html>");
    let elsewhere = StandIn::always(page).await;
    let mut one = bamboohr_employee(3);
    one["status"] = "Inactive".into();
    one["employmentHistoryStatus"] = "Terminated".into();
    let company = StandIn::start(bamboohr_company(vec![one])).await;
    company.script("/api/v1/employees/changed", [Answer::status(503)]);
    company.script(
        "/api/v1/employees/3",
        [Answer::status(500), Answer::status(403)],
    );
    let mut text = [
        ("good", &good),
        ("refused", &refused),
        ("elsewhere", &elsewhere),
    ]
    .map(|(name, api)| merge_source(name, api))
    .concat();
    let _ = write!(
        text,
        r#"
        [[sources]]
        name = "bamboohr"
        provider = "bamboohr"
        webhook_secrets = ["env:SECRET"]
        [sources.api]
        base_url = "{}"
        api_key = "env:API_KEY"
        sync_interval = "1s"
        "#,
        company.url
    );
    let file = app.file("secrets.toml", &text);
    let file = file.to_str().unwrap().to_owned();
    let key = "api-key-sentinel";
    let service = serve(&app, &file, key, &[("LEAVER_LOG", "trace")]);
    // An event without values makes the service read the employee.
    let thin = json!({"type": "employee.updated", "timestamp": "2026-11-22T11:00:00Z",
                      "data": {"employeeId": "3", "changedFields": ["status"]}});
    post(&service, &thin.to_string()).await;
    app.wait_for_count(2, "SELECT count(*) FROM users WHERE NOT is_active")
        .await;
    let states = "SELECT count(*) FROM leaver.sync_state WHERE (state = 'complete') = (source IN ('good', 'bamboohr'))";
    app.wait_for_count(4, states).await;
    wait_until("the refused one was left alone", || {
        refused.asked().len() == 1
    });

    let health = service.get("/health").await.2;
    assert!(
        health.contains("credentials") && health.contains("not the API"),
        "{health}"
    );
    let metrics = service.get("/metrics").await.2;
    let kept = app
        .lines("SELECT coalesce(reason, '') FROM leaver.sync_state UNION ALL SELECT coalesce(reason, '') FROM leaver.pending_reads")
        .await;
    let output = service.stop();
    assert!(
        output.err.contains("TRACE") && output.err.contains("connect.attempt: finished"),
        "{}",
        output.err
    );
    let basic = BASE64_STANDARD.encode(format!("{key}:x"));
    for text in [
        &output.err,
        &output.out,
        &health,
        &metrics,
        &kept.join("\n"),
    ] {
        for secret in [
            key,
            "account-token-sentinel",
            "answer-sentinel",
            basic.as_str(),
            MERGE_KEY,
            BAMBOOHR_KEY,
            "Ruiz",
        ] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret}");
        }
    }
}

/// Sends a signed BambooHR delivery.
async fn post(service: &RunningService, body: &str) {
    use leaver::base::clock::Clock;
    let key = leaver_core::signature::Key::new(&MERGE_KEY.into()).unwrap();
    let scheme = leaver_core::signature::Scheme::BambooHr {
        keys: vec![key],
        timestamp_tolerance: chrono::TimeDelta::hours(3),
        layout: leaver_core::signature::Layout::BodyThenTimestamp,
    };
    let mut request = leaver::connect::client::new(Duration::from_secs(10))
        .unwrap()
        .post(format!("{}/webhooks/bamboohr", service.url))
        .header("content-type", "application/json");
    for (name, value) in scheme.sign(body.as_bytes(), leaver::base::clock::SystemClock.now()) {
        request = request.header(name, value);
    }
    let answer = request.body(body.to_owned()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

//! Services that sync from the providers' APIs: two replicas on one database, and no secret in any output.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::support::apis::{
    Answer, MERGE_EMPLOYEES, StandIn, bamboohr_company, merge_company, merge_employee,
};
use crate::support::apis_setup::{
    SINGLE_COMPANY, source_with_api, terminated_bamboohr_employee, terminated_merge_employee,
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

/// Returns a source that is synced every second.
fn frequent_source(name: &str, provider: &str, api: &StandIn) -> String {
    source_with_api(name, provider, api) + "sync_interval = \"1s\"\n"
}

/// Returns an app with these sources and the users 1 to 3.
async fn app(sources: &str) -> TestApp {
    let secrets = [
        ("SECRET", MERGE_KEY),
        ("API_KEY", "api-key-sentinel"),
        ("TOKEN", "account-token-sentinel"),
    ];
    let mut app = TestApp::builder()
        .config_file(sources, &secrets)
        .build()
        .await;
    app.add_employees_users(1..=3).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "the time measured is asked for with --nocapture"
)]
async fn two_replicas_sync_once_and_one_takes_over() {
    let api = StandIn::start(merge_company((1..=3).map(merge_employee).collect())).await;
    let mut app = app(&frequent_source("merge", "merge", &api)).await;
    app.sql(READS).await;
    let mut replicas = vec![
        ("Bearer one", app.serve(&[("API_KEY", "one")])),
        ("Bearer two", app.serve(&[("API_KEY", "two")])),
    ];
    let begun = |api: &StandIn| {
        let asked = api.requests();
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
        let asked = api.requests();
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
    let good = StandIn::start(merge_company(vec![
        terminated_merge_employee(1),
        merge_employee(2),
    ]))
    .await;
    let refused = StandIn::always(Answer::status(401)).await;
    let page = Answer::text(200, "text/html", "<html>answer-sentinel</html>");
    let elsewhere = StandIn::always(page).await;
    let company = StandIn::start(bamboohr_company(vec![terminated_bamboohr_employee(3)])).await;
    company.script("/api/v1/employees/changed", [Answer::status(503)]);
    company.script(
        "/api/v1/employees/3",
        [Answer::status(500), Answer::status(403)],
    );
    let sources = [
        ("good", "merge", &good),
        ("refused", "merge", &refused),
        ("elsewhere", "merge", &elsewhere),
        ("bamboohr", "bamboohr", &company),
    ]
    .map(|(name, provider, api)| frequent_source(name, provider, api))
    .concat();
    let mut app = app(&format!("{SINGLE_COMPANY}{sources}")).await;
    let service = app.serve(&[("LEAVER_LOG", "trace")]);
    // An event without values makes the service read the employee.
    let thin = json!({"type": "employee.updated", "timestamp": "2026-11-22T11:00:00Z",
                      "data": {"employeeId": "3", "changedFields": ["status"]}});
    post(&service, &thin.to_string()).await;
    app.wait_for_count(2, "SELECT count(*) FROM users WHERE NOT is_active")
        .await;
    let states = "SELECT count(*) FROM leaver.sync_state WHERE (state = 'complete') = (source IN ('good', 'bamboohr'))";
    app.wait_for_count(4, states).await;
    wait_until("the refused one was left alone", || {
        refused.requests().len() == 1
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
    let basic = BASE64_STANDARD.encode("api-key-sentinel:x");
    for text in [
        &output.err,
        &output.out,
        &health,
        &metrics,
        &kept.join("\n"),
    ] {
        for secret in [
            "api-key-sentinel",
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
    // The source is the fourth that the test configures.
    let key = format!("{MERGE_KEY}-4");
    let key = leaver_core::signature::Key::new(&key.as_str().into()).unwrap();
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

//! `source.silent` and `source.unhealthy`: once when a problem begins.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::provider_webhooks::monitor::WebhookMonitor;
use leaver::jobs::source_silence::{SilenceMonitor, SilenceThreshold};
use leaver::jobs::sync::pending_reads::PendingReader;
use leaver::jobs::sync::{SyncMode, SyncSource, Syncer};
use leaver_core::domain::SourceName;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::assert_like_example;
use crate::support::apis::{Answer, StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::{event, working};
use crate::support::hooks::{Hooks, log_entry};
use crate::support::{BAMBOOHR_KEY, TestApp};

const CHANGED: &str = "/api/v1/employees/changed";

async fn silence_checked(app: &TestApp) {
    let thresholds = ["bamboohr", "merge"].map(|name| SilenceThreshold {
        source: SourceName::parse(name).unwrap(),
        after: Some(Duration::from_hours(72)),
    });
    let monitor = SilenceMonitor::new(Arc::clone(&app.parts.engine), thresholds.to_vec());
    monitor.check(&mut HashSet::new()).await.unwrap();
}

/// Returns the recorded events as `type source code`.
async fn shown(app: &mut TestApp) -> Vec<String> {
    let events = app.events().await;
    let shown = |event: &Value| {
        assert_like_example(event);
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let parts = [&event["type"], &event["source"], &event["data"]["code"]];
        parts.map(text).join(" ")
    };
    events.iter().map(shown).collect()
}

#[tokio::test]
async fn a_silence_is_reported_once_by_all_replicas() {
    let mut app = TestApp::builder().wanting("source.*").build().await;
    let replica = app.beside(&["bamboohr", "merge"], &[]).await;
    silence_checked(&app).await;
    assert_eq!(shown(&mut app).await, [""; 0]);
    app.advance(TimeDelta::hours(73));
    for _ in 0..2 {
        silence_checked(&app).await;
        silence_checked(&replica).await;
    }
    let both = ["source.silent bamboohr -", "source.silent merge -"];
    assert_eq!(shown(&mut app).await, both);

    let time = app.clock_text();
    app.bamboohr(&[working("1", "ana@example.com", &time)])
        .await;
    silence_checked(&app).await;
    app.advance(TimeDelta::hours(73));
    silence_checked(&replica).await;
    silence_checked(&app).await;
    let again = [&both[..], &["source.silent bamboohr -"]].concat();
    assert_eq!(shown(&mut app).await, again);
    let last = app.events().await.pop().unwrap();
    assert_eq!(last["data"]["since"], time);
}

struct SourceTest {
    app: TestApp,
    api: StandIn,
    hooks: Arc<Hooks>,
    company: SyncSource,
}

impl SourceTest {
    /// A BambooHR company with an API.
    async fn new() -> Self {
        let hooks = Arc::new(Hooks::default());
        let employees = (1..=3).map(bamboohr_employee).collect();
        let api = StandIn::start(bamboohr_with_hooks(employees, &hooks)).await;
        let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "api-key")];
        let config = source_with_api("bamboohr", "bamboohr", &api);
        let app = TestApp::builder().config_file(&config, &secrets);
        let app = app.wanting("source.*").build().await;
        let company = app.sync_sources(1).remove(0);
        Self {
            app,
            api,
            hooks,
            company,
        }
    }

    async fn sync(&mut self) {
        // Later than the block of refused credentials.
        self.sync_after(TimeDelta::minutes(20)).await;
    }

    async fn sync_after(&mut self, time: TimeDelta) {
        self.app.advance(time);
        let syncer = Syncer::new(Arc::clone(&self.app.parts.engine));
        let reading = syncer.sync(&self.company, SyncMode::Incremental, &|_, _| {});
        reading.await.unwrap().unwrap();
    }

    async fn check_webhooks(&mut self) {
        self.app.advance(TimeDelta::hours(25));
        let monitor = WebhookMonitor::new(Arc::clone(&self.app.parts.engine));
        monitor.check(&self.company).await.unwrap();
    }
}

#[tokio::test]
async fn an_incomplete_read_is_reported_once() {
    let mut test = SourceTest::new().await;
    test.sync().await;
    assert_eq!(shown(&mut test.app).await, [""; 0]);
    for _ in 0..2 {
        test.api.script(CHANGED, vec![Answer::status(404)]);
        test.sync().await;
    }
    let incomplete = "source.unhealthy bamboohr sync_incomplete";
    assert_eq!(shown(&mut test.app).await, [incomplete]);
    let refused = "source.unhealthy bamboohr credentials_refused";
    test.api.script(CHANGED, vec![Answer::status(401)]);
    test.sync().await;
    assert_eq!(shown(&mut test.app).await, [incomplete, refused]);
    test.sync().await;
    assert_eq!(
        test.app
            .count("SELECT count(*) FROM leaver.outbox_problems")
            .await,
        0
    );
    test.api.script(CHANGED, vec![Answer::status(404)]);
    test.sync().await;
    assert_eq!(
        shown(&mut test.app).await,
        [incomplete, refused, incomplete]
    );
}

#[tokio::test]
async fn one_lasting_problem_is_reported_once_for_each_code() {
    let mut test = SourceTest::new().await;
    let refused = "source.unhealthy bamboohr credentials_refused";
    for _ in 0..2 {
        test.api.script(CHANGED, vec![Answer::status(401)]);
        test.sync().await;
        // No request is sent so soon.
        test.sync_after(TimeDelta::minutes(1)).await;
        assert_eq!(shown(&mut test.app).await, [refused]);
    }
    let incomplete = "source.unhealthy bamboohr sync_incomplete";
    for status in [404, 401, 404] {
        test.api.script(CHANGED, vec![Answer::status(status)]);
        test.sync().await;
        assert_eq!(shown(&mut test.app).await, [refused, incomplete]);
    }
}

#[tokio::test]
async fn refused_credentials_of_a_single_read_are_reported_once() {
    let mut test = SourceTest::new().await;
    let changed = event("employee.updated", "1", "2026-11-22T11:00:00Z");
    test.app.deliver("bamboohr", &changed).await;
    let engine = Arc::clone(&test.app.parts.engine);
    let companies = std::slice::from_ref(&test.company);
    let reader = PendingReader::new(engine, companies, Duration::from_hours(1));
    for _ in 0..2 {
        test.api
            .script("/api/v1/employees/1", vec![Answer::status(401)]);
        test.app.advance(TimeDelta::minutes(20));
        reader.read_due(&CancellationToken::new()).await.unwrap();
    }
    let refused = "source.unhealthy bamboohr credentials_refused";
    assert_eq!(shown(&mut test.app).await, [refused]);
}

#[tokio::test]
async fn a_webhook_with_a_problem_is_reported_once() {
    let mut test = SourceTest::new().await;
    let hook = test.hooks.add("https://leaver.example/webhooks/bamboohr");
    test.check_webhooks().await;
    assert_eq!(shown(&mut test.app).await, [""; 0]);
    let refused = log_entry("2026-11-23 11:58:03", "401", &["1"]);
    test.hooks.log(&hook, vec![refused]);
    for _ in 0..2 {
        test.check_webhooks().await;
    }
    let problem = "source.unhealthy bamboohr provider_webhook_problem";
    assert_eq!(shown(&mut test.app).await, [problem]);
    let last = test.app.events().await.pop().unwrap();
    assert_eq!(last["data"]["part"], hook);
}

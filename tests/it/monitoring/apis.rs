//! Faults of a provider's API and of the webhooks that it lists.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::server::Prometheus;
use super::{ago, send};
use crate::support::apis::{Answer, StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::event;
use crate::support::hooks::{Hooks, denied};
use crate::support::{BAMBOOHR_KEY, TestApp};

const HERE: &str = "https://leaver.example/webhooks/bamboohr";

#[tokio::test]
async fn faults_of_a_provider_api_fire_their_alerts() {
    let (hooks, is_refusing) = (Arc::new(Hooks::default()), Arc::new(AtomicBool::new(false)));
    let hook = hooks.add(HERE);
    let api = {
        let usual = bamboohr_with_hooks((1..=3).map(bamboohr_employee).collect(), &hooks);
        let is_refusing = Arc::clone(&is_refusing);
        StandIn::start(move |request| {
            if is_refusing.load(Ordering::Relaxed) {
                return Answer::status(401);
            }
            usual(request)
        })
        .await
    };
    let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "api-key")];
    let config = source_with_api("bamboohr", "bamboohr", &api) + "sync_interval = \"1s\"\n";
    let mut app = TestApp::builder()
        .config_file(&config, &secrets)
        .build()
        .await;
    app.add_employees_users(1..=3).await;
    let service = app.serve(&[]);
    let prometheus = Prometheus::start(&[&service.admin_url]);
    prometheus
        .wait_for("leaver_last_sync_age_seconds <= 2")
        .await;
    prometheus.assert_quiet(1).await;

    // A machine that died keeps the lock: nobody reads.
    app.wait_for_count(
        1,
        "SELECT pg_try_advisory_lock(hashtextextended('leaver.reads bamboohr', 0))::int::bigint",
    )
    .await;
    prometheus.wait_for_alerts(&["LeaverSyncStale"]).await;
    assert!(!prometheus.names().await.contains("LeaverSyncIncomplete"));
    // The same lock of the drift check, for four hours.
    app.wait_for_count(1, "SELECT count(*) FROM leaver.drift")
        .await;
    app.wait_for_count(
        1,
        "SELECT pg_try_advisory_lock(hashtextextended('leaver.drift', 0))::int::bigint",
    )
    .await;
    app.sql("UPDATE leaver.drift SET checked_at = checked_at - interval '4 hours'")
        .await;
    prometheus.wait_for_alerts(&["LeaverDriftCheckStale"]).await;
    app.sql("SELECT pg_advisory_unlock_all()").await;

    is_refusing.store(true, Ordering::Relaxed);
    send(
        &app,
        &service,
        "bamboohr",
        &event("employee.updated", "2", &ago(5)),
    );
    prometheus
        .wait_for_alerts(&["LeaverSyncIncomplete", "LeaverPendingReadsFailing"])
        .await;
    is_refusing.store(false, Ordering::Relaxed);

    // The check of the next day, by a replica that has just started.
    hooks.configure(&hook, "errors", denied(&["status"], &[]));
    app.sql("UPDATE leaver.source_status SET webhooks_checked_at = webhooks_checked_at - interval '1 day'")
        .await;
    let replica = app.serve(&[]);
    prometheus
        .wait_for_alerts(&["LeaverProviderWebhookUnhealthy"])
        .await;
    replica.stop();
    service.stop();
}

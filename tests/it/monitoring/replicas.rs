//! Two replicas that share a database: an alert about shared state fires once.

use super::server::Prometheus;
use super::{ago, send};
use crate::support::TestApp;
use crate::support::driving::merge_record;

#[tokio::test]
async fn shared_state_fires_one_alert_for_two_replicas() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    let (one, other) = (app.serve(&[]), app.serve(&[]));
    let prometheus = Prometheus::start(&[&one.admin_url, &other.admin_url]);
    prometheus.assert_quiet(2).await;
    let undated = merge_record("m1", "dana@example.com", &ago(60), "INACTIVE", None);
    send(&app, &one, "merge", &undated);
    prometheus.wait_for_alerts(&["LeaverHoldsWaiting"]).await;
    prometheus
        .wait_for("count(leaver_holds_open == 1) == 2")
        .await;
    let firing = prometheus.firing().await;
    assert_eq!(firing.len(), 1, "{firing:?}");
    // One of them stops, and the other one still answers.
    one.stop();
    prometheus.wait_for_alerts(&["LeaverDown"]).await;
    let names = prometheus.names().await;
    assert!(!names.contains("LeaverAbsent"), "{names:?}");
    other.stop();
}

//! Faults of the process: it is stopped, or starts again and again.

use super::server::Prometheus;
use crate::support::TestApp;

#[tokio::test]
async fn a_stopped_and_a_restarting_service_fire_their_alerts() {
    let app = TestApp::new().await;
    let service = app.serve(&[]);
    let admin = service.admin_url.clone();
    let address = admin.trim_start_matches("http://").to_owned();
    let prometheus = Prometheus::start(&[&admin]);
    prometheus.assert_quiet(1).await;
    service.stop();
    prometheus
        .wait_for_alerts(&["LeaverDown", "LeaverAbsent"])
        .await;
    for restarts in 1..=3 {
        let again = app.serve(&[("LEAVER_ADMIN_LISTEN", &address)]);
        let scraped = format!("changes(process_start_time_seconds[1h]) == {restarts}");
        prometheus.wait_for(&scraped).await;
        let firing = prometheus.names().await;
        assert!(
            restarts == 3 || !firing.contains("LeaverRestarting"),
            "{firing:?}"
        );
        if restarts == 3 {
            prometheus.wait_for_alerts(&["LeaverRestarting"]).await;
        }
        again.stop();
    }
}

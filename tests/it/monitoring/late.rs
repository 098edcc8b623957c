//! A users table that is gone for longer than a minute. Health calls nothing late before, so this test takes as long.

use super::server::Prometheus;
use super::{ago, send};
use crate::support::TestApp;
use crate::support::driving::{merge_record, terminated};
use crate::support::employees;

#[tokio::test]
async fn a_users_table_gone_for_a_minute_fires_its_alerts() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com", "tom@example.com"])
        .await;
    let service = app.serve(&[]);
    let prometheus = Prometheus::start(&[&service.admin_url]);
    prometheus.assert_quiet(1).await;

    let end = ago(-5);
    let tom = merge_record("m1", "tom@example.com", &ago(60), "ACTIVE", Some(&end));
    send(&app, &service, "merge", &tom);
    app.wait_until_processed().await;
    let scheduled = "SELECT count(*) FROM leaver.employees WHERE access_ends_at IS NOT NULL";
    app.wait_for_count(1, scheduled).await;
    app.sql("ALTER TABLE users RENAME TO people").await;
    let dana = terminated("7", "dana@example.com", &ago(60));
    send(&app, &service, "bamboohr", &employees(&[dana]));
    prometheus.wait_for_alerts(&["LeaverBacklogOld"]).await;
    assert!(!prometheus.names().await.contains("LeaverScheduleLate"));
    prometheus
        .wait_for_alerts(&["LeaverScheduleLate", "LeaverWorkerStalled"])
        .await;
    app.sql("ALTER TABLE people RENAME TO users").await;
    prometheus
        .wait_for(r#"absent(ALERTS{alertstate="firing"})"#)
        .await;
    service.stop();
}

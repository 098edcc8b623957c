//! Faults of deliveries and decisions, each caused in one running service: its alert fires, and no other.

use std::collections::BTreeSet;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::server::Prometheus;
use super::{ago, request, send, series};
use crate::support::driving::{merge_record, terminated};
use crate::support::process::RunningService;
use crate::support::{TestApp, employee, employees};

const SETTINGS: [(&str, &str); 8] = [
    ("LEAVER__SAFEGUARD__HOUR__FLOOR", "3"),
    ("LEAVER__SAFEGUARD__HOUR__PERCENT", "1"),
    ("LEAVER__SAFEGUARD__DAY__FLOOR", "3"),
    ("LEAVER__SAFEGUARD__DAY__PERCENT", "1"),
    ("LEAVER__DRIFT__INTERVAL", "1s"),
    ("LEAVER__SERVER__MAX_BODY", "1MiB"),
    ("LEAVER__SERVER__MAX_IN_FLIGHT_BYTES", "8MiB"),
    (
        "LEAVER_ADMIN_TOKEN",
        "monitoring-token-of-thirty-two-characters",
    ),
];

fn leaver(n: usize) -> serde_json::Value {
    terminated(&n.to_string(), &format!("p{n}@example.com"), &ago(60))
}

/// Requests that Leaver refuses, and the alerts about them.
async fn refuse_requests(service: &RunningService, prometheus: &Prometheus) {
    for _ in 0..12 {
        let forged = request(service, "POST", "/webhooks/merge", b"{}".to_vec()).await;
        assert_eq!(forged, 401);
        let unknown = request(service, "GET", "/api/v1/employees", vec![]).await;
        assert!([401, 429].contains(&unknown), "{unknown}");
    }
    assert_eq!(
        request(service, "GET", "/webhooks/bamboohr", vec![]).await,
        405
    );
    let large = vec![b' '; 2 << 20];
    assert_eq!(
        request(service, "POST", "/webhooks/bamboohr", large).await,
        413
    );
    assert_eq!(
        request(service, "POST", "/webhooks/bambohr", vec![]).await,
        404
    );
    let expected = [
        "LeaverSignatureFailures",
        "LeaverDeliveriesRefused",
        "LeaverAdminTokenRefused",
        "LeaverDeliveriesLost",
        "LeaverWebhookPathUnknown",
    ];
    prometheus.wait_for_alerts(&expected).await;
}

/// Deliveries that cannot be read or carried out, and the alerts about them.
async fn decide(app: &mut TestApp, service: &RunningService, prometheus: &Prometheus) {
    let unmapped = json!({"employee_status": "Inactive"});
    let unmapped = employee("99", &ago(60), &["employee_status"], &unmapped);
    send(app, service, "bamboohr", &employees(&[unmapped]));
    send(app, service, "bamboohr", &json!({"nothing": "known"}));
    prometheus
        .wait_for_alerts(&["LeaverDegraded", "LeaverDeliveriesFailed"])
        .await;

    // Reactivated by hand.
    send(app, service, "bamboohr", &employees(&[leaver(1)]));
    app.wait_until_processed().await;
    app.sql("UPDATE users SET is_active = true WHERE email = 'p1@example.com'")
        .await;
    prometheus.wait_for_alerts(&["LeaverDriftFound"]).await;

    // Merge's status without a date.
    let undated = merge_record("m2", "p2@example.com", &ago(60), "INACTIVE", None);
    send(app, service, "merge", &undated);
    prometheus.wait_for_alerts(&["LeaverHoldsWaiting"]).await;

    app.refuse_to_change(&[3], "P0001").await;
    send(app, service, "bamboohr", &employees(&[leaver(3)]));
    prometheus
        .wait_for_alerts(&["LeaverDeactivationsBlocked"])
        .await;

    let many: Vec<_> = (4..=10).map(leaver).collect();
    send(app, service, "bamboohr", &employees(&many));
    prometheus
        .wait_for_alerts(&["LeaverSafeguardTripped"])
        .await;
}

/// Sends the beginnings of more bodies than fit into memory, and waits for the alert.
async fn crowd(service: &RunningService, prometheus: &Prometheus) {
    let mut clients = vec![];
    for _ in 0..20 {
        let mut client = TcpStream::connect(service.address()).await.unwrap();
        let head = "POST /webhooks/merge HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n";
        let half = format!("{head}{}", "x".repeat(900_000));
        // The service may close the connection meanwhile.
        let _ = client.write_all(half.as_bytes()).await;
        clients.push(client);
    }
    prometheus.wait_for_alerts(&["LeaverClientsRejected"]).await;
}

#[tokio::test]
async fn faults_of_deliveries_and_decisions_fire_their_alerts() {
    let mut app = TestApp::builder().settings(&SETTINGS).build().await;
    let emails: Vec<String> = (1..=10).map(|n| format!("p{n}@example.com")).collect();
    app.add_users(&emails.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let service = app.serve(&[]);
    let before = series(&service).await;
    let prometheus = Prometheus::start(&[&service.admin_url]);
    prometheus.assert_quiet(1).await;

    refuse_requests(&service, &prometheus).await;
    decide(&mut app, &service, &prometheus).await;
    let expected: BTreeSet<String> = [
        "LeaverAdminTokenRefused",
        "LeaverDeactivationsBlocked",
        "LeaverDegraded",
        "LeaverDeliveriesFailed",
        "LeaverDeliveriesLost",
        "LeaverDriftFound",
        "LeaverHoldsWaiting",
        "LeaverSafeguardTripped",
        "LeaverSignatureFailures",
        "LeaverWebhookPathUnknown",
    ]
    .map(str::to_owned)
    .into();
    // A good delivery of Merge has ended `LeaverDeliveriesRefused`.
    assert_eq!(prometheus.names().await, expected);
    crowd(&service, &prometheus).await;

    let after = series(&service).await;
    let new: Vec<&String> = after.difference(&before).collect();
    assert!(new.is_empty(), "absent before their first event: {new:#?}");
    // A source that sends nothing for longer than it may.
    let silent = app.serve(&[("LEAVER__POLICY__MAX_SILENCE", "1s")]);
    prometheus.watch(&[&service.admin_url, &silent.admin_url]);
    prometheus.wait_for_alerts(&["LeaverSourceSilent"]).await;
}

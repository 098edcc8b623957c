//! Traces as a collector receives them: joined spans of receiving, processing and reading, and no personal data.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{ago, send};
use crate::support::apis::{Answer, StandIn, bamboohr_company, bamboohr_employee};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::{event, terminated};
use crate::support::process::WAIT_LIMIT;
use crate::support::{BAMBOOHR_KEY, TestApp, employees};

/// Long enough that no time contains it by chance.
const EMPLOYEE: usize = 774_120_953;
const TOKEN: &str = "Bearer token-of-the-collector";

/// Returns the spans that a collector has received.
fn spans(collector: &StandIn) -> Vec<Value> {
    let requests = collector.requests().into_iter();
    requests
        .flat_map(|request| {
            assert_eq!(request.path, "/v1/traces");
            assert_eq!(request.header("content-type"), "application/json");
            let resource = request.json()["resourceSpans"][0].clone();
            let scope = resource["scopeSpans"][0].clone();
            scope["spans"].as_array().unwrap().clone()
        })
        .collect()
}

/// Waits until a span of this name has arrived.
async fn wait_for_span(collector: &StandIn, name: &str) -> Value {
    let began = Instant::now();
    loop {
        let spans = spans(collector);
        if let Some(span) = spans.iter().find(|span| span["name"] == name) {
            return span.clone();
        }
        assert!(began.elapsed() < WAIT_LIMIT, "no {name} in {spans:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    let value = &found.unwrap_or_else(|| panic!("no {key} in {span}"))["value"];
    let text = value["stringValue"].as_str().or(value["intValue"].as_str());
    text.unwrap().to_owned()
}

fn links(span: &Value) -> Vec<(&Value, &Value)> {
    let links = span["links"].as_array().unwrap().iter();
    links
        .map(|link| (&link["traceId"], &link["spanId"]))
        .collect()
}

fn is_child(span: &Value, parent: &Value) -> bool {
    span["traceId"] == parent["traceId"] && span["parentSpanId"] == parent["spanId"]
}

#[tokio::test]
async fn spans_of_a_delivery_are_joined_and_impersonal() {
    let collector = StandIn::always(Answer::json(&serde_json::json!({}))).await;
    let api = StandIn::start(bamboohr_company(vec![bamboohr_employee(EMPLOYEE)])).await;
    let secrets = [
        ("SECRET", BAMBOOHR_KEY),
        ("API_KEY", "api-key"),
        ("TOKEN", TOKEN),
    ];
    let config = format!(
        "{}\n[traces]\nendpoint = \"{}\"\nheaders = {{ authorization = \"env:TOKEN\" }}\n",
        source_with_api("bamboohr", "bamboohr", &api),
        collector.url
    );
    let mut app = TestApp::builder()
        .config_file(&config, &secrets)
        .build()
        .await;
    app.add_employees_users(EMPLOYEE..=EMPLOYEE).await;
    let service = app.serve(&[("LEAVER_LOG_FORMAT", "json"), ("LEAVER_LOG", "debug")]);
    let sync = wait_for_span(&collector, "sync").await;
    let requests = spans(&collector);
    assert!(requests.iter().any(|span| is_child(span, &sync)));

    // Later than the sync, whose values would make a read needless.
    let changed = event("employee.updated", &EMPLOYEE.to_string(), &ago(-1));
    send(&app, &service, "bamboohr", &changed);
    let id = app
        .text("SELECT id::text FROM leaver.deliveries")
        .await
        .unwrap();
    let trace_id = id.replace('-', "");
    let receive = wait_for_span(&collector, "POST /webhooks/{source}").await;
    assert_eq!(receive["traceId"], *trace_id);
    assert_eq!(attribute(&receive, "leaver.outcome"), "stored");
    assert_eq!(receive["kind"], 2);

    let process = wait_for_span(&collector, "process delivery").await;
    assert!(is_child(&process, &receive), "{process}");
    let batch = wait_for_span(&collector, "process batch").await;
    assert_eq!(links(&process), [(&batch["traceId"], &batch["spanId"])]);
    let received = (&receive["traceId"], &receive["spanId"]);
    assert_eq!(links(&batch), [received]);

    let read = wait_for_span(&collector, "read employee").await;
    assert!(is_child(&read, &receive), "{read}");
    assert_eq!(links(&read), [received]);
    let all = spans(&collector);
    let request = all.iter().find(|span| is_child(span, &read));
    let request = request.expect("a request of the read");
    assert_eq!(
        (&request["name"], &request["kind"]),
        (&"GET".into(), &3.into())
    );
    assert_eq!(attribute(request, "http.response.status_code"), "200");
    for span in &all {
        let nanos = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
        assert!(
            nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"),
            "{span}"
        );
    }

    for request in collector.requests() {
        assert_eq!(request.header("authorization"), TOKEN);
        let text = String::from_utf8(request.body.to_vec())
            .unwrap()
            .to_lowercase();
        for personal in [
            "774120953",
            "dana",
            "ruiz",
            "widgets.example",
            "api-key",
            "token-of",
        ] {
            assert!(!text.contains(personal), "{personal} in {text}");
        }
    }
    let sent = service.get("/metrics").await.2;
    assert!(sent.contains("leaver_trace_spans_total{outcome=\"failed\"} 0"));
    let log = service.stop().err;
    assert!(!log.contains("token-of-the-collector"));
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_trace = |line: &&Value| line["span"]["trace_id"] == *trace_id;
    let processed = lines.iter().filter(of_trace);
    let processed = processed.filter(|line| line["span"]["name"] == "deliveries.process");
    assert_eq!(processed.count(), 1, "{log}");
    // Attempts of requests to the API are logged within their trace.
    let attempts = lines.iter().filter(of_trace);
    assert!(
        attempts
            .filter(|line| line["span"]["name"] == "trace")
            .count()
            > 0
    );
}

/// Starts a service that sends its spans there, and returns how long a delivery took.
async fn deliver_with(endpoint: &str) -> (TestApp, crate::support::process::RunningService) {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    let service = app.serve(&[("LEAVER__TRACES__ENDPOINT", endpoint)]);
    let dana = terminated("7", "dana@example.com", &ago(60));
    send(&app, &service, "bamboohr", &employees(&[dana]));
    app.wait_until_processed().await;
    assert!(!app.is_active("dana@example.com").await);
    (app, service)
}

#[tokio::test]
async fn a_collector_that_fails_delays_nothing() {
    let refusing = StandIn::always(Answer::status(503)).await;
    let silent = StandIn::start(|_| Answer::status(200).after(Duration::from_mins(10))).await;
    for endpoint in [&refusing.url, &silent.url, "http://127.0.0.1:1"] {
        let (_app, mut service) = deliver_with(endpoint).await;
        service.process.wait_for("traces.export: cannot send spans");
        let text = service.get("/metrics").await.2;
        let failed = text
            .lines()
            .find_map(|line| line.strip_prefix("leaver_trace_spans_total{outcome=\"failed\"} "));
        assert!(failed.unwrap().parse::<u64>().unwrap() >= 1, "{text}");
        let log = service.stop().err;
        assert!(!log.contains("a job did not end"), "{log}");
    }
}

#[tokio::test]
async fn traces_are_off_without_an_endpoint_and_errors_name_keys() {
    let app = TestApp::new().await;
    let service = app.serve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]);
    let dana = terminated("7", "dana@example.com", &ago(60));
    send(&app, &service, "bamboohr", &employees(&[dana]));
    let text = service.get("/metrics").await.2;
    for outcome in ["sent", "failed", "dropped"] {
        let line = format!("leaver_trace_spans_total{{outcome=\"{outcome}\"}} 0\n");
        assert!(text.contains(&line), "{text}");
    }
    service.stop();
    for (variable, value, words) in [
        (
            "LEAVER__TRACES__SAMPLE_PERCENT",
            "0",
            "traces.sample_percent",
        ),
        (
            "LEAVER__TRACES__ENDPOINT",
            "collector:4318",
            "traces.endpoint",
        ),
        (
            "LEAVER__TRACES__ENDPOINT",
            "http://me:secret@collector",
            "traces.endpoint",
        ),
    ] {
        let refused = app
            .run_with(&["serve"], &[(variable, value)])
            .failed(&[words]);
        assert!(!refused.err.contains("secret"), "{refused:?}");
    }
}

//! `/metrics` in both formats, as promtool and Prometheus read them.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use leaver::base::clock::{Clock, SystemClock};

use super::server::program;
use crate::support::TestApp;
use crate::support::process::{RunningService, WAIT_LIMIT, as_ordinary_user};
use crate::support::scratch;

/// Expects that promtool has nothing to say about this text.
fn assert_passes_promtool(text: &str) {
    let folder = scratch::folder();
    let file = folder.path().join("metrics");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program("promtool"));
    command
        .args(["check", "metrics"])
        .stdin(Stdio::from(File::open(file).unwrap()));
    let output = command.output().unwrap();
    let said =
        String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

async fn get(service: &RunningService, accept: Option<&str>) -> (String, String) {
    let client = leaver::connect::client::new(WAIT_LIMIT).unwrap();
    let mut request = client.get(format!("{}/metrics", service.admin_url));
    if let Some(accept) = accept {
        request = request.header("Accept", accept);
    }
    let answer = request.send().await.unwrap();
    let content_type = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (content_type, answer.text().await.unwrap())
}

#[tokio::test]
async fn promtool_accepts_the_metrics_of_a_running_service() {
    let app = TestApp::new().await;
    let service = app.serve(&[]);
    for accept in [None, Some("text/plain;version=0.0.4"), Some("*/*")] {
        let (content_type, text) = get(&service, accept).await;
        assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
        assert!(text.contains("\n# TYPE leaver_deactivations_total counter\n"));
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
        assert_passes_promtool(&text);
    }
    service.stop();
}

#[tokio::test]
async fn open_metrics_are_sent_where_they_are_preferred() {
    let app = TestApp::new().await;
    let service = app.serve(&[]);
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let (content_type, text) = get(&service, Some(prometheus)).await;
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(text.contains("\n# TYPE leaver_deactivations counter\n"));
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(text.matches("# EOF").count(), 1);
    service.stop();
}

#[tokio::test]
async fn process_and_build_are_measured_for_an_ordinary_user() {
    let app = TestApp::new().await;
    let service = RunningService::start_command(as_ordinary_user(&["serve"], &app.env(&[])));
    let text = get(&service, None).await.1;
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .trim()
            .parse()
            .unwrap()
    };
    let started = Duration::from_secs_f64(value("process_start_time_seconds "));
    let now = SystemClock.now().timestamp();
    let age = now - i64::try_from(started.as_secs()).unwrap();
    assert!((-2..60).contains(&age), "started {age} s ago");
    assert!(value("process_cpu_seconds_total ") > 0.0);
    assert!(value("process_resident_memory_bytes ") > 1e6);
    assert!(value("process_virtual_memory_bytes ") > value("process_resident_memory_bytes "));
    assert!(value("process_open_fds ") > 5.0);
    assert!(value("process_max_fds ") >= value("process_open_fds "));
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        text.contains(&format!(
            "leaver_build_info{{version=\"{version}\",commit=\""
        )),
        "{text}"
    );
    service.stop();
}

#[test]
fn metrics_are_served_while_the_database_is_away() {
    let env = [
        ("DATABASE_URL", "postgres://leaver@127.0.0.1:1/leaver"),
        ("BAMBOOHR_WEBHOOK_SECRET", crate::support::BAMBOOHR_KEY),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let service = RunningService::start(&env);
    let text = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(get(&service, None))
        .1;
    assert!(
        text.contains("\nleaver_health_reason{code=\"database_unreachable\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("\nleaver_last_delivery_age_seconds{source=\"bamboohr\"} 0\n"),
        "{text}"
    );
    assert_passes_promtool(&text);
}

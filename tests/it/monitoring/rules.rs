//! The rules of `ops/prometheus`: promtool accepts them, and each alert has a test, a fault and a section in the docs.

use std::process::Command;

use super::server::{checkout, program, read};

/// Files with the real faults.
const FAULTS: [&str; 7] = [
    "apis",
    "database",
    "destinations",
    "late",
    "process",
    "replicas",
    "watched",
];

fn alerts() -> Vec<String> {
    let rules = read("ops/prometheus/rules.yml");
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

fn promtool(args: &[&str]) {
    let mut command = Command::new(program("promtool"));
    command.args(args).current_dir(checkout("ops/prometheus"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    promtool(&["check", "rules", "rules.yml"]);
    promtool(&["test", "rules", "rules_test.yml"]);
}

#[test]
fn each_alert_has_a_test_a_fault_and_a_runbook() {
    let (tests, docs) = (
        read("ops/prometheus/rules_test.yml"),
        read("docs/OPERATIONS.md"),
    );
    let rules = read("ops/prometheus/rules.yml");
    let faults: String = FAULTS
        .map(|name| read(&format!("tests/it/monitoring/{name}.rs")))
        .concat();
    let alerts = alerts();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in &alerts {
        for case in ["fires", "does not fire"] {
            assert!(
                tests.contains(&format!("- name: {alert} {case}\n")),
                "{alert} {case}"
            );
        }
        assert!(
            faults.contains(&format!("\"{alert}\"")),
            "no fault fires {alert}"
        );
        assert!(
            docs.contains(&format!("\n### {alert}\n")),
            "no section {alert}"
        );
        let runbook = format!("runbook_url: docs/OPERATIONS.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&runbook), "{runbook}");
    }
    for word in ["severity: ", "summary: ", "description: "] {
        assert_eq!(rules.matches(word).count(), alerts.len(), "{word}");
    }
}

#[test]
fn each_reason_of_health_has_an_alert() {
    let rules = read("ops/prometheus/rules.yml");
    let line = rules.lines().find(|line| line.contains("code!~"));
    let excluded = line.unwrap().split('"').nth(1).unwrap();
    let others: Vec<&str> = rules
        .lines()
        .filter(|line| !line.contains("code!~"))
        .collect();
    let others = others.join("\n");
    // Reasons that have a gauge of their own, on which the alert is based.
    let gauges = [
        ("not_stored", "leaver_deliveries_storable"),
        ("safeguard_tripped", "leaver_safeguard_tripped"),
        ("deactivations_blocked", "leaver_deactivations_blocked"),
        (
            "scheduled_ends_overdue",
            "leaver_scheduled_access_ends_overdue",
        ),
        (
            "terminated_with_access",
            "leaver_drift_terminated_with_access",
        ),
        ("deliveries_failed", "leaver_inbox_failed"),
        ("pending_reads_failing", "leaver_pending_reads_failing"),
        ("source_silent", "leaver_source_silent"),
        ("sync_incomplete", "leaver_sync_incomplete"),
        (
            "provider_webhook_problem",
            "leaver_provider_webhooks_unhealthy",
        ),
        ("events_waiting", "leaver_events_oldest_age_seconds"),
    ];
    for code in excluded.split('|') {
        let gauge = gauges.iter().find(|(reason, _)| *reason == code);
        let word = gauge.map_or(code, |(_, gauge)| gauge);
        assert!(others.contains(word), "no alert for {code}");
    }
}

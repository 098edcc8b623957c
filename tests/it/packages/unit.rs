//! The systemd unit: its exposure, its time limits, and that its settings exist.

use std::process::Command;
use std::time::Duration;

use leaver::api::server::ServerLimits;
use leaver::db::pool::RESPONSE_TIMEOUT;

use crate::support::process::{RunningProcess, command};
use crate::support::{BAMBOOHR_KEY, scratch};

const UNIT: &str = include_str!("../../../packaging/systemd/leaver.service");

fn packaged(path: &str) -> String {
    format!("{}/packaging/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// All values of a key, in order.
fn values(key: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .collect()
}

fn seconds(key: &str) -> Duration {
    let [value] = values(key)[..] else {
        panic!("one {key}");
    };
    Duration::from_secs(value.strip_suffix('s').unwrap().parse().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn the_unit_is_exposed_at_most_1_5() {
    let analyze = |threshold: &str| {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["security", "--offline=true", "--no-pager", threshold]);
        analyze.arg(packaged("systemd/leaver.service"));
        analyze
            .output()
            .expect("systemd-analyze is missing; run .ci/ensure-packaging")
    };
    let found = analyze("--threshold=15");
    let report = String::from_utf8_lossy(&found.stdout);
    assert!(found.status.success(), "{report}");
    // It really compares: no unit that has connections is exposed so little.
    assert!(!analyze("--threshold=1").status.success(), "{report}");
}

#[test]
fn the_units_time_limits_leave_the_service_its_own() {
    assert!(seconds("WatchdogSec") / 2 > RESPONSE_TIMEOUT);
    let drain = ServerLimits::default().drain_timeout;
    // The jobs have 10 s after the requests, and the connections 3 s.
    assert!(seconds("TimeoutStopSec") > drain + Duration::from_secs(13));
}

#[test]
fn the_unit_passes_each_credential_by_its_file() {
    for source in values("LoadCredential") {
        let (name, file) = source.split_once(':').unwrap();
        assert_eq!(file, format!("/etc/leaver/credentials/{name}"));
        let variable = format!("{}_FILE=%d/{name}", name.to_uppercase());
        assert!(values("Environment").contains(&&*variable), "{variable}");
    }
}

#[test]
fn the_packaged_settings_and_the_units_variables_are_valid() {
    let folder = scratch::folder();
    let url = folder.path().join("database_url");
    // A socket folder without a server: the settings are read, then the connection fails.
    let nowhere = folder.path().display().to_string().replace('/', "%2F");
    std::fs::write(
        &url,
        format!("postgres://leaver@localhost/app?host={nowhere}\n"),
    )
    .unwrap();
    let url = url.display().to_string();
    let file = packaged("deb/leaver.toml");
    let mut variables = vec![("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY)];
    for variable in values("Environment") {
        let (name, _) = variable.split_once('=').unwrap();
        variables.push((name, &url));
    }
    assert_eq!(variables.len(), 2, "a value for each variable of the unit");
    let check = command(&["check", "--config", &file], &variables);
    let checked = RunningProcess::start(check).wait();
    let printed = format!("{}{}", checked.out, checked.err);
    assert!(printed.contains("cannot connect to Postgres"), "{printed}");
}

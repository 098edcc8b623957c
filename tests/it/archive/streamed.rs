//! Long reports need little memory.

use std::io::Read;
use std::process::{ChildStdout, Stdio};

use super::installed_in_january;
use crate::faults::say;
use crate::support::TestApp;
use crate::support::process::command;

/// Reads all of it and returns the number of lines, and the peak memory of the process in KiB just before the end.
fn read_all(out: &mut ChildStdout, pid: u32) -> (usize, u64) {
    let path = format!("/proc/{pid}/status");
    let (mut lines, mut peak) = (0, 0);
    let mut part = vec![0; 1 << 16];
    loop {
        let size = out.read(&mut part).unwrap();
        if size == 0 {
            return (lines, peak);
        }
        lines += part[..size].split(|byte| *byte == b'\n').count() - 1;
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        peak = high.unwrap_or(0).max(peak);
    }
}

#[tokio::test]
async fn the_audit_log_is_printed_in_bounded_memory() {
    let mut app = TestApp::new().await;
    installed_in_january(&mut app).await;
    let mut peaks = vec![];
    let mut before = 0;
    let chosen =
        std::env::var_os("ARCHIVE_ENTRIES").map(|size| size.to_str().unwrap().parse().unwrap());
    for count in [2_500, chosen.unwrap_or(60_000)] {
        app.sql(&format!(
            "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, account_id, actor)
             SELECT '2026-11-22T12:00:00Z', 'deactivated', 'the status is inactive since ' || n, 'bamboohr', 'default', n, n, 'system:worker'
             FROM generate_series(1, {count}) n"
        ))
        .await;
        before += count;
        for format in ["csv", "table", "json"] {
            let args = [
                "audit",
                "--from",
                "2026-11-01",
                "--to",
                "2026-11-25",
                "--format",
                format,
            ];
            let env = app.env(&[]);
            let mut child = command(&args, &env)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let pid = child.id();
            let (lines, peak) = read_all(child.stdout.as_mut().unwrap(), pid);
            assert!(child.wait().unwrap().success());
            assert!(lines > before, "{format}: {lines} lines of {before}");
            say(&format!("{format}: {before} entries, {peak} KiB"));
            peaks.push(peak);
        }
    }
    let (few, many) = (
        peaks[..3].iter().max().unwrap(),
        peaks[3..].iter().max().unwrap(),
    );
    assert!(many < &(few + 16 * 1024), "{peaks:?}");
}

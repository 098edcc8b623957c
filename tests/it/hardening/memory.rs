//! Memory with keys stays in the process.

use std::os::unix::fs::MetadataExt;

use crate::support::TestApp;
use crate::support::process::{RunningService, as_ordinary_user};

#[tokio::test]
async fn service_writes_no_core_dump_and_is_closed_to_debuggers() {
    let app = TestApp::new().await;
    let service = RunningService::start_command(as_ordinary_user(&["serve"], &app.env(&[])));
    let process = format!("/proc/{}", service.process.id());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "soft and hard limit");
    // The kernel gives the files of a process that cannot be dumped to root.
    let owner = std::fs::metadata(format!("{process}/environ"))
        .unwrap()
        .uid();
    assert_eq!(owner, 0);
    service.stop();
}

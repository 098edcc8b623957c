//! A real mail server, `aiosmtpd`, that keeps what is sent to it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::process::RunningProcess;

/// A mail server of one test.
pub(super) struct Sink {
    process: RunningProcess,
    pub(super) port: u16,
}

impl Sink {
    /// Starts one on this address, with further options of `sink.py`.
    pub(super) fn start(host: &str, options: &Value) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/aiosmtpd/bin/python");
        assert!(python.exists(), "no aiosmtpd; run .ci/ensure-aiosmtpd");
        let mut options = options.clone();
        options["host"] = json!(host);
        let mut command = Command::new(python);
        command
            .arg(root.join("tests/it/events/people/sink.py"))
            .arg(options.to_string());
        let mut process = RunningProcess::start(command);
        process.wait_for("port ");
        let out = process.out();
        let port = out.lines().find_map(|line| line.strip_prefix("port "));
        let port = port.unwrap().parse().unwrap();
        Self { process, port }
    }

    /// Returns what was transferred to it, with the code of its answer.
    pub(super) fn transfers(&self) -> Vec<Value> {
        let out = self.process.out();
        let lines = out.lines().filter(|line| line.starts_with('{'));
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Returns the one message that it has.
    #[track_caller]
    pub(super) fn only(&self) -> Value {
        let mut transfers = self.transfers();
        assert_eq!(transfers.len(), 1, "{transfers:#?} {}", self.process.err());
        transfers.remove(0)
    }

    /// Waits until it has this many.
    #[track_caller]
    pub(super) fn wait_for(&self, count: usize) -> Vec<Value> {
        crate::support::process::wait_until("messages arrive", || self.transfers().len() >= count);
        self.transfers()
    }
}

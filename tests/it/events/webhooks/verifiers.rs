//! The libraries of Standard Webhooks for Python and Node.js, which `.ci/ensure-standardwebhooks` installs.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::support::apis::ApiRequest;
use crate::support::scratch;

/// Verifies requests, each with this secret, by both libraries. Returns whether each was verified.
#[track_caller]
pub(super) fn verified(secret: &str, requests: &[ApiRequest]) -> Vec<bool> {
    let folder = scratch::folder();
    let input = folder.path().join("requests");
    let lines = requests.iter().map(|request| line(secret, request));
    std::fs::write(&input, lines.collect::<String>()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/standardwebhooks");
    let here = root.join("tests/it/events/webhooks");
    let mut python = Command::new(tools.join("python/bin/python"));
    python.arg(here.join("verify.py"));
    let mut node = Command::new("node");
    node.arg(here.join("verify.cjs"))
        .env("NODE_PATH", tools.join("node/node_modules"));
    let [python, node] = [python, node].map(|mut program| {
        let output = program.stdin(File::open(&input).unwrap()).output();
        let output = output.expect("run .ci/ensure-standardwebhooks first");
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{problem}");
        let words = String::from_utf8(output.stdout).unwrap();
        let words: Vec<String> = words.lines().map(str::to_owned).collect();
        words
    });
    assert_eq!(python, node, "the libraries differ");
    assert_eq!(python.len(), requests.len());
    let verdict = |word: &String| match word.as_str() {
        "verified" => true,
        "refused" => false,
        other => panic!("{other}"),
    };
    python.iter().map(verdict).collect()
}

fn line(secret: &str, request: &ApiRequest) -> String {
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = headers.map(|name| (name.to_owned(), Value::from(request.header(name))));
    let request = json!({
        "secret": secret,
        "headers": Map::from_iter(headers),
        "body": std::str::from_utf8(&request.body).unwrap(),
    });
    format!("{request}\n")
}

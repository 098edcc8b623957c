//! Readers that leave, and targets that are full.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, pipe};
use std::process::{Child, Stdio};

use super::{HERE, Story};
use crate::support::apis::{Answer, StandIn, bamboohr_with_hooks};
use crate::support::apis_setup::source_with_api;
use crate::support::hooks::PRIVATE_KEY;
use crate::support::process::{CommandOutput, command, run};
use crate::support::{BAMBOOHR_KEY, TestApp};

const CREATE: [&str; 4] = ["webhooks", "create", "--url", HERE];

fn ended(child: Child) -> CommandOutput {
    let ended = child.wait_with_output().unwrap();
    CommandOutput {
        code: ended.status.code(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// Runs a command with this as its stdout.
fn into(target: impl Into<Stdio>, args: &[&str], env: &[(&str, &str)]) -> CommandOutput {
    let mut program = command(args, env);
    program.stdin(Stdio::null()).stdout(target);
    ended(program.stderr(Stdio::piped()).spawn().unwrap())
}

fn closed_pipe() -> Stdio {
    let (_, writer) = pipe().unwrap();
    writer.into()
}

fn full_device() -> Stdio {
    let full = OpenOptions::new().write(true).open("/dev/full");
    full.unwrap().into()
}

#[test]
fn help_and_version_end_quietly_without_a_reader() {
    for args in [&["--help"][..], &["--version"], &["deliveries", "--help"]] {
        let output = into(closed_pipe(), args, &[]);
        assert_eq!(
            (output.code, output.err.as_str()),
            (Some(141), ""),
            "{args:?}"
        );
        let output = into(full_device(), args, &[]);
        output.failed(&["cannot write the result", "No space left on device"]);
    }
}

#[tokio::test]
async fn a_full_disk_is_reported_with_exit_status_3() {
    let app = TestApp::new().await;
    for args in [
        &["deliveries"][..],
        &["deliveries", "--json"],
        &["holds"],
        &["check"],
        &["migrate"],
    ] {
        let output = into(full_device(), args, &app.env(&[]));
        output.failed(&["cannot write the result", "No space left on device"]);
    }
}

#[tokio::test]
async fn a_command_without_a_reader_of_stderr_does_not_panic() {
    let app = TestApp::new().await;
    for args in [
        &["deliveries"][..],
        &["explain", "nobody"],
        &["-vv", "holds"],
    ] {
        let mut program = command(args, &app.env(&[]));
        let output = program.stderr(closed_pipe()).output().unwrap();
        assert!(output.status.code() < Some(2), "{args:?}: {output:?}");
    }
    let mut program = command(&["fly"], &[]);
    let output = program.stderr(closed_pipe()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_demo_without_a_reader_stops_its_database() {
    let folder = crate::support::scratch::folder();
    let temp = folder.path().to_str().unwrap();
    let output = into(
        closed_pipe(),
        &["demo", "--once", "-q"],
        &[("TMPDIR", temp)],
    );
    assert_eq!((output.code, output.err.as_str()), (Some(141), ""));
    assert_eq!(std::fs::read_dir(temp).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_new_webhook_is_its_first_line() {
    let story = Story::new().await;
    let mut program = command(&CREATE, &story.app.env(&[]));
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut first = String::new();
    // As `head -1` does: it reads one line and leaves.
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert_eq!(first, format!("private key: {PRIVATE_KEY}\n"));
    let output = ended(child);
    assert!(matches!(output.code, Some(0 | 141)), "{output:?}");
    assert_eq!(output.err, "");
    let list = story.app.run(&["webhooks", "--json"]).succeeded().json();
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_whose_key_cannot_be_written_is_deleted() {
    let story = Story::new().await;
    let env = story.app.env(&[]);
    for format in [&[][..], &["--json"]] {
        let args = [&CREATE[..], format].concat();
        let output = into(closed_pipe(), &args, &env);
        assert_eq!(output.code, Some(141), "{output:?}");
        assert!(
            output.err.contains("webhook 2 was deleted again"),
            "{output:?}"
        );
        let output = into(full_device(), &args, &env);
        assert!(!output.err.contains(PRIVATE_KEY), "{output:?}");
        output.failed(&["cannot write the result", "webhook 2 was deleted again"]);
    }
    let list = story.app.run(&["webhooks", "--json"]).succeeded().json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_cannot_be_deleted_again_is_named() {
    let hooks = std::sync::Arc::default();
    let answer = bamboohr_with_hooks(vec![], &hooks);
    let api = StandIn::start(move |request| {
        if request.method == "DELETE" {
            Answer::status(500)
        } else {
            answer(request)
        }
    })
    .await;
    let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "api-key-sentinel")];
    let app = TestApp::builder()
        .config_file(&source_with_api("bamboohr", "bamboohr", &api), &secrets)
        .build()
        .await;
    let output = into(closed_pipe(), &CREATE, &app.env(&[]));
    output.failed(&["webhook 1", "`leaver webhooks delete 1`"]);
}

#[tokio::test]
async fn a_service_without_a_reader_of_its_log_keeps_running() {
    let app = TestApp::new().await;
    let (reader, writer) = pipe().unwrap();
    let mut program = command(&["serve"], &app.env(&[]));
    program.stdout(Stdio::null()).stderr(writer);
    let child = program.spawn().unwrap();
    drop(program);
    let mut log = BufReader::new(reader);
    let mut line = String::new();
    while !line.contains("service.start: listening") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0);
    }
    let (_, address) = line.split_once("admin_address=").unwrap();
    let address = address.split_whitespace().next().unwrap().to_owned();
    drop(log);
    // The log of this request and of the stop has no reader.
    let url = format!("http://{address}");
    let health = run(&["health", "--url", &url], &[]);
    assert!(matches!(health.code, Some(0 | 1)), "{health:?}");
    let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

//! Weak, published and shared keys do not start, whatever form they have.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::process::{RunningService, command, run};
use crate::support::{BAMBOOHR_KEY, JSON, MERGE_KEY, TestApp};

/// Keys that anybody knows or can guess.
const WEAK: [&str; 6] = [
    " ",
    "\n",
    "x",
    "fifteen letters",
    "only-for-trying-it-out",
    "changeme-changeme",
];

#[tokio::test]
async fn weak_keys_end_serve_and_check_in_every_form() {
    let app = TestApp::builder().unmigrated().build().await;
    for variable in [
        "BAMBOOHR_WEBHOOK_SECRET",
        "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
        "MERGE_WEBHOOK_SECRET",
        "MERGE_WEBHOOK_SECRET_PREVIOUS",
    ] {
        for weak in WEAK {
            let file = app.file("weak", weak).display().to_string();
            let twin = format!("{variable}_FILE");
            let direct = app.env(&[(variable, weak)]);
            let mut by_file = app.env(&[(&twin, &file)]);
            by_file.retain(|(name, _)| *name != variable);
            for env in [direct, by_file] {
                let served = run(&["serve"], &env).failed(&[variable]);
                assert!(!served.err.contains("only-for"), "{served:?}");
                let checked = run(&["check", "--json"], &env);
                assert_eq!(checked.code, Some(1), "{checked:?}");
                assert!(checked.out.contains(variable), "{checked:?}");
            }
        }
    }
}

#[tokio::test]
async fn one_key_for_two_sources_does_not_start() {
    let app = TestApp::builder().unmigrated().build().await;
    let previous = "MERGE_WEBHOOK_SECRET_PREVIOUS";
    for shared in ["MERGE_WEBHOOK_SECRET", previous, "LEAVER_ADMIN_TOKEN"] {
        let refused = app.run_with(&["serve"], &[(shared, BAMBOOHR_KEY)]);
        let refused = refused.failed(&["BAMBOOHR_WEBHOOK_SECRET", shared, "the same secret"]);
        assert!(!refused.err.contains(BAMBOOHR_KEY), "{refused:?}");
    }
}

#[tokio::test]
async fn a_reload_refuses_weak_keys_and_keeps_the_current_ones() {
    let app = TestApp::builder().build().await;
    let files = ["one", "two"].map(|name| app.file(name, MERGE_KEY));
    let config = format!(
        "[[sources]]\nname = \"merge\"\nprovider = \"merge\"\nwebhook_secrets = [\"file:{}\", \"file:{}\"]\n",
        files[0].display(),
        files[1].display()
    );
    let config = app.file("leaver.toml", &config);
    let args = ["serve", "--config", config.to_str().unwrap()];
    let mut service = RunningService::start_command(command(&args, &app.env(&[])));
    service.wait_until_ready();
    app.file("two", "changeme-changeme");
    service.process.signal(nix::sys::signal::Signal::SIGHUP);
    service.process.wait_for("keeping the current webhook keys");
    let log = service.stop().err;
    assert!(log.contains("webhook_secrets[1]"), "{log}");
    assert!(!log.contains("changeme"), "{log}");
}

#[tokio::test]
async fn white_space_in_a_key_file_is_removed_and_logged() {
    let app = TestApp::new().await;
    let file = app.file("key", &format!("  {MERGE_KEY}\r\n \n"));
    let file = file.display().to_string();
    let mut env = app.env(&[("MERGE_WEBHOOK_SECRET_FILE", &file)]);
    env.retain(|(name, _)| *name != "MERGE_WEBHOOK_SECRET");
    let mut service = RunningService::start(&env);
    service.wait_until_ready();
    let body = r#"{"hook":{"event":"Issue.new"}}"#;
    let signed = app.signed("merge", JSON, body);
    let mut request = leaver::connect::client::new(std::time::Duration::from_mins(1))
        .unwrap()
        .post(format!("{}/webhooks/merge", service.url))
        .body(body);
    for (name, value) in signed.headers() {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.unwrap().status(), 200);
    let log = service.stop().err;
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("white space"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("MERGE_WEBHOOK_SECRET"), "{log}");
    assert!(!log.contains(MERGE_KEY), "{log}");
}

#[tokio::test]
async fn check_warns_of_key_files_that_others_can_read() {
    let app = TestApp::new().await;
    let path = app.file("key", MERGE_KEY);
    let file = path.display().to_string();
    let mut env = app.env(&[("MERGE_WEBHOOK_SECRET_FILE", &file)]);
    env.retain(|(name, _)| *name != "MERGE_WEBHOOK_SECRET");
    for (mode, is_reported) in [(0o600, false), (0o644, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let checked = run(&["check", "--json"], &env).succeeded().json();
        let lines = checked.as_array().unwrap();
        let found = lines.iter().any(|line| {
            line["check"] == "MERGE_WEBHOOK_SECRET"
                && line["status"] == "warning"
                && line["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("chmod"))
        });
        assert_eq!(found, is_reported, "{mode:o} {checked}");
    }
}

#[test]
fn compose_demands_a_key_for_each_source() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose.yaml");
    let compose = std::fs::read_to_string(path).unwrap();
    for variable in ["BAMBOOHR_WEBHOOK_SECRET", "MERGE_WEBHOOK_SECRET"] {
        let line = compose
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{variable}:")))
            .unwrap();
        assert!(line.contains(&format!("${{{variable}:?")), "{line}");
        assert!(line.contains("openssl rand -hex 32"), "{line}");
        assert!(!compose.contains(&format!("{variable}:-")), "{compose}");
    }
}

#[tokio::test]
async fn keys_of_the_test_vectors_start_with_a_warning() {
    let app = TestApp::new().await;
    let checked = app.run(&["check", "--json"]).succeeded().json();
    let lines = checked.as_array().unwrap();
    let warned = |variable: &str| {
        let of = |line: &&Value| line["check"] == variable && line["status"] == "warning";
        lines.iter().find(of).is_some()
    };
    assert!(warned("BAMBOOHR_WEBHOOK_SECRET"), "{checked}");
    assert!(warned("MERGE_WEBHOOK_SECRET"), "{checked}");
}

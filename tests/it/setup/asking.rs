//! `leaver init` on a terminal.

use std::io::Write;
use std::process::{Command, Stdio};

use super::Fresh;
use crate::support::process::LEAVER;

/// Runs `leaver init` on a terminal that `script` makes, and types these answers.
fn init(fresh: &Fresh, answers: &str) -> (bool, String) {
    let mut child = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--command",
            &format!("{LEAVER} init"),
            "/dev/null",
        ])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("DATABASE_URL", &fresh.url)
        .env("TZ", "Europe/Madrid")
        .current_dir(fresh.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(answers.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_answers_take_what_is_proposed() {
    let fresh = Fresh::with_users().await;
    let (succeeded, text) = init(&fresh, "\n\n\n\ny\n");
    assert!(succeeded, "{text}");
    for words in [
        "Users table [public.users]",
        "[bamboohr]",
        "[Europe/Madrid]",
        "Write leaver.toml? [y/N]",
        "wrote leaver.toml",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let file = fresh.read("leaver.toml");
    assert!(
        file.contains(r#"timezone = "Europe/Madrid""#) && !file.contains("merge"),
        "{file}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_used_is_requested_again() {
    let fresh = Fresh::with_users().await;
    let answers = "nobody\npublic.users\nboth\naccount-1\nMars\nEurope/Paris\nhelm\ncompose\ny\n";
    let (succeeded, text) = init(&fresh, answers);
    assert!(succeeded, "{text}");
    for words in [
        "no table nobody",
        "not an IANA time zone",
        "write systemd, compose or none",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let file = fresh.read("leaver.toml");
    assert!(file.contains(r#"timezone = "Europe/Paris""#), "{file}");
    assert!(
        file.contains(r#"linked_accounts = [ { id = "account-1", tenant = "default" } ]"#),
        "{file}"
    );
    assert!(fresh.path("leaver.compose.yaml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_writes_nothing() {
    let fresh = Fresh::with_users().await;
    let (succeeded, text) = init(&fresh, "\n\n\n\nn\n");
    assert!(succeeded && text.contains("nothing was written"), "{text}");
    assert_eq!(std::fs::read_dir(fresh.folder.path()).unwrap().count(), 0);
}

//! The block of the README that leads to the first deactivated user, word for word.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::Fresh;
use crate::support::process::{LEAVER, RunningProcess};

/// The comment before the block.
const MARK: &str = "<!-- get-started: run by tests/it/setup/readme.rs -->\n```sh\n";

fn block() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let (_, rest) = text.split_once(MARK).expect("the README has the block");
    rest.split_once("```").unwrap().0.to_owned()
}

/// Returns an address that is free now.
fn address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_commands_lead_from_nothing_to_a_deactivated_user() {
    let block = block();
    let commands: Vec<&str> = block
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert!(commands.len() <= 5, "{commands:?}");
    assert!(
        commands.iter().all(|line| line.starts_with("leaver ")),
        "{commands:?}"
    );
    let fresh = Fresh::with("").await;
    let path = format!(
        "{}:{}",
        Path::new(LEAVER).parent().unwrap().display(),
        std::env::var_os("PATH").unwrap().to_str().unwrap()
    );
    let mut shell = Command::new("bash");
    shell
        .args(["-e", "-c", &block])
        .env_clear()
        .env("PATH", path)
        .env("DATABASE_URL", &fresh.url)
        .env("LEAVER_LISTEN", address())
        .env("LEAVER_ADMIN_LISTEN", address())
        .current_dir(fresh.folder.path())
        // The service outlives the shell, and ends with its group.
        .process_group(0);
    let mut shell = RunningProcess::start(shell);
    let group = Pid::from_raw(shell.id().cast_signed());
    let output = shell.wait();
    let ended = killpg(group, Signal::SIGTERM);
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(
        output.out.contains("processed: 1 deactivated"),
        "{output:#?}"
    );
    let mut session = fresh.session().await;
    let dana =
        "SELECT count(*) FROM users u WHERE email = 'Dana.Ruiz@example.com' AND NOT is_active
        AND NOT EXISTS (SELECT FROM sessions s WHERE s.user_id = u.id)";
    assert_eq!(session.count(dana).await, 1);
    assert_eq!(
        session
            .count("SELECT count(*) FROM users WHERE is_active")
            .await,
        8
    );
    ended.expect("the service ran until the end");
}

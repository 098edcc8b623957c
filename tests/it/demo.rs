//! `leaver demo`.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::process::{RunningProcess, as_ordinary_user, command, run, wait_until};
use crate::support::scratch;

/// Creates a folder that every user can write to.
fn folder() -> TempDir {
    scratch::open_folder()
}

/// Returns the cells of the last table with these first headings.
fn table(out: &str, head: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> { line.split('\t').map(str::to_owned).collect() };
    let lines: Vec<&str> = out.lines().collect();
    let is_head = |line: &&str| line.split('\t').take(head.len()).eq(head.iter().copied());
    let at = lines.iter().rposition(is_head);
    let at = at.unwrap_or_else(|| panic!("no table {head:?} in {out}"));
    let rows = lines[at + 1..].iter();
    let rows = rows.take_while(|line| line.contains('\t'));
    rows.map(|line| cells(line)).collect()
}

/// Checks the printed results.
fn assert_shown(out: &str) {
    let (first, _) = out.split_once("Deliveries").unwrap();
    let before = table(first, &["id", "email", "is_active", "sessions"]);
    assert_eq!(before.len(), 9, "{out}");
    assert!(
        before.iter().all(|row| row[2] == "true" && row[3] == "2"),
        "{out}"
    );

    let deliveries = table(out, &["#", "from", "HR reports", "response"]);
    let answers: Vec<&str> = deliveries
        .iter()
        .filter(|row| !row[0].is_empty())
        .map(|row| row[3].as_str())
        .collect();
    let stored = |answer: &&&str| answer.starts_with("200 stored");
    assert_eq!(answers.len(), 9, "{out}");
    assert_eq!(answers.iter().filter(stored).count(), 7, "{out}");
    assert!(answers[7].starts_with("200 duplicate"), "{out}");
    assert!(answers[8].starts_with("401 invalid signature"), "{out}");
    for form in ["JSON", "form", "event"] {
        assert!(
            deliveries.iter().any(|row| row[1].contains(form)),
            "no {form} in {out}"
        );
    }
    for sender in ["BambooHR", "Merge"] {
        assert!(
            deliveries.iter().any(|row| row[1].starts_with(sender)),
            "no {sender} in {out}"
        );
    }

    let after = table(out, &["id", "email", "is_active", "sessions", "why"]);
    let leavers = ["dana.ruiz", "omar.lind", "priya.nair", "mei.chen"];
    for row in &after {
        let name = row[1].to_lowercase();
        let left = leavers.iter().any(|leaver| name.starts_with(leaver));
        let expected = if left { ["false", "0"] } else { ["true", "2"] };
        assert_eq!(row[2..4], expected, "{out}");
        assert_eq!(left, row[4].starts_with("deactivated: "), "{out}");
    }
    let events = table(out, &["event", "account", "email", "signature"]);
    assert_eq!(events.len(), 4, "{out}");
    for row in &events {
        assert_eq!(
            [&row[0], &row[3]],
            ["account.deactivated", "verified"],
            "{out}"
        );
        let name = row[2].to_lowercase();
        assert!(
            leavers.iter().any(|leaver| name.starts_with(leaver)),
            "{out}"
        );
    }
    let because = |name: &str| {
        let row = after.iter().find(|row| row[1].starts_with(name));
        row.unwrap()[4].as_str()
    };
    assert_eq!(after.len(), 9);
    assert!(because("tom.becker").starts_with("scheduled: "), "{out}");
    assert!(because("yuki.tan").starts_with("hold opened: "), "{out}");
    assert!(because("nora.silva").contains("pre-hire"), "{out}");
    assert!(because("ada.keller").contains("not named"), "{out}");
    assert!(out.contains("4 leavers lost access"), "{out}");

    assert!(out.contains("The safeguard trips"), "{out}");
    let decided = table(out, &["email", "why", "result"]);
    let results: Vec<(&str, &str)> = decided
        .iter()
        .map(|row| (row[0].as_str(), row[2].as_str()))
        .collect();
    assert_eq!(
        results[0],
        ("sam.okoye@example.com", "deactivated"),
        "{out}"
    );
    assert!(results[1].1.contains("newer facts"), "{out}");
    assert!(out.contains("Sam lost access, Ada did not"), "{out}");
}

/// Returns the Postgres servers whose data is in a folder.
fn servers_in(folder: &Path) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let links = processes.filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok());
    links.filter(|cwd| cwd.starts_with(folder)).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Runs the demo once and checks that it leaves nothing behind.
fn assert_shows_once(folder: &TempDir, command: Command) {
    let output = RunningProcess::start(command).wait().succeeded();
    assert_shown(&output.out);
    assert!(!output.out.contains('\u{1b}'), "{}", output.out);
    assert_eq!(entries(folder.path()), [] as [PathBuf; 0]);
    assert_eq!(servers_in(folder.path()), [] as [PathBuf; 0]);
}

#[test]
fn once_runs_the_demo_and_leaves_nothing_behind() {
    let folder = folder();
    let temporary = [("TMPDIR", folder.path().to_str().unwrap())];
    assert_shows_once(&folder, command(&["demo", "--once"], &temporary));
}

#[test]
fn once_works_for_an_ordinary_user() {
    let folder = folder();
    let temporary = [("TMPDIR", folder.path().to_str().unwrap())];
    assert_shows_once(&folder, as_ordinary_user(&["demo", "--once"], &temporary));
}

/// Starts a demo that keeps running, with its temporary files in a folder.
fn going_on(folder: &TempDir) -> RunningProcess {
    let state = [("TMPDIR", folder.path().to_str().unwrap())];
    let args = [
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ];
    let mut demo = RunningProcess::start(as_ordinary_user(&args, &state));
    demo.wait_for("leaver health");
    demo
}

#[test]
fn the_demo_runs_until_ctrl_c_and_its_commands_work() {
    let folder = folder();
    for _ in ["first", "again"] {
        let mut demo = going_on(&folder);
        let out = demo.out();
        assert_shown(&out);
        // Runs the commands that the demo prints.
        let advice: Vec<&str> = out.lines().filter(|line| line.starts_with("  ")).collect();
        assert!(advice.len() >= 5, "{out}");
        let script = advice.join("\n").replace(
            "  leaver ",
            &format!("{} ", crate::support::process::LEAVER),
        );
        let mut shell = command(&[], &[]);
        shell = {
            let mut sh = Command::new("sh");
            sh.args(["-e", "-c", &script]).env_clear();
            sh.envs(
                shell
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            sh
        };
        let output = RunningProcess::start(shell).wait().succeeded();
        for words in ["needs a read", "yuki.tan@example.com", "database\tok"] {
            assert!(output.out.contains(words), "no {words} in {output:?}");
        }
        demo.signal(Signal::SIGINT);
        let output = demo.wait().succeeded();
        assert!(output.out.contains("its folder are removed"), "{output:?}");
        assert_eq!(servers_in(folder.path()), [] as [PathBuf; 0]);
        assert_eq!(entries(folder.path()), [] as [PathBuf; 0]);
    }
}

#[test]
fn a_killed_demo_leaves_no_postgres_running() {
    let folder = folder();
    let mut demo = going_on(&folder);
    assert!(!servers_in(folder.path()).is_empty());
    demo.kill();
    wait_until("its Postgres is gone", || {
        servers_in(folder.path()).is_empty()
    });
}

#[test]
fn a_port_in_use_is_an_error() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let temporary = [("TMPDIR", folder.path().to_str().unwrap())];
    let output = run(&["demo", "--once", "--listen", &address], &temporary);
    output.failed(&["cannot listen on", &address, "LEAVER_LISTEN"]);
    let output = run(&["demo", "--once", "--admin-listen", &address], &temporary);
    output.failed(&["cannot listen on", &address, "LEAVER_ADMIN_LISTEN"]);
    assert_eq!(entries(folder.path()), [] as [PathBuf; 0]);
}

#[test]
fn without_postgres_the_error_names_the_setting() {
    let folder = folder();
    let env = [
        ("TMPDIR", folder.path().to_str().unwrap()),
        ("PG_BINDIR", "/nowhere"),
    ];
    run(&["demo", "--once"], &env).failed(&["Postgres", "PG_BINDIR", "/nowhere"]);
}

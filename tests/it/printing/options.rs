//! Options of tables, and the options of every command.

use super::{LONG, Story};
use crate::support::TestApp;
use crate::support::process::{RunningProcess, command, run, wait_until};
use crate::support::terminal::run_on_terminal;
use nix::sys::signal::Signal;

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_chosen_by_name_and_in_order() {
    let story = Story::new().await;
    let app = &story.app;
    let args = ["employees", "--columns", "work_email,employee"];
    let chosen = app.run(&args).succeeded();
    assert!(
        chosen.out.starts_with("work e-mail\temployee\n"),
        "{chosen:?}"
    );
    assert!(chosen.out.contains(&format!("\n{LONG}\t7\n")), "{chosen:?}");
    let by_heading = app.run(&["employees", "--columns", "work e-mail,employee"]);
    assert_eq!(by_heading.out, chosen.out);
    let bare = app.run(&[&args[..], &["--no-header"]].concat()).succeeded();
    assert_eq!(chosen.out, format!("work e-mail\temployee\n{}", bare.out));
    // On a terminal the chosen columns stay, however narrow it is.
    let narrow = ["employees", "--columns", "modified,tenant,work_email"];
    let shown = run_on_terminal(&narrow, &app.env(&[]), 60);
    assert!(shown.out.contains("│ modified"), "{shown:?}");
    assert!(shown.out.contains(LONG), "{shown:?}");
    assert!(!shown.out.contains("left out"), "{shown:?}");
}

#[test]
fn an_unknown_column_is_an_error_that_lists_the_columns() {
    for (args, column) in [
        (&["deliveries"][..], "outcome"),
        (&["employees"], "termination_date"),
        (&["holds"], "work_email"),
        (&["holds", "list"], "work_email"),
        (&["safeguard"], "last_60_minutes"),
        (&["drift"], "group"),
        (&["explain", "1"], "item"),
        (&["health"], "command"),
        (&["check"], "message"),
        (&["sync"], "incomplete_because"),
        (&["webhooks"], "this_service"),
        (&["end", "1", "--reason", "x"], "protected"),
        (&["enforce", "--source", "merge"], "outcome"),
        (
            &["audit", "--from", "2026-11-01", "--to", "2026-11-30"],
            "actor",
        ),
        (
            &["leavers", "--from", "2026-11-01", "--to", "2026-11-30"],
            "how",
        ),
        (&["config", "show"], "from"),
        (&["config", "env"], "meaning"),
    ] {
        for wrong in ["height", "", "outcome,,"] {
            let output = run(&[args, &["--columns", wrong]].concat(), &[]);
            assert_eq!(output.code, Some(2), "{args:?}: {output:?}");
        }
        let output = run(&[args, &["--columns", "height"]].concat(), &[]);
        assert!(output.err.contains(column), "{args:?}: {output:?}");
        let both = run(&[args, &["--columns", column, "--json"]].concat(), &[]);
        assert_eq!(both.code, Some(2), "{args:?}: {both:?}");
    }
    let before = run(&["safeguard", "--columns", "tenant", "reject", "3"], &[]);
    assert_eq!(before.code, Some(2), "{before:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_variable_sets_the_width() {
    let story = Story::new().await;
    let narrow = story.app.env(&[("COLUMNS", "52"), ("NO_COLOR", "1")]);
    let shown = run_on_terminal(&["employees"], &narrow, 200);
    let drawn = shown.out.lines().filter(|line| line.contains('│'));
    let widest = drawn.map(|line| line.chars().count()).max();
    assert!(widest <= Some(52), "{shown:?}");
    let left_out = "left out at 52 columns: source, work e-mail,";
    assert!(shown.out.contains(left_out), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_follow_the_terminal_the_variable_and_the_option() {
    const RED: &str = "\u{1b}[31mfailed\u{1b}[0m";
    let story = Story::new().await;
    let app = &story.app;
    let on_terminal = |args: &[&str], more: &[(&str, &str)]| {
        run_on_terminal(args, &app.env(more), 120).out.contains(RED)
    };
    assert!(on_terminal(&["deliveries"], &[]));
    assert!(!on_terminal(&["deliveries"], &[("NO_COLOR", "1")]));
    assert!(!on_terminal(&["deliveries"], &[("TERM", "dumb")]));
    assert!(!on_terminal(&["--color", "never", "deliveries"], &[]));
    assert!(on_terminal(
        &["deliveries", "--color", "always"],
        &[("NO_COLOR", "1")]
    ));
    let piped = |args: &[&str]| app.run(args).succeeded().out.contains(RED);
    assert!(!piped(&["deliveries"]));
    assert!(piped(&["deliveries", "--color=always"]));
    let error = run(&["--color", "always", "deliveries", "-c", "/none"], &[]);
    assert!(
        error.err.contains("\u{1b}[31mleaver:\u{1b}[0m "),
        "{error:?}"
    );
    let help = |args: &[&str]| run(args, &[]).out.contains('\u{1b}');
    assert!(help(&["--color", "always", "--help"]) && !help(&["--help"]));
    assert_eq!(run(&["--color", "sometimes", "holds"], &[]).code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn global_options_stand_before_and_after_the_command() {
    let story = Story::new().await;
    let app = &story.app;
    let file = app
        .env(&[])
        .into_iter()
        .find(|(name, _)| *name == "LEAVER_CONFIG");
    let file = file.unwrap().1;
    let env: Vec<_> = app
        .env(&[])
        .into_iter()
        .filter(|(name, _)| *name != "LEAVER_CONFIG")
        .collect();
    for args in [
        &["-c", file, "plan"][..],
        &["plan", "-c", file],
        &["--config", file, "plan"],
        &["holds", "-c", file, "list"],
        &["-c", file, "holds", "list"],
        &["safeguard", "-c", file, "release", "1"],
    ] {
        let loud = run(args, &env).succeeded();
        assert!(
            loud.err.contains("next: ") || loud.err.contains("leaver plan"),
            "{args:?}: {loud:?}"
        );
        for quiet in [[&["-q"][..], args].concat(), [args, &["--quiet"]].concat()] {
            let output = run(&quiet, &env).succeeded();
            assert_eq!(
                (output.err.as_str(), output.out.is_empty()),
                ("", false),
                "{quiet:?}"
            );
        }
        for verbose in [
            [&["-v"][..], args].concat(),
            [args, &["--verbose"]].concat(),
        ] {
            let output = run(&verbose, &env).succeeded();
            assert!(
                output.err.contains("INFO") && output.err.contains("cli.end"),
                "{output:?}"
            );
        }
    }
    let both = run(&["-q", "holds", "-v"], &env);
    assert_eq!(both.code, Some(2), "{both:?}");
    let missing = run(&["explain", "nobody", "-q"], &env);
    assert_eq!((missing.code, missing.err.is_empty()), (Some(1), false));
}

#[tokio::test]
async fn quiet_and_verbose_set_the_log_of_the_service() {
    let app = TestApp::new().await;
    let mut env = app.env(&[]);
    env.push(("LEAVER_LOG", "warn"));
    let mut loud = RunningProcess::start(command(&["serve", "-v"], &env));
    loud.wait_for("service.start: ready");
    loud.signal(Signal::SIGTERM);
    loud.wait().succeeded();
    env.pop();
    // Whether it serves is seen by its health alone.
    let mut quiet = command(&["-q", "serve"], &env);
    let address = free_address();
    quiet.env("LEAVER_ADMIN_LISTEN", &address);
    let mut quiet = RunningProcess::start(quiet);
    let url = format!("http://{address}");
    wait_until("it serves", || {
        run(&["health", "--url", &url], &[]).code == Some(0)
    });
    quiet.signal(Signal::SIGTERM);
    let log = quiet.wait().succeeded().err;
    assert!(!log.contains("INFO"), "{log}");
}

/// Returns an address that was free a moment ago.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_with_subcommands_lists_by_itself() {
    let story = Story::new().await;
    for (alone, list) in [
        (&["holds"][..], &["holds", "list"][..]),
        (&["webhooks"], &["webhooks", "list"]),
    ] {
        for format in [&[][..], &["--json"], &["--no-header"]] {
            let alone = story.app.run(&[alone, format].concat()).succeeded();
            let listed = story.app.run(&[list, format].concat()).succeeded();
            assert_eq!(alone.out, listed.out);
        }
    }
    let middle = story
        .app
        .run(&["webhooks", "--source", "bamboohr", "show", "1"]);
    middle.succeeded();
    let json = story.app.run(&["holds", "--json", "list"]).succeeded();
    assert!(json.json().is_array());
}

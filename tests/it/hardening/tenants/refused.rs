//! Two companies on one users table are refused at start, unless a column or the declaration tells how they belong.

use super::{BAMBOOHR_TWICE, KEYS, TWO_COMPANIES};
use crate::support::TestApp;
use crate::support::process::CommandOutput;

/// Runs a command of the program with a configuration.
fn run(app: &TestApp, command: &[&str], config: &str) -> CommandOutput {
    let path = app.file("two.toml", config);
    let config = ["--config", path.to_str().unwrap()];
    app.run_with(&[command, &config].concat(), &KEYS)
}

#[track_caller]
fn assert_names_both_ways_out(output: &CommandOutput) {
    let text = format!("{}{}", output.out, output.err);
    for word in ["accounts.tenant_column", "accounts.single_company"] {
        assert!(text.contains(word), "no {word} in {output:?}");
    }
}

#[tokio::test]
async fn start_and_check_refuse_two_companies() {
    let app = TestApp::new().await;
    for (name, sources) in TWO_COMPANIES {
        let check = run(&app, &["check"], sources);
        assert_eq!(check.code, Some(1), "{name}: {check:?}");
        assert_names_both_ways_out(&check);
        let served = run(&app, &["serve"], sources);
        assert_ne!(served.code, Some(0), "{name}: {served:?}");
        assert_names_both_ways_out(&served);
    }
}

#[tokio::test]
async fn commands_that_change_accounts_refuse_them_too() {
    let app = TestApp::new().await;
    for command in [
        &["drift", "--fix"][..],
        &["sync"],
        &["holds", "approve", "1"],
        &["enforce", "--source", "acme"],
        &["end", "a@example.com", "--reason", "left", "--yes"],
        &["undo", "--since", "2026-11-22"],
    ] {
        let refused = run(&app, command, BAMBOOHR_TWICE);
        assert_eq!(refused.code, Some(3), "{command:?}: {refused:?}");
        assert_names_both_ways_out(&refused);
    }
}

#[tokio::test]
async fn either_way_out_passes_the_check() {
    let mut app = TestApp::new().await;
    app.sql("ALTER TABLE users ADD company text; CREATE UNIQUE INDEX ON users (company, id)")
        .await;
    for (name, sources) in TWO_COMPANIES {
        for way_out in ["tenant_column = \"company\"", "single_company = true"] {
            let config = format!("[accounts]\n{way_out}\n{sources}");
            let check = run(&app, &["check"], &config);
            assert_eq!(check.code, Some(0), "{name}, {way_out}: {check:?}");
        }
        let declared = format!("[accounts]\nsingle_company = true\n{sources}");
        let check = run(&app, &["check"], &declared);
        assert!(check.out.contains("2 tenants (acme, globex)"), "{check:?}");
    }
}

//! The numbers of `leaver check` and of the drift comparison, and the index of the look-up by e-mail.

mod large;
mod lookup;
mod rows;

use crate::support::TestApp;
use crate::support::process::CommandOutput;

/// Returns the status and the message of a line of `leaver check`.
fn line(output: &CommandOutput, check: &str) -> (String, String) {
    let lines = output.json();
    let lines = lines.as_array().unwrap();
    let found = lines.iter().find(|line| line["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no line {check}: {lines:#?}"));
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("status"), text("message"))
}

/// Runs `leaver check` and returns a line of it.
fn checked(app: &TestApp, check: &str) -> (String, String) {
    line(&app.run(&["check", "--json"]), check)
}

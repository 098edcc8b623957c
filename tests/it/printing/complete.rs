//! Every command is in a list of this module's tests, and every table has its options.

use std::collections::BTreeSet;

use clap::CommandFactory;

use super::forms::Case;
use super::{changes, events, files, matrix, services};

/// They print no result of their own: a log, a scene, a script, pages. Their own tests are in `serving`, `demo` and `setup`.
const OTHERS: [&str; 6] = [
    "serve",
    "demo",
    "completions",
    "man",
    "config defaults",
    "config schema",
];
/// They print sentences in place of a table.
const WITHOUT_TABLE: [&str; 12] = [
    "migrate",
    "send",
    "holds reject",
    "safeguard reject",
    "safeguard grant",
    "restores acknowledge",
    "shadow",
    "webhooks create",
    "webhooks delete",
    "init",
    "events recover",
    "events resume",
];

/// They are what `holds` and `webhooks` print alone, as a test in `options` compares.
const ALONE: [&str; 2] = ["holds list", "webhooks list"];

/// A command with its name.
type Found = (String, clap::Command);

fn commands(command: &clap::Command, path: &str, found: &mut Vec<Found>) {
    for inner in command.get_subcommands() {
        let name = format!("{path} {}", inner.get_name()).trim().to_owned();
        if inner.get_name() == "help" {
            continue;
        }
        found.push((name.clone(), inner.clone()));
        commands(inner, &name, found);
    }
}

fn all() -> Vec<Found> {
    let mut found = vec![];
    commands(&leaver::cli::Cli::command(), "", &mut found);
    found
}

#[test]
fn every_command_has_a_snapshot() {
    let lists: [&[Case]; 8] = [
        &matrix::READS,
        &matrix::READS_OF_API,
        &changes::AFTER_A_TRIP,
        &changes::AFTER_A_WRONG_FEED,
        &services::CALLS,
        &events::OUTBOX,
        &files::READS,
        &[files::INIT],
    ];
    let cases = lists.concat();
    let has_case = |name: &String| {
        let words: Vec<&str> = name.split(' ').collect();
        cases.iter().any(|case| case.args.starts_with(&words))
    };
    let mut missing: BTreeSet<String> = all().into_iter().map(|(name, _)| name).collect();
    missing.retain(|name| {
        let is_elsewhere = OTHERS.iter().chain(&ALONE).any(|other| other == name);
        !is_elsewhere && !has_case(name)
    });
    assert!(missing.is_empty(), "add a case for {missing:?}");
}

#[test]
fn every_table_has_columns_and_a_header_to_leave_out() {
    for (name, command) in all() {
        let has = |option: &str| {
            let mut arguments = command.get_arguments();
            arguments.any(|argument| argument.get_long() == Some(option))
        };
        let prints_sentences = WITHOUT_TABLE.contains(&name.as_str())
            || OTHERS.contains(&name.as_str())
            || name == "config";
        assert_eq!(has("columns"), !prints_sentences, "{name}");
        assert_eq!(has("no-header"), !prints_sentences, "{name}");
    }
}

//! Prints the findings, the files, and the next steps.

use serde_json::{Value, json};

use super::super::output;
use super::choices::{Choices, ChosenSource, Runner};
use super::document::key_file;
use super::files::{Targets, Written, shown};

/// Returns the choices, one line each.
pub(super) fn summary(choices: &Choices) -> Vec<String> {
    let accounts = &choices.accounts;
    let sessions = match accounts.end_sessions.as_slice() {
        [] => "none found; open sessions stay until your application checks the account".to_owned(),
        statements => statements.join("; "),
    };
    let sources: Vec<&str> = choices
        .sources
        .iter()
        .map(|one| one.provider.display_name())
        .collect();
    vec![
        format!(
            "users table  {} (id {}, e-mail {})",
            accounts.table, accounts.id_column, accounts.email_column
        ),
        format!(
            "access       {} = {:?}",
            accounts.shape.key(),
            accounts.shape.column()
        ),
        format!("sessions     {sessions}"),
        format!("sources      {}", sources.join(", ")),
        format!("time zone    {}", choices.timezone),
    ]
}

/// Returns the same for programs.
pub(super) fn as_json(written: &[Written], choices: &Choices) -> Value {
    let accounts = &choices.accounts;
    let paths = |was_kept: bool| -> Vec<String> {
        let chosen = written.iter().filter(|one| one.was_kept == was_kept);
        chosen.map(|one| one.path.display().to_string()).collect()
    };
    json!({
        "written": paths(false),
        "kept": paths(true),
        "accounts": {
            "table": accounts.table,
            "id_column": accounts.id_column,
            "email_column": accounts.email_column,
            accounts.shape.key(): accounts.shape.column(),
            "end_sessions": accounts.end_sessions,
        },
        "sources": choices.sources.iter().map(|one| one.provider.as_str()).collect::<Vec<_>>(),
        "timezone": choices.timezone.name(),
    })
}

/// Prints what was written, and the next steps.
pub(super) fn print(targets: &Targets, written: &[Written], choices: &Choices, has_example: bool) {
    for line in summary(choices) {
        output::line!("{line}");
    }
    output::line!();
    for one in written {
        let verb = if one.was_kept { "kept " } else { "wrote" };
        output::line!("{verb} {}", shown(&one.path));
    }
    let config = shown(&targets.config);
    output::line!("\nNext:");
    let mut steps = vec![
        format!(
            "Check it, and create the index that it names:\n    leaver check --config {config}"
        ),
        format!("Start the service:\n    leaver serve --config {config}"),
    ];
    if let Some(source) = choices.sources.iter().find(|source| can_try(source)) {
        steps.push(format!(
            "Try it with one of your users, whose access then ends as if they had left:\n    leaver send --config {config} --source {} --left {} --wait",
            source.provider,
            if has_example { "dana.ruiz@example.com" } else { "EMAIL" },
        ));
    }
    steps.extend(
        choices
            .sources
            .iter()
            .map(|source| provider_step(source, targets)),
    );
    if let Some(runner) = choices.runner {
        let path = targets.snippet(runner);
        steps.push(format!(
            "Install {}; its first lines show how.",
            shown(&path)
        ));
        if runner == Runner::Compose {
            steps.push("Name the host of the database in its URL: in a container `localhost` is the container.".to_owned());
        }
    }
    for (n, step) in (1..).zip(&steps) {
        output::line!("{n}. {step}");
    }
}

/// Returns whether a made-up delivery can be sent. Merge's first linked account becomes the company.
fn can_try(source: &ChosenSource) -> bool {
    !source.provider.capabilities().has_linked_accounts || source.account.is_some()
}

fn provider_step(source: &ChosenSource, targets: &Targets) -> String {
    let key = shown(&targets.secret(&key_file(source)));
    let url = format!("https://YOUR-HOST/webhooks/{}", source.provider);
    let name = source.provider.display_name();
    if source.provider.capabilities().manages_webhooks {
        bamboohr_step(name, &url, &key)
    } else {
        merge_step(name, &url, &key, source)
    }
}

fn bamboohr_step(name: &str, url: &str, key: &str) -> String {
    format!(
        "In {name}, as an administrator: Account, Settings, Webhooks, new webhook, format JSON.
    URL:     {url}
    Monitor: Status, Employment Status, Work Email, Hire Date
    Post:    Status, Employment Status, Termination Date, Hire Date, Work Email
    Key:     {name} generates it and shows it once. Put it into this file, in place of the key made now:
             {key}"
    )
}

fn merge_step(name: &str, url: &str, key: &str, source: &ChosenSource) -> String {
    let account = match source.account {
        Some(_) => "",
        None => {
            "\n    Account: set `linked_accounts`, or the first linked account that delivers becomes the company"
        }
    };
    format!(
        "In {name}: Advanced, Webhooks, new emitter.
    URL:     {url}
    Events:  Employee added, changed and removed
    Key:     Put the signature key of the Security page into this file, in place of the key made now:
             {key}{account}"
    )
}

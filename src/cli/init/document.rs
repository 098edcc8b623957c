//! The text of the configuration file.

use toml::Value;

use super::choices::{Choices, ChosenSource};
use super::files::{Targets, shown};
use crate::base::build;
use crate::engine::accounts::Shape;
use crate::engine::accounts::discovery::Proposal;

/// Returns the configuration file.
pub(super) fn render(choices: &Choices, targets: &Targets) -> String {
    let name = shown(&targets.config);
    let mut lines = vec![
        format!("# Settings of Leaver, written by `leaver init` {}. Edit them as you like.", build::VERSION),
        "# This file holds what differs from the defaults, and no secret.".to_owned(),
        "#".to_owned(),
        described("leaver config defaults", "every setting with its meaning and default"),
        described(
            &format!("leaver config show --config {name}"),
            "the settings in effect, and where each comes from",
        ),
        described(
            &format!("leaver check --config {name}"),
            "checks them, the database and the users table",
        ),
        String::new(),
        "[database]".to_owned(),
        "# \"file:PATH\" refers to a file that holds the secret. A relative path begins at the folder of this file.".to_owned(),
        setting("url", &text(format!("file:{}", targets.reference(DATABASE)))),
    ];
    if choices.is_unverified {
        lines.push(
            "# Nothing verifies the server. Remove this line once it has a certificate.".to_owned(),
        );
        lines.push(setting("tls", &text("unverified")));
    }
    lines.extend(accounts(&choices.accounts));
    lines.extend([
        String::new(),
        "[policy]".to_owned(),
        "# Zone in which a last day ends. A source can set its own.".to_owned(),
        setting("timezone", &text(choices.timezone.name())),
        "# When access ends on the last day: \"start_of_day\", \"end_of_day\" or a time such as \"17:30\".".to_owned(),
        setting("cutoff", &text("end_of_day")),
        String::new(),
        "[safeguard]".to_owned(),
        "# \"shadow\" plans each change and makes none, until `leaver enforce`. See `leaver plan`.".to_owned(),
        setting("mode", &text("enforce")),
    ]);
    for source in &choices.sources {
        lines.extend(of_source(source, targets));
    }
    lines.join("\n") + "\n"
}

/// Returns a comment that describes a command.
fn described(command: &str, effect: &str) -> String {
    format!("#   {command:<43} {effect}")
}

/// Name of the file with the URL of the database.
pub(super) const DATABASE: &str = "database-url";

/// Returns the name of the file with the webhook key of a source.
pub(super) fn key_file(source: &ChosenSource) -> String {
    format!("{}-webhook-secret", source.provider)
}

fn accounts(accounts: &Proposal) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "# The table of users.".to_owned(),
        "[accounts]".to_owned(),
        setting("table", &text(&accounts.table)),
        setting("id_column", &text(&accounts.id_column)),
        setting("email_column", &text(&accounts.email_column)),
    ];
    lines.extend(shape(&accounts.shape));
    lines.push("# Statements that end the sessions of deactivated accounts, in the same transaction. $1 is the list of account ids.".to_owned());
    if accounts.end_sessions.is_empty() {
        lines.push("# No table of sessions was found. Example: [\"DELETE FROM sessions WHERE user_id::text = ANY($1)\"]".to_owned());
    }
    lines.push(setting("end_sessions", &list(&accounts.end_sessions)));
    for statement in &accounts.end_tokens {
        lines.push(format!(
            "# This would delete tokens too: {}",
            text(statement)
        ));
    }
    lines.push("# E-mails or ids of accounts that are deactivated only after a person approves it: break-glass and service accounts.".to_owned());
    lines.push(setting("protected", &list(&[])));
    if let Some(column) = &accounts.protected {
        lines.push("# The same for every account of this kind:".to_owned());
        lines.push(format!(
            "# {}",
            setting("protected_where", &text(quoted(column)))
        ));
    }
    if let Some(column) = &accounts.updated_at {
        lines.push("# Also write the time of a change, unless a trigger does:".to_owned());
        let key = if is_bare(column) {
            column.clone()
        } else {
            text(column).to_string()
        };
        lines.push(format!("# also_set = {{ {key} = \"now()\" }}"));
    }
    if let Some(column) = &accounts.tenant {
        lines.push(
            "# With several companies in one table, the column that holds the company:".to_owned(),
        );
        lines.push(format!("# {}", setting("tenant_column", &text(column))));
    }
    lines
}

fn shape(shape: &Shape) -> Vec<String> {
    let comment = match shape {
        Shape::Active(_) => "# A boolean that is true for access.",
        Shape::Disabled(_) => "# A boolean that is true for an account without access.",
        Shape::DeactivatedAt(_) => "# A time from which on the account has no access.",
        Shape::Status { .. } => {
            "# A status: the values that have access, and the one that ends it."
        }
    };
    let mut lines = vec![
        comment.to_owned(),
        setting(shape.key(), &text(shape.column())),
    ];
    if let Shape::Status {
        active, inactive, ..
    } = shape
    {
        lines.push(setting("active_values", &list(active)));
        lines.push(setting("inactive_value", &text(inactive)));
    }
    lines
}

fn of_source(source: &ChosenSource, targets: &Targets) -> Vec<String> {
    let provider = source.provider;
    let key = format!("file:{}", targets.reference(&key_file(source)));
    let mut lines = vec![
        String::new(),
        "[[sources]]".to_owned(),
        format!("# Webhooks of this source arrive at /webhooks/{provider}."),
        setting("name", &text(provider.as_str())),
        setting("provider", &text(provider.as_str())),
        format!(
            "# The key that signs them. The file holds one for a trial; replace it by that of {}.",
            provider.display_name()
        ),
        setting("webhook_secrets", &list(&[key])),
    ];
    let api_key = format!("file:{}", targets.reference(&format!("{provider}-api-key")));
    let api_key = text(api_key);
    if provider.capabilities().has_linked_accounts {
        match &source.account {
            Some(account) => lines.push(format!("linked_accounts = [ {{ id = {}, tenant = \"default\" }} ]", text(account))),
            None => lines.push("# Your linked account. Without it, the first one that delivers is the company.\n# linked_accounts = [ { id = \"...\", tenant = \"default\" } ]".to_owned()),
        }
        lines.push(
            "# The API finds what webhooks lost. It needs a `token` for each linked account too."
                .to_owned(),
        );
        lines.push(format!("# api = {{ api_key = {api_key} }}"));
    } else {
        lines.push(
            "# The API finds what webhooks lost, and reads changes that arrive without values."
                .to_owned(),
        );
        lines.push(format!(
            "# api = {{ company_domain = \"acme\", api_key = {api_key} }}"
        ));
    }
    lines
}

fn setting(key: &str, value: &Value) -> String {
    format!("{key} = {value}")
}

fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

fn list(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(text).collect())
}

fn is_bare(key: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !key.is_empty() && key.chars().all(is_plain)
}

/// Returns a column as an SQL predicate spells it.
fn quoted(column: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
    if column.chars().all(is_plain) {
        column.to_owned()
    } else {
        format!("\"{}\"", column.replace('"', "\"\""))
    }
}

//! The kind of a key, from its default and its description. Tests compare it with what the settings accept.

use toml::Value;

use crate::config::values::{parse_duration, parse_size};

/// Values that a key accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    /// A whole number of at least this.
    Integer(i64),
    Text,
    /// One of these words.
    Choice(Vec<String>),
    Duration,
    /// A duration or "off".
    DurationOrOff,
    /// A number of bytes with a unit.
    Size,
    /// A word or a time of day.
    Cutoff,
    /// A reference to a secret.
    Secret {
        /// An empty text stands for no secret.
        is_optional: bool,
    },
    /// A list of references to secrets.
    Secrets,
    Texts,
    /// A list of e-mails and ids.
    Accounts,
    /// Texts by name.
    TextMap,
    /// `floor` and `percent`.
    Limit,
    /// `id`, `tenant` and `token` of each.
    LinkedAccounts,
}

impl Kind {
    /// Returns the kind of a key.
    pub(super) fn of(path: &str, default: &Value, description: &str) -> Self {
        match path {
            "accounts.protected" => return Self::Accounts,
            "policy.cutoff" | "sources[].cutoff" => return Self::Cutoff,
            "policy.max_silence" | "sources[].max_silence" => return Self::DurationOrOff,
            "sources[].linked_accounts" => return Self::LinkedAccounts,
            _ => {}
        }
        match default {
            Value::Boolean(_) => Self::Boolean,
            Value::Integer(_) => Self::Integer(minimum(description)),
            Value::Array(list) if is_secret_list(list) => Self::Secrets,
            Value::Array(_) => Self::Texts,
            Value::Table(table) if table.contains_key("floor") => Self::Limit,
            Value::Table(_) => Self::TextMap,
            Value::String(text) => of_text(text, description),
            Value::Float(_) | Value::Datetime(_) => Self::Text,
        }
    }

    /// Returns whether values are references to secrets.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Secrets)
    }
}

fn of_text(default: &str, description: &str) -> Kind {
    if default.starts_with("env:") || description.starts_with("Reference to") {
        return Kind::Secret {
            is_optional: default.is_empty(),
        };
    }
    let words = words(description);
    if !default.is_empty() && words.iter().any(|word| word == default) {
        return Kind::Choice(words);
    }
    if parse_duration(default).is_some() {
        return Kind::Duration;
    }
    match parse_size(default) {
        Some(_) => Kind::Size,
        None => Kind::Text,
    }
}

fn is_secret_list(list: &[Value]) -> bool {
    list.iter()
        .any(|value| value.as_str().is_some_and(|text| text.starts_with("env:")))
}

/// Returns the words of a description that lists them as `one | two | three`, or quoted before a colon.
fn words(description: &str) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    let listed: Vec<&str> = description.split(' ').collect();
    for (n, word) in listed.iter().enumerate() {
        if *word == "|" && n > 0 {
            let beside = [listed.get(n - 1), listed.get(n + 1)];
            for word in beside.into_iter().flatten() {
                let word = word.trim_end_matches('.').to_owned();
                if !found.contains(&word) {
                    found.push(word);
                }
            }
        }
    }
    if found.is_empty() {
        // Quoted words, each with its meaning.
        for word in description.split('"').skip(1).step_by(2) {
            if !found.iter().any(|known| known == word) {
                found.push(word.to_owned());
            }
        }
    }
    found
}

/// Returns the number in a description such as "At least 8.", else 0.
fn minimum(description: &str) -> i64 {
    let (_, rest) = description.split_once("At least ").unwrap_or_default();
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().unwrap_or(0)
}

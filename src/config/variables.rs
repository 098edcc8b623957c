//! Refuses `LEAVER_*` variables that set nothing, and names the nearest one that does.

use toml::{Table, Value};

use super::{Environment, SettingsError};

/// Most edits between a variable and the one that is suggested for it.
const MAX_DISTANCE: usize = 8;

/// Fails for the first variable that begins with `LEAVER_` and sets nothing.
///
/// `named` are the variables with names of their own. `table` holds all keys; a variable that it names by `env:NAME` is
/// used, and so is its `_FILE` twin.
pub(super) fn refuse_unknown(
    env: &Environment,
    named: &[&str],
    defaults: &Table,
    table: &Table,
) -> Result<(), SettingsError> {
    let references = references(table);
    for (rest, value) in env.with_prefix("LEAVER_") {
        let name = format!("LEAVER_{rest}");
        let secret = name.strip_suffix("_FILE").unwrap_or(&name);
        let is_reference = references
            .iter()
            .any(|known| known == &name || known == secret);
        // `layers` checks the names with two underscores.
        let is_known = rest.starts_with('_')
            || named.contains(&name.as_str())
            || is_reference
            || is_service_link(&name, value);
        if !is_known {
            return Err(unknown(&name, named, defaults));
        }
    }
    Ok(())
}

/// Returns whether a path of lower-case keys is one of the defaults, or below a table or value of them.
pub(super) fn is_key(defaults: &Table, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else {
        return true;
    };
    match defaults.get(key) {
        // The keys of an empty table are free. A key below a value gets an error of its own.
        Some(Value::Table(inner)) => inner.is_empty() || is_key(inner, rest),
        Some(_) => true,
        None => false,
    }
}

/// Makes the error for a variable that sets nothing.
pub(super) fn unknown(name: &str, named: &[&str], defaults: &Table) -> SettingsError {
    let mut known: Vec<String> = named.iter().map(|&name| name.to_owned()).collect();
    collect_keys(defaults, "LEAVER_", &mut known);
    let distance = |other: &String| strsim::damerau_levenshtein(name, other);
    let nearest = known.iter().min_by_key(|other| distance(other));
    let hint = match nearest.filter(|other| distance(other) <= MAX_DISTANCE) {
        Some(nearest) => format!("did you mean {nearest}? Rename it"),
        None => "config/default.toml lists all settings".to_owned(),
    };
    SettingsError::Value {
        origin: "the environment".to_owned(),
        key: name.to_owned(),
        problem: format!("this variable sets nothing; {hint}, or unset it"),
    }
}

/// Returns whether Kubernetes or Docker set the variable, for a service or container with the name `leaver`.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables, read 2026-11-27
fn is_service_link(name: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    let has_port_number = name
        .split("_PORT_")
        .nth(1)
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || has_port_number
        || (name.ends_with("_PORT") && is_address)
}

/// Returns the variables that the settings refer to by `env:NAME`.
pub(super) fn references(table: &Table) -> Vec<String> {
    let mut names = vec![];
    collect_references(table, &mut names);
    names
}

/// Collects the variables that references name, such as `NAME` of `env:NAME`.
pub(super) fn collect_references(table: &Table, names: &mut Vec<String>) {
    let mut values: Vec<&Value> = table.values().collect();
    while let Some(value) = values.pop() {
        match value {
            Value::String(text) => names.extend(text.strip_prefix("env:").map(str::to_owned)),
            Value::Array(list) => values.extend(list),
            Value::Table(inner) => values.extend(inner.values()),
            _ => {}
        }
    }
}

/// Collects the variable of each key in a section, such as `LEAVER__SERVER__LISTEN`.
fn collect_keys(table: &Table, prefix: &str, names: &mut Vec<String>) {
    for (key, value) in table {
        let name = format!("{prefix}_{}", key.to_uppercase());
        match value {
            Value::Table(inner) if !inner.is_empty() => {
                collect_keys(inner, &format!("{name}_"), names);
            }
            _ if prefix != "LEAVER_" => names.push(name),
            _ => {}
        }
    }
}

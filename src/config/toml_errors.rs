//! Rewrites serde's messages for readers who know TOML and no Rust.

/// Names more alike than this are taken for a spelling mistake; 1 is equality.
const MIN_SIMILARITY: f64 = 0.85;

/// Describes why a value cannot be deserialized. An unknown key gets the nearest existing key, if one is close,
/// otherwise the list of keys.
pub(super) fn describe_toml_error(problem: &str) -> String {
    if let Some((key, known)) = unknown_key(problem) {
        return match nearest(key, known) {
            Some(nearest) => format!("unknown key; did you mean `{nearest}`?"),
            None => format!("unknown key, expected {known}"),
        };
    }
    let Some((found, expected)) = problem.rsplit_once(", expected ") else {
        return problem.to_owned();
    };
    let expected = match expected {
        "i32" | "i64" | "u32" | "usize" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        word if word.starts_with("struct ") => "a section with keys of its own",
        other => other,
    };
    format!("{found}, expected {expected}")
}

/// Splits serde's message for an unknown key into the key and the list of known keys in backticks.
fn unknown_key(problem: &str) -> Option<(&str, &str)> {
    problem
        .strip_prefix("unknown field `")?
        .split_once("`, expected ")
}

/// Returns the known key that is most like this one, if it is close enough.
fn nearest<'k>(key: &str, known: &'k str) -> Option<&'k str> {
    known
        .split('`')
        // The names are between the backticks; "one of", "," and "or" are around them.
        .skip(1)
        .step_by(2)
        .map(|name| (strsim::jaro_winkler(key, name), name))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

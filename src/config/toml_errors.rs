//! Rewrites serde's messages for readers who know TOML and no Rust.

/// Names more alike than this are taken for a spelling mistake; 1 is equality.
const MIN_SIMILARITY: f64 = 0.85;

/// Returns the path of a value and why it cannot be deserialized. An unknown key gets the nearest existing key, if one
/// is close, otherwise the list of keys.
pub(super) fn describe_toml_error(path: &str, problem: &str) -> (String, String) {
    // Serde's path ends with `?` if the key of a map is invalid, and the problem names the key.
    if let (Some(section), Some((key, known))) =
        (path.strip_suffix('?'), split(problem, "unknown variant `"))
    {
        return (format!("{section}{key}"), describe_unknown_key(key, known));
    }
    (path.to_owned(), describe_problem(problem))
}

fn describe_unknown_key(key: &str, known: &str) -> String {
    match nearest(key, known) {
        Some(nearest) => format!("unknown key; did you mean `{nearest}`?"),
        None => format!("unknown key, expected {known}"),
    }
}

fn describe_problem(problem: &str) -> String {
    if let Some((key, known)) = split(problem, "unknown field `") {
        return describe_unknown_key(key, known);
    }
    let Some((found, expected)) = problem.rsplit_once(", expected ") else {
        return problem.to_owned();
    };
    let expected = match expected {
        "i32" | "i64" | "u32" | "usize" => "a whole number",
        "a map" => "a section",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        word if word.starts_with("struct ") => "a section with keys of its own",
        other => other,
    };
    format!("{found}, expected {expected}")
}

/// Splits serde's message for an unknown name into the name and the list of known names in backticks.
fn split<'p>(problem: &'p str, start: &str) -> Option<(&'p str, &'p str)> {
    problem.strip_prefix(start)?.split_once("`, expected ")
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

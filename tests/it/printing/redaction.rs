//! Replaces what differs between two runs by text of the same width.

use super::Story;

/// Times, ids and digests: `d` is a digit, `h` a hexadecimal one, and all else itself.
const FORMS: [(&str, &str); 7] = [
    (
        "test_hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh",
        "test_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ),
    (
        "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh",
        "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    ),
    ("dddd-dd-dd dd:dd:ddZ", "2026-01-02 03:04:05Z"),
    ("dddd-dd-ddTdd:dd:dd", "2026-01-02T03:04:05"),
    ("hhhh-hhhh-hhhh-hhhh", "xxxx-xxxx-xxxx-xxxx"),
    ("127.0.0.1:ddddd", "127.0.0.1:00000"),
    // After the forms of which it is the beginning.
    ("dddd-dd-dd dd:dd", "2026-01-02 03:04"),
];
/// Kept as they are: they come from the story.
const FIXED: [&str; 3] = ["2199-", "2026-11-20", "2026-11-22"];

pub(super) fn redacted(story: &Story, text: &str) -> String {
    let env = story.app.env(&[]);
    let file = env.iter().find(|(name, _)| *name == "LEAVER_CONFIG");
    let text = text.replace(file.unwrap().1, "leaver.toml");
    let migrations = leaver::db::schema::MIGRATOR.iter().count();
    let text = text.replace(
        &format!("0 of {migrations} migrations"),
        "0 of 0 migrations",
    );
    let version = env!("CARGO_PKG_VERSION");
    let text = text.replace(&format!("leaver {version}"), "leaver 0.0.0");
    let text = text.replace(&format!("version\t{version}"), "version\t0.0.0");
    redacted_text(&text.replace(
        &format!("\"version\": \"{version}\""),
        "\"version\": \"0.0.0\"",
    ))
}

/// Checks whose message depends on the machine, or on what else runs on it.
const VARYING: [&str; 4] = [
    "database",
    "database.max_connections",
    "accounts look-up",
    "accounts sweep",
];

/// Removes the rows of `leaver check` that vary, and their messages from JSON.
pub(super) fn without_varying_checks(shown: &str) -> String {
    let mut kept = String::new();
    let mut is_varying = false;
    for line in shown.lines() {
        let text = line.trim();
        if let Some(rest) = text.strip_prefix("\"check\": \"") {
            is_varying = VARYING.contains(&rest.trim_end_matches("\","));
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        // The message of such a check, and on a terminal the rest of its row.
        let is_rest = text.starts_with("\"message\"") || line.starts_with("         ");
        if !is_rest {
            // The columns are parted by a tab, or by two spaces or more.
            let cells = line.split('\t').flat_map(|cell| cell.split("  "));
            let mut cells = cells.map(str::trim).filter(|cell| !cell.is_empty());
            is_varying = cells.nth(1).is_some_and(|name| VARYING.contains(&name));
        }
        if !is_varying {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

pub(super) fn redacted_text(text: &str) -> String {
    let lines = text.split('\n').map(without_rate);
    let text = lines.collect::<Vec<String>>().join("\n");
    let mut redacted = String::new();
    let mut rest = text.as_str();
    'text: while let Some(first) = rest.chars().next() {
        let is_fixed = FIXED.iter().any(|fixed| rest.starts_with(fixed));
        for (form, stand_in) in FORMS {
            let Some(found) = rest.get(..form.len()).filter(|_| !is_fixed) else {
                continue;
            };
            if fits(found, form) {
                redacted.push_str(stand_in);
                rest = &rest[form.len()..];
                if form.contains('T') {
                    rest = without_fraction(rest);
                }
                continue 'text;
            }
        }
        redacted.push(first);
        rest = &rest[first.len_utf8()..];
    }
    redacted
}

/// Removes time and rate from a summary such as `drift: 9 employees in 0.1 s, 114 a second`.
fn without_rate(line: &str) -> String {
    match line.split_once(" in ") {
        Some((work, rate)) if rate.ends_with(" a second") => format!("{work} in a time"),
        _ => line.to_owned(),
    }
}

fn fits(found: &str, form: &str) -> bool {
    found.bytes().zip(form.bytes()).all(|(byte, of)| match of {
        b'd' => byte.is_ascii_digit(),
        b'h' => byte.is_ascii_hexdigit(),
        other => byte == other,
    })
}

fn without_fraction(rest: &str) -> &str {
    match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    }
}

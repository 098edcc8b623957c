//! Words that this project does not use in code, comments, messages, documentation and `--help`, because a plainer one exists.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each banned word or phrase, and what to write instead. An underscore in the text counts as a space.
const BANNED: [(&str, &str); 83] = [
    ("whoever", "name the person or process"),
    ("whatever the database", "say which error is returned"),
    ("anew", "again"),
    ("in hand", "in flight"),
    ("under way", "in progress"),
    ("put aside", "postponed, or moved to the dead letters"),
    ("puts aside", "postpones"),
    ("set apart", "isolated"),
    ("nobody is", "name what does not happen"),
    ("nobody's", "without an employee"),
    ("of nobody", "without an employee"),
    ("switch off", "deactivate"),
    ("switch on", "reactivate"),
    ("switch it off", "deactivate it"),
    ("switch it on", "reactivate it"),
    ("switched off", "deactivated"),
    ("switched on", "reactivated"),
    ("switched it off", "deactivated it"),
    ("switched it on", "reactivated it"),
    ("switches off", "deactivates"),
    ("switches on", "reactivates"),
    ("switching off", "deactivating"),
    ("switching on", "reactivating"),
    ("house", "no metaphor"),
    ("bell", "notification"),
    ("doubt", "uncertainty"),
    ("doubts", "uncertainties, warnings"),
    ("doubtful", "uncertain"),
    ("rush", "overload"),
    ("crowd", "large batch"),
    ("door", "authentication"),
    ("doors", "entry points"),
    ("accent", "provider format"),
    ("map of the country", "where each part is"),
    ("room", "module, space"),
    ("rooms", "modules"),
    ("patience", "timeout"),
    ("vitals", "liveness"),
    ("deed", "change"),
    ("deeds", "changes"),
    ("lent", "borrowed, leased"),
    ("lends", "returns, leases"),
    ("lined up", "queued"),
    ("lines up", "enqueues"),
    ("turned away", "rejected"),
    ("turns away", "rejects"),
    ("turning away", "rejecting"),
    ("take turns", "run one at a time"),
    ("takes turns", "runs one at a time"),
    ("its turn", "its lock, its place in the order"),
    ("put off", "rejected with 503"),
    ("puts off", "rejects with 503"),
    ("come again", "retry"),
    ("comes again", "retries"),
    ("said", "logged, reported, received"),
    ("says", "returns, contains, reports"),
    ("saying", "returning, reporting"),
    ("told", "notified, logged, configured"),
    ("tells", "returns, reports"),
    ("tell", "report, notify"),
    ("knows", "has, stores, can read"),
    ("knew", "had stored"),
    ("is asked", "is queried, is called"),
    ("are asked", "are queried, are called"),
    ("is heard", "is received"),
    ("was heard", "was received"),
    ("heard of", "received from"),
    ("hears", "receives"),
    ("notices", "detects"),
    ("noticed", "detected"),
    ("minds", "checks"),
    ("silently gone", "dead"),
    ("passed over", "skipped"),
    ("taken in", "applied"),
    ("gives way", "yields"),
    ("giving way", "yielding"),
    ("last word", "latest delivery"),
    ("last words", "latest deliveries"),
    ("mend", "repair"),
    ("mends", "repairs"),
    ("the showing", "the demo"),
    ("stranger", "unknown employee"),
    ("strangers", "unknown employees"),
];

/// Where a banned word has its ordinary meaning: file, word, reason.
const ALLOWED: [(&str, &str, &str); 0] = [];

/// A phrase in which the words are right, because it is about people. It is not scanned.
const ABOUT_PEOPLE: [&str; 3] = ["hr", "says", "so"];

/// Words that no doc comment opens with.
const BANNED_OPENINGS: [&str; 5] = ["whoever", "whether", "nobody", "what", "so"];

/// A text that people read, with the name that a failure shows.
struct Text {
    name: String,
    /// The words in lower case between single spaces, each with its line.
    words: Vec<(usize, String)>,
}

impl Text {
    fn new(name: &str, text: &str) -> Self {
        let mut words = vec![];
        for (index, line) in text.lines().enumerate() {
            let is_separator = |c: char| !c.is_alphanumeric() && c != '\'';
            for word in line.split(is_separator).filter(|word| !word.is_empty()) {
                words.push((index + 1, word.trim_matches('\'').to_lowercase()));
            }
        }
        let is_about_people = |at: usize| {
            let phrase = words.iter().skip(at).take(ABOUT_PEOPLE.len());
            phrase.map(|(_, word)| word.as_str()).eq(ABOUT_PEOPLE)
        };
        let skipped: Vec<usize> = (0..words.len())
            .filter(|at| is_about_people(*at))
            .flat_map(|at| at..at + ABOUT_PEOPLE.len())
            .collect();
        let words = words.iter().enumerate();
        let words = words.filter(|(at, _)| !skipped.contains(at));
        Self {
            name: name.to_owned(),
            words: words.map(|(_, word)| word.clone()).collect(),
        }
    }

    /// Returns the lines at which a phrase begins.
    fn lines_with(&self, phrase: &str) -> Vec<usize> {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        let matches = |window: &&[(usize, String)]| {
            let words = window.iter().map(|(_, word)| word.as_str());
            words.eq(phrase.iter().copied())
        };
        let windows = self.words.windows(phrase.len());
        windows.filter(matches).map(|window| window[0].0).collect()
    }
}

fn files_below(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files_below(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| {
        ["rs", "md", "toml", "sql"]
            .iter()
            .any(|text| extension == *text)
    }) {
        found.push(path.to_path_buf());
    }
}

/// Returns what is scanned of the checkout, as path and text.
fn checkout() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    for place in [
        "src",
        "crates",
        "config",
        "migrations",
        "docs",
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ] {
        files_below(&root.join(place), &mut files);
    }
    files.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        (name, fs::read_to_string(&path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// Returns the `--help` of a command and of all its subcommands.
fn help(command: &[&str], texts: &mut Vec<(String, String)>) {
    let output = Command::new(env!("CARGO_BIN_EXE_leaver"))
        .args(command)
        .arg("--help")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let name = format!("leaver {} --help", command.join(" "));
    let commands = text.split_once("\nCommands:\n").map(|(_, rest)| rest);
    let commands = commands.and_then(|rest| rest.split("\n\n").next());
    for line in commands.unwrap_or_default().lines() {
        // A line that is indented deeper continues the one before.
        let name = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '));
        let name = name.and_then(|rest| rest.split(' ').next());
        if let Some(name) = name.filter(|name| *name != "help") {
            help(&[command, &[name]].concat(), texts);
        }
    }
    texts.push((name, text));
}

#[test]
fn banned_words_do_not_occur() {
    let mut texts = checkout();
    help(&[], &mut texts);
    assert!(
        texts
            .iter()
            .any(|(name, _)| name == "leaver webhooks create --help")
    );
    let mut report = String::new();
    let mut files = 0;
    for (name, text) in &texts {
        let text = Text::new(name, text);
        let mut found = String::new();
        for (phrase, instead) in BANNED {
            if ALLOWED
                .iter()
                .any(|(file, allowed, _)| file == name && *allowed == phrase)
            {
                continue;
            }
            let lines = text.lines_with(phrase);
            if !lines.is_empty() {
                writeln!(found, "  \"{phrase}\" in lines {lines:?}; write: {instead}").unwrap();
            }
        }
        if !found.is_empty() {
            files += 1;
            writeln!(report, "{}\n{found}", text.name).unwrap();
        }
    }
    assert!(
        report.is_empty(),
        "{files} texts have banned words\n{report}"
    );
}

/// Returns the first word of each block of doc comments, with its line.
fn openings_of_doc_comments(text: &str) -> Vec<(usize, String)> {
    let mut openings = vec![];
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let doc = ["///", "//!"]
            .iter()
            .find_map(|mark| line.strip_prefix(mark));
        let Some(doc) = doc else {
            in_block = false;
            continue;
        };
        let first = doc.split_whitespace().next();
        if !in_block && let Some(word) = first {
            openings.push((index + 1, word.to_lowercase()));
        }
        in_block = first.is_some();
    }
    openings
}

#[test]
fn doc_comments_do_not_open_with_a_relative_word() {
    let mut report = String::new();
    for (name, text) in checkout() {
        if Path::new(&name)
            .extension()
            .is_none_or(|extension| extension != "rs")
        {
            continue;
        }
        for (line, word) in openings_of_doc_comments(&text) {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            if BANNED_OPENINGS.contains(&word) {
                writeln!(report, "{name}:{line} opens with \"{word}\"").unwrap();
            }
        }
    }
    assert!(
        report.is_empty(),
        "begin with a verb in the third person\n{report}"
    );
}

#[test]
fn exceptions_are_still_needed() {
    for (file, phrase, reason) in ALLOWED {
        let text = checkout().into_iter().find(|(name, _)| name == file);
        let (name, text) = text.unwrap_or_else(|| panic!("{file} is gone: {reason}"));
        let occurs = !Text::new(&name, &text).lines_with(phrase).is_empty();
        assert!(occurs, "{file} no longer has \"{phrase}\"");
    }
}

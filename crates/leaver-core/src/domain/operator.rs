//! The names that people claim at the command line.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::actor::{InvalidActor, MAX_CHARS};

/// Names of the service and of kinds. A name that reads like one of them is refused.
const RESERVED: [&str; 12] = [
    "leaver",
    "system",
    "worker",
    "timer",
    "sync",
    "drift",
    "service",
    "cli",
    "user",
    "token",
    "webhook",
    "scheduler",
];
/// Of these, also a name of which it is the first word.
const RESERVED_FIRST_WORDS: [&str; 2] = ["leaver", "system"];
/// Latin letters without a decomposition into a letter of ASCII and marks, and what they resemble.
const OTHER_LETTERS: [(char, &str); 13] = [
    ('ß', "ss"),
    ('æ', "ae"),
    ('Æ', "ae"),
    ('œ', "oe"),
    ('Œ', "oe"),
    ('ø', "o"),
    ('Ø', "o"),
    ('ł', "l"),
    ('Ł', "l"),
    ('đ', "d"),
    ('Đ', "d"),
    ('þ', "th"),
    ('Þ', "th"),
];

/// The name of a person at the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator(String);

impl Operator {
    /// Parses a name: up to 64 Latin letters, digits, spaces and `. _ - + ' @ \`.
    ///
    /// Other scripts have letters that look like Latin ones, so they are refused. A name that resembles a reserved one
    /// is refused too, also in another case, with accents, with separators, or with digits in place of letters.
    ///
    /// # Errors
    /// Returns an [`InvalidActor`].
    pub fn parse(text: &str) -> Result<Self, InvalidActor> {
        let name: String = text.trim_matches(' ').nfc().collect();
        if !name.chars().all(is_allowed) {
            return Err(InvalidActor::Character);
        }
        if name.chars().count() > MAX_CHARS {
            return Err(InvalidActor::TooLong);
        }
        if !name.contains(char::is_alphanumeric) {
            return Err(InvalidActor::Blank);
        }
        if is_reserved(&name) {
            return Err(InvalidActor::Reserved);
        }
        Ok(Self(name))
    }
}

fn is_allowed(c: char) -> bool {
    matches!(c, ' ' | '.' | '_' | '-' | '+' | '\'' | '@' | '\\') || basic_letters(c).is_some()
}

/// Returns a Latin letter or a digit without its marks; `None` for any other character.
fn basic_letters(c: char) -> Option<String> {
    if let Some((_, letters)) = OTHER_LETTERS.iter().find(|(other, _)| *other == c) {
        return Some((*letters).to_owned());
    }
    let mut parts = c.nfd();
    let base = parts.next().filter(char::is_ascii_alphanumeric)?;
    parts.all(is_combining_mark).then(|| base.to_string())
}

fn is_reserved(name: &str) -> bool {
    let words: Vec<String> = name
        .split(|c| basic_letters(c).is_none())
        .filter(|word| !word.is_empty())
        .map(outline)
        .collect();
    let is_one_of = |names: &[&str], word: &str| names.iter().any(|name| outline(name) == word);
    let first = words.first().map(String::as_str).unwrap_or_default();
    is_one_of(&RESERVED, &words.concat()) || is_one_of(&RESERVED_FIRST_WORDS, first)
}

/// Reduces a word to what it looks like: lower case, without marks, and one character for those that resemble each other.
fn outline(word: &str) -> String {
    let basic = word.chars().filter_map(basic_letters).collect::<String>();
    let outlined = basic.chars().map(|c| match c.to_ascii_lowercase() {
        '1' | 'l' | 'j' => 'i',
        '0' => 'o',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        other => other,
    });
    let outlined: String = outlined.collect();
    outlined.replace("rn", "m").replace("vv", "w")
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_accepted() {
        for name in [
            "alice",
            "Zoë O'Brien-Núñez",
            "ACME\\dana",
            "dana@acme",
            "uid-65532",
            "Timea",
            "Ursula",
            "Systa",
            "tim",
            "e\u{301}va",
            "user2x",
        ] {
            assert!(Operator::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn reserved_names_are_refused_in_every_spelling() {
        for name in [
            "leaver",
            "LEAVER",
            " Leaver ",
            "le-aver",
            "l.e.a.v.e.r",
            "1eaver",
            "Ieaver",
            "leáver",
            "leaver worker",
            "leaver-1",
            "system",
            "System",
            "SYSTEM timer",
            "system.timer",
            "sy5tem",
            "timer",
            "tlmer",
            "tirner",
            "worker",
            "vvorker",
            "t0ken",
            "user",
            "cli",
            "c1i",
            "drift",
            "sync",
        ] {
            assert_eq!(Operator::parse(name), Err(InvalidActor::Reserved), "{name}");
        }
    }

    #[test]
    fn kinds_and_letters_of_other_scripts_are_refused() {
        for name in [
            "system:timer",
            "token:x",
            "user:a/b",
            "cli:alice",
            "system\u{ff1a}timer",
            "system\u{a789}timer",
            "ѕystem",
            "lеaver",
            "ｌｅａｖｅｒ",
            "ﬁn",
            "alice\n",
            "al\u{202e}ice",
            "al\u{200b}ice",
            "a\tb",
            "a/b",
            "\u{1b}[2J",
            "田中",
            "ı",
        ] {
            assert_eq!(
                Operator::parse(name),
                Err(InvalidActor::Character),
                "{name:?}"
            );
        }
        assert_eq!(Operator::parse("  "), Err(InvalidActor::Blank));
        assert_eq!(Operator::parse(". -"), Err(InvalidActor::Blank));
        assert_eq!(Operator::parse(&"a".repeat(65)), Err(InvalidActor::TooLong));
    }
}

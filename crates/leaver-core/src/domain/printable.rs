//! Text for terminals, logs and JSON. Characters that steer a terminal, reorder a line or cannot be seen are escaped.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns true for characters without a visible form: Unicode's `Default_Ignorable_Code_Point`.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}'
        | '\u{34F}'
        | '\u{61C}'
        | '\u{115F}'..='\u{1160}'
        | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFF8}'
        | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// Returns true for control characters, line and paragraph separators, marks that reorder text, and invisible characters.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FFF9}'..='\u{FFFB}')
        || is_invisible(c)
}

/// Returns a text on one line: each unprintable character is written as an escape such as `\n` or `\u{202e}`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unprintable, Notation::Rust)
}

/// Returns a text of several lines: as [`printable`], but line feeds and tabs stay.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| !matches!(c, '\n' | '\t') && is_unprintable(c);
    escaped(text, is_escaped, Notation::Rust)
}

/// Returns a JSON text in which unprintable characters are written as `\u202e`. Its values are the same.
///
/// JSON requires an escape below U+0020 only. Outside of strings the others cannot occur.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| !matches!(c, '\n' | '\r' | '\t') && is_unprintable(c);
    escaped(json, is_escaped, Notation::Json)
}

#[derive(Clone, Copy)]
enum Notation {
    Rust,
    Json,
}

fn escaped(text: &str, selects: impl Fn(char) -> bool, notation: Notation) -> Cow<'_, str> {
    if !text.chars().any(&selects) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match (selects(c), notation) {
            (false, _) => written.push(c),
            (true, Notation::Rust) => written.extend(c.escape_default()),
            (true, Notation::Json) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing into a string cannot fail.
                    let _ = write!(written, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str =
        "a\u{1b}[2J\r\n\tb\u{9b}\u{7f}\u{202e}c\u{2066}\u{200b}\u{2028}\u{fff9}\u{e0041}é田";

    #[test]
    fn unprintable_characters_become_escapes() {
        assert_eq!(
            printable(HOSTILE),
            r"a\u{1b}[2J\r\n\tb\u{9b}\u{7f}\u{202e}c\u{2066}\u{200b}\u{2028}\u{fff9}\u{e0041}é田"
        );
        assert!(matches!(printable("plain é 田 'x'"), Cow::Borrowed(_)));
    }

    #[test]
    fn several_lines_keep_their_breaks() {
        assert_eq!(printable_lines("a\tb\r\nc\u{202e}"), "a\tb\\r\nc\\u{202e}");
    }

    #[test]
    fn json_keeps_its_values_and_has_no_unprintable_character() {
        let json = serde_json::to_string(HOSTILE).unwrap_or_default();
        let shown = printable_json(&json);
        assert!(!shown.chars().any(is_unprintable), "{shown}");
        let read: Option<String> = serde_json::from_str(&shown).ok();
        assert_eq!(read.as_deref(), Some(HOSTILE));
    }
}

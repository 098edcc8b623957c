//! Makes JSON out of text that is JSON except for single characters or numbers.
//!
//! A part that cannot be read becomes [`UNREADABLE`]. The structure is left alone: a body that is truncated, or that has a word
//! without quotes, stays invalid. The repaired text has at most three times the bytes of the original.

use super::json::UNREADABLE;

/// Returns the repaired text, or `None` if there is nothing to repair.
pub(super) fn repaired(body: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => string(rest, &mut repaired),
            byte if is_between_tokens(*byte) => {
                repaired.push(*byte);
                1
            }
            _ => word(rest, &mut repaired),
        };
        rest = &rest[length..];
    }
    (repaired != body).then_some(repaired)
}

fn is_between_tokens(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"{}[]:,".contains(&byte)
}

/// Copies a number or a word. Returns its length.
fn word(text: &[u8], repaired: &mut Vec<u8>) -> usize {
    let is_end = |byte: &u8| is_between_tokens(*byte) || *byte == b'"';
    let length = text.iter().position(is_end).unwrap_or(text.len());
    let (word, rest) = text.split_at(length);
    let is_name = rest.trim_ascii_start().first() == Some(&b':');
    if !is_name && is_unreadable_number(word) {
        repaired.extend(format!("\"{UNREADABLE}\"").bytes());
    } else {
        repaired.extend(word);
    }
    length
}

/// Returns whether a word is meant as a number, but is none of JSON or out of range.
fn is_unreadable_number(word: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(word) else {
        return false;
    };
    let unsigned = word.trim_start_matches(['+', '-']);
    let is_meant = match unsigned.to_ascii_lowercase().as_str() {
        "nan" | "inf" | "infinity" => true,
        text => text.starts_with(|first: char| first.is_ascii_digit() || first == '.'),
    };
    is_meant && serde_json::from_str::<f64>(word).is_err()
}

/// Copies a string with its quotes. Returns its length. One without an end is copied as it is.
fn string(text: &[u8], repaired: &mut Vec<u8>) -> usize {
    let mut end = 1;
    loop {
        match text.get(end) {
            Some(b'"') => break,
            Some(b'\\') => end += 2,
            Some(_) => end += 1,
            None => {
                repaired.extend(text);
                return text.len();
            }
        }
    }
    repaired.push(b'"');
    // Not as a whole, since a string can be as long as the body.
    for part in text[1..end].utf8_chunks() {
        characters(part.valid(), repaired);
        if !part.invalid().is_empty() {
            mark_unreadable(repaired);
        }
    }
    repaired.push(b'"');
    end + 1
}

/// Adds one [`UNREADABLE`] in place of neighbouring parts that cannot be read.
fn mark_unreadable(repaired: &mut Vec<u8>) {
    let mut mark = [0; 4];
    let mark = UNREADABLE.encode_utf8(&mut mark).as_bytes();
    if !repaired.ends_with(mark) {
        repaired.extend(mark);
    }
}

/// Copies the inside of a string.
fn characters(mut text: &str, repaired: &mut Vec<u8>) {
    while let Some(position) = text.find(|c| c == '\\' || c < ' ') {
        let (before, special) = text.split_at(position);
        repaired.extend(before.bytes());
        let (readable, length) = match special.as_bytes() {
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => (true, 2),
            [b'\\', b'u', ..] => unicode_escape(special),
            [b'\\', ..] => (false, special.chars().take(2).map(char::len_utf8).sum()),
            // A control character is readable, although JSON wants an escape.
            [control, ..] => {
                repaired.extend(escaped(*control));
                text = &special[1..];
                continue;
            }
            [] => return,
        };
        if readable {
            repaired.extend(special[..length].bytes());
        } else {
            mark_unreadable(repaired);
        }
        text = &special[length..];
    }
    repaired.extend(text.bytes());
}

/// Returns the escape of a control character. Those without a short one become a backspace, or a form feed if they are white
/// space: an escape of six bytes would multiply the size of the text, and no value with one of them is used.
fn escaped(control: u8) -> &'static [u8] {
    match control {
        b'\t' => b"\\t",
        b'\n' => b"\\n",
        b'\r' => b"\\r",
        0x0b | 0x0c => b"\\f",
        _ => b"\\b",
    }
}

/// Returns whether an escape stands for a character, and its length: 12 bytes for a surrogate pair.
fn unicode_escape(text: &str) -> (bool, usize) {
    match code_unit(text) {
        None => (false, 2),
        Some(0xD800..=0xDBFF) => match text.get(6..).and_then(code_unit) {
            Some(0xDC00..=0xDFFF) => (true, 12),
            _ => (false, 6),
        },
        Some(0xDC00..=0xDFFF) => (false, 6),
        Some(_) => (true, 6),
    }
}

/// Parses an escape of the form `\u00e9`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex
        .then(|| u16::from_str_radix(digits, 16).ok())
        .flatten()
}

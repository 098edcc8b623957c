//! Bytes that a JSON file cannot hold: half surrogate pairs in a case, and bytes that are not UTF-8 in a body.

/// Stands before and after the four digits of an escaped surrogate.
const SURROGATE: [char; 2] = ['\u{f8fe}', '\u{f8ff}'];

/// The byte 0x00 of `{{byte:00}}`; the 255 characters after it are the other bytes.
const FIRST_BYTE: u32 = 0xf600;

/// Replaces each escaped surrogate by a mark, because `serde_json` refuses half a pair.
pub(super) fn mark_surrogates(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        marked.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.strip_prefix("\\u").and_then(|after| after.get(..4));
        let is_surrogate = |digits: &&str| {
            u32::from_str_radix(digits, 16).is_ok_and(|unit| (0xd800..0xe000).contains(&unit))
        };
        if let Some(digits) = digits.filter(is_surrogate) {
            marked.extend([SURROGATE[0]]);
            marked.push_str(digits);
            marked.extend([SURROGATE[1]]);
            rest = &rest[6..];
        } else {
            let escaped = rest.chars().take(2).map(char::len_utf8).sum();
            marked.push_str(&rest[..escaped]);
            rest = &rest[escaped..];
        }
    }
    marked.push_str(rest);
    marked
}

/// Returns the character that stands for a byte until [`body`].
pub(super) fn marked_byte(byte: u8) -> char {
    char::from_u32(FIRST_BYTE + u32::from(byte)).unwrap()
}

/// Returns the bytes of a body, with each mark replaced by the escape or the byte that it stands for.
pub(super) fn body(text: &str) -> Vec<u8> {
    let mut bytes = vec![];
    for c in text.chars() {
        if c == SURROGATE[0] {
            bytes.extend(b"\\u");
        } else if let Ok(byte) = u8::try_from(u32::from(c).wrapping_sub(FIRST_BYTE)) {
            bytes.push(byte);
        } else if c != SURROGATE[1] {
            bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    bytes
}

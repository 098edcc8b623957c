//! Parses JSON, of which only the needed parts have to be readable.
//!
//! A body can be sound except for a part that nobody needs: half a surrogate pair in a name that was cut, or `NaN` as a
//! salary. Such a part becomes [`UNREADABLE`], and so does a member that an object repeats, since sender and receiver
//! could each use a different value. [`member`] refuses it where it is needed.
//!
//! Errors keep the position only, since the text of `serde_json` quotes the body.

use std::fmt;

use bytes::Bytes;
use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::ParseError;
use super::json_keep::{Keep, kept};
use super::json_repair::repaired;

/// Stands for a part of a text that cannot be read.
pub(super) const UNREADABLE: char = char::REPLACEMENT_CHARACTER;

/// A needed member that is repeated or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnreadableMember(pub(super) &'static str);

/// Parses the needed parts of a body that must be an object.
pub(super) fn object(body: &[u8], keep: &'static Keep) -> Result<Map<String, Value>, ParseError> {
    match kept(body, keep) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ParseError::NotAnObject),
        Err(error) => Err(not_json(&error)),
    }
}

/// Returns a body that is JSON in UTF-8: the same bytes, or repaired ones. Takes no memory for values.
pub(super) fn readable(body: Bytes) -> Result<Bytes, ParseError> {
    let check = |body: &[u8]| -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        IgnoredAny::deserialize(&mut deserializer)?;
        deserializer.end()
    };
    let checked = check(&body);
    if checked.is_ok() && std::str::from_utf8(&body).is_ok() {
        return Ok(body);
    }
    match repaired(&body) {
        Some(repaired) => check(&repaired)
            .map(|()| repaired.into())
            .map_err(|error| not_json(&error)),
        None => Err(checked.map_or_else(|error| not_json(&error), |()| ParseError::NotAnObject)),
    }
}

pub(super) fn not_json(error: &serde_json::Error) -> ParseError {
    ParseError::NotJson {
        line: error.line(),
        column: error.column(),
    }
}

/// Parses any JSON.
pub(super) fn value(body: &[u8]) -> Result<Value, serde_json::Error> {
    parse(body).map(|Lenient(value)| value)
}

/// Parses JSON of a known shape.
///
/// After a repair, the position of an error can be a few bytes off.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    let body = without_byte_order_mark(body);
    serde_json::from_slice(body).or_else(|error| match repaired(body) {
        Some(repaired) => serde_json::from_slice(&repaired),
        None => Err(error),
    })
}

/// Removes white space and byte order marks from the beginning.
pub(super) fn without_byte_order_mark(body: &[u8]) -> &[u8] {
    let mut body = body.trim_ascii_start();
    while let Some(rest) = body.strip_prefix(b"\xEF\xBB\xBF") {
        body = rest.trim_ascii_start();
    }
    body
}

/// Returns a needed member, or `None` if it is missing.
pub(super) fn member<'m>(
    object: &'m Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'m Value>, UnreadableMember> {
    match object.get(name) {
        Some(Value::String(text)) if is_unreadable(text) => Err(UnreadableMember(name)),
        member => Ok(member),
    }
}

/// Returns whether a part of a text could not be read.
pub(super) fn is_unreadable(text: &str) -> bool {
    text.contains(UNREADABLE)
}

/// Returns a string, number or boolean as text, or `None` for anything else.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value in which a repeated member is [`UNREADABLE`].
pub(super) struct Lenient(pub(super) Value);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor).map(Self)
    }
}

struct LenientVisitor;

impl<'de> Visitor<'de> for LenientVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Lenient(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Lenient(value))) = members.next_entry::<String, Lenient>()? {
            match object.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(mut entry) => {
                    entry.insert(UNREADABLE.to_string().into());
                }
            }
        }
        Ok(Value::Object(object))
    }
}

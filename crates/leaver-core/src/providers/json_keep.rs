//! Parses the needed parts of JSON and skips the others without storing them.
//!
//! A parsed value takes many times the memory of its text. A body of a few megabytes could exhaust the memory otherwise.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::json::{UNREADABLE, without_byte_order_mark};
use super::json_repair::repaired;

/// Longest text that is kept, in bytes. Every value that is used is shorter.
pub(super) const MAX_TEXT_BYTES: usize = 4096;
/// Most members of an object, or items of a list, that are kept by [`Keep::All`].
pub(super) const MAX_MEMBERS: usize = 2_000;

/// The needed parts of a value. Scalars are always kept; a text longer than [`MAX_TEXT_BYTES`] is cut.
pub(super) enum Keep {
    /// Of a list or an object only whether it is empty.
    Scalar,
    /// These members of an object, and whether it has others. Of a list only whether it is empty.
    Members(&'static [(&'static str, Keep)]),
    /// All members or items. With more than [`MAX_MEMBERS`] the value is [`UNREADABLE`].
    All(&'static Keep),
}

/// Parses the needed parts of a text. A repeated member is [`UNREADABLE`], as a part that cannot be read.
pub(super) fn kept(text: &[u8], keep: &'static Keep) -> Result<Value, serde_json::Error> {
    let text = without_byte_order_mark(text);
    kept_strictly(text, keep).or_else(|error| match repaired(text) {
        Some(repaired) => kept_strictly(&repaired, keep),
        None => Err(error),
    })
}

fn kept_strictly(text: &[u8], keep: &'static Keep) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Kept(keep).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Returns the beginning of a text that is too long to be used, with a mark: a cut text must not pass for a whole one.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT_BYTES {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Parses one value.
pub(super) struct Kept(pub(super) &'static Keep);

impl<'de> DeserializeSeed<'de> for Kept {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Parses the name of a member.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<String, E> {
        Ok(cut(name).into_owned())
    }
}

impl<'de> Visitor<'de> for Kept {
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
        Ok(cut(value).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let Keep::All(inner) = self.0 else {
            if items.next_element::<IgnoredAny>()?.is_some() {
                list.push(Value::Null);
            }
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(list.into());
        };
        while let Some(item) = items.next_element_seed(Kept(inner))? {
            list.push(item);
            if list.len() > MAX_MEMBERS {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(unreadable());
            }
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut has_others = false;
        while let Some(name) = members.next_key_seed(Name)? {
            let keep = match self.0 {
                Keep::Scalar => None,
                Keep::Members(needed) => {
                    let mut needed = needed.iter();
                    needed.find(|(n, _)| *n == name).map(|(_, keep)| keep)
                }
                Keep::All(inner) => Some(*inner),
            };
            let Some(keep) = keep else {
                members.next_value::<IgnoredAny>()?;
                has_others = true;
                continue;
            };
            let value = members.next_value_seed(Kept(keep))?;
            match object.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(mut entry) => {
                    entry.insert(unreadable());
                }
            }
            if object.len() > MAX_MEMBERS {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(unreadable());
            }
        }
        if has_others && object.is_empty() {
            object.insert(String::new(), Value::Null);
        }
        Ok(object.into())
    }
}

fn unreadable() -> Value {
    UNREADABLE.to_string().into()
}

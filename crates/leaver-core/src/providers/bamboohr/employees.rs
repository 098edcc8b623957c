//! Finds the entries of `employees` in a JSON body, without storing them.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::json_keep::Name;
use super::super::{ParseError, json};

/// The value of `employees`.
pub(super) enum Listed<'b> {
    /// A list or an object. PHP encodes a list with gaps as an object.
    Entries(Entries<'b>),
    /// Null.
    Null,
    /// Another value.
    Other,
}

/// The text of a list or an object.
pub(super) struct Entries<'b>(&'b str);

/// Finds the member in a body that is a JSON object.
pub(super) fn find(body: &[u8]) -> Result<Option<Listed<'_>>, ParseError> {
    let found = serde_json::Deserializer::from_slice(body).deserialize_map(Top);
    let texts = found.map_err(|error| json::not_json(&error))?;
    let text = match texts {
        Found::None => return Ok(None),
        Found::Repeated => return Err(ParseError::UnreadableMember("employees")),
        Found::One(text) => text,
    };
    Ok(Some(match text.as_bytes().first() {
        Some(b'[' | b'{') => Listed::Entries(Entries(text)),
        Some(b'n') => Listed::Null,
        _ if text.contains(json::UNREADABLE) => {
            return Err(ParseError::UnreadableMember("employees"));
        }
        _ => Listed::Other,
    }))
}

impl<'b> Entries<'b> {
    /// Passes on each entry: its place in the body, its key in an object, its text. A repeated key has no readable entry.
    /// Returns the number of entries.
    pub(super) fn read(
        self,
        body: &'b [u8],
        mut add: impl FnMut(Range<usize>, Option<&str>, &'b str),
    ) -> usize {
        let mut count = 0;
        let mut add = |key: Option<&str>, entry: &'b str, is_repeated: bool| {
            count += 1;
            let start = (entry.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
            let text = if is_repeated { "null" } else { entry };
            add(start..start + entry.len(), key, text);
        };
        let mut deserializer = serde_json::Deserializer::from_str(self.0);
        // The text was parsed already, so no error is possible.
        let _parsed = if self.0.starts_with('[') {
            deserializer.deserialize_seq(EachItem(|entry| add(None, entry, false)))
        } else {
            let repeated = repeated_keys(self.0);
            deserializer.deserialize_map(EachMember(|key: &str, entry| {
                add(Some(key), entry, repeated.contains(&hash(key)));
            }))
        };
        count
    }
}

/// Returns the hashes of the keys that an object repeats.
fn repeated_keys(object: &str) -> HashSet<u64> {
    let mut hashes = vec![];
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let _parsed = deserializer.deserialize_map(EachMember(|key: &str, _| hashes.push(hash(key))));
    hashes.sort_unstable();
    let pairs = hashes.windows(2);
    pairs
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect()
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The text of one member of an object.
enum Found<'b> {
    None,
    One(&'b str),
    Repeated,
}

struct Top;

impl<'b> Visitor<'b> for Top {
    type Value = Found<'b>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut members: A) -> Result<Found<'b>, A::Error> {
        let mut found = Found::None;
        while let Some(name) = members.next_key_seed(Name)? {
            if name != "employees" {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let text: &'b RawValue = members.next_value()?;
            found = match found {
                Found::None => Found::One(text.get()),
                Found::One(_) | Found::Repeated => Found::Repeated,
            };
        }
        Ok(found)
    }
}

struct EachItem<F>(F);

impl<'b, F: FnMut(&'b str)> Visitor<'b> for EachItem<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'b>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&'b RawValue>()? {
            self.0(item.get());
        }
        Ok(())
    }
}

struct EachMember<F>(F);

impl<'b, F: FnMut(&str, &'b str)> Visitor<'b> for EachMember<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'b>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key_seed(Name)? {
            let value: &'b RawValue = members.next_value()?;
            self.0(&name, value.get());
        }
        Ok(())
    }
}

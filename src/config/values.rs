//! Values with a syntax of their own. Each error names the syntax that is expected.
//!
//! They stay hand-written: `humantime-serde` and `bytesize` have neither the 100-year limit nor these messages.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A duration such as "15m", at most 100 years, so that it can be added to any date and clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigDuration(pub(super) Duration);

/// A size such as "10MiB", in bytes; at least 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteSize(pub(super) usize);

/// A reference to a secret: `env:NAME` or `file:PATH`. No error contains its text, which may be the secret itself.
#[derive(Clone, Debug)]
pub(super) struct SecretRef(pub(super) String);

/// A list of references to secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretRefs(pub(super) Vec<SecretRef>);

/// A list of accounts: e-mails, or ids as texts or as whole numbers. No error contains an entry.
#[derive(Clone, Debug, Default)]
pub(super) struct AccountRefs(pub(super) Vec<String>);

/// An IANA time zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigTimezone(pub(super) chrono_tz::Tz);

/// How long a source may send nothing; `None` for no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct MaxSilence(pub(super) Option<Duration>);

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Serde's own message for a wrong type would quote the value.
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom(
                "expected a reference to a secret, \"env:NAME\" or \"file:PATH\"",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRefs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let toml::Value::Array(list) = toml::Value::deserialize(deserializer)? else {
            return Err(D::Error::custom(
                "expected a list of references to secrets, such as [\"env:NAME\"] or [\"file:PATH\"]",
            ));
        };
        list.into_iter()
            .map(|value| SecretRef::deserialize(value).map_err(D::Error::custom))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for AccountRefs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let toml::Value::Array(list) = toml::Value::deserialize(deserializer)? else {
            return Err(D::Error::custom(
                "expected a list of e-mails and ids, such as [\"root@example.com\", 7]",
            ));
        };
        list.into_iter()
            .map(|entry| match entry {
                toml::Value::String(text) => Ok(text),
                toml::Value::Integer(id) => Ok(id.to_string()),
                _ => Err(D::Error::custom(
                    "expected an e-mail or an id, such as \"root@example.com\" or 7",
                )),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Parses text with a function; the first field describes the syntax that it expects.
struct Text<T>(&'static str, fn(&str) -> Option<T>);

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

macro_rules! deserialize_text {
    ($name:ident, $expecting:literal, $parse:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer
                    .deserialize_str(Text($expecting, $parse))
                    .map(Self)
            }
        }
    };
}

deserialize_text!(
    ConfigDuration,
    "a duration such as \"30s\", \"15m\", \"3h\" or \"7d\", at most 100 years",
    parse_duration
);
deserialize_text!(
    MaxSilence,
    "a duration such as \"7d\", at most 100 years, or \"off\"",
    |text| match text {
        "off" => Some(None),
        duration => parse_duration(duration)
            .filter(|duration| !duration.is_zero())
            .map(Some),
    }
);
deserialize_text!(
    ByteSize,
    "a size such as \"512KiB\" or \"10MiB\"",
    parse_size
);
deserialize_text!(
    ConfigTimezone,
    "an IANA time zone such as \"Europe/Berlin\" or \"UTC\"",
    |text| text.parse().ok()
);

pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text)
        .ok()
        .filter(|duration| *duration <= MAX_DURATION)
}

/// A hundred years.
const MAX_DURATION: Duration = Duration::from_hours(100 * 366 * 24);

pub(super) fn parse_size(text: &str) -> Option<usize> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    text[..digits]
        .parse::<usize>()
        .ok()?
        .checked_mul(unit)
        .filter(|bytes| *bytes > 0)
}

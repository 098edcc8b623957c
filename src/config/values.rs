//! Values that are more than text or a number, each with an error that says what would be right.

use std::fmt;
use std::time::Duration;

use chrono::NaiveTime;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use leaver_core::decision::policy::Cutoff;

/// A duration such as "15m", of at most 100 years: calendars and clocks end, and nobody waits so long.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigDuration(pub(super) Duration);

/// A size such as "10MiB", in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteSize(pub(super) usize);

/// Says where a secret is: `env:NAME` or `file:PATH`. Whatever else stands there may be the secret itself,
/// so no error ever shows it.
#[derive(Clone, Debug)]
pub(super) struct SecretRef(pub(super) String);

/// Several of them.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretRefs(pub(super) Vec<SecretRef>);

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom(
                "expected \"env:NAME\" or \"file:PATH\", which say where the secret is",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRefs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let toml::Value::Array(list) = toml::Value::deserialize(deserializer)? else {
            return Err(D::Error::custom(
                "expected a list such as [\"env:NAME\"] or [\"file:PATH\"], which says where the secrets are",
            ));
        };
        list.into_iter()
            .map(|value| SecretRef::deserialize(value).map_err(D::Error::custom))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// An IANA time zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone(pub(super) chrono_tz::Tz);

/// When on the last day access ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutoffText(pub(super) Cutoff);

/// hold, deactivate or ignore.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ResponseWord {
    Hold,
    Deactivate,
    Ignore,
}

/// hold, reactivate or ignore.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RehireWord {
    Hold,
    Reactivate,
    Ignore,
}

/// report or fix.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RemedyWord {
    Report,
    Fix,
}

/// How long a source may be silent; `None` for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct SilenceText(pub(super) Option<Duration>);

/// Reads a string with a function that says what it would have expected.
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

macro_rules! reads_text {
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

reads_text!(
    ConfigDuration,
    "a duration such as \"30s\", \"15m\", \"3h\" or \"7d\", at most 100 years",
    parse_span
);
reads_text!(
    SilenceText,
    "a duration such as \"7d\", at most 100 years, or \"off\"",
    |text| match text {
        "off" => Some(None),
        span => parse_span(span).filter(|span| !span.is_zero()).map(Some),
    }
);
reads_text!(
    ByteSize,
    "a size such as \"512KiB\" or \"10MiB\"",
    parse_size
);
reads_text!(
    Zone,
    "an IANA time zone such as \"Europe/Berlin\" or \"UTC\"",
    |text| text.parse().ok()
);
reads_text!(
    CutoffText,
    "\"start_of_day\", \"end_of_day\" or a time such as \"17:30\"",
    parse_cutoff
);

fn parse_span(text: &str) -> Option<Duration> {
    humantime::parse_duration(text)
        .ok()
        .filter(|span| *span <= LONGEST_SPAN)
}

/// A hundred years.
const LONGEST_SPAN: Duration = Duration::from_hours(100 * 366 * 24);

fn parse_size(text: &str) -> Option<usize> {
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

fn parse_cutoff(text: &str) -> Option<Cutoff> {
    match text {
        "start_of_day" => Some(Cutoff::StartOfDay),
        "end_of_day" => Some(Cutoff::EndOfDay),
        time => NaiveTime::parse_from_str(time, "%H:%M")
            .ok()
            .map(Cutoff::At),
    }
}

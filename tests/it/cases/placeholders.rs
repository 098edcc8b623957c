//! Placeholders in the strings of a case: `{{iso:-60}}`, `{{day:2}}` and so on. An unknown one is an error.

use chrono::{DateTime, Days, NaiveTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use leaver::base::clock::{Clock, SystemClock};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::bytes::marked_byte;

/// What placeholders are resolved with.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    /// URL of the stand-in for the provider's API.
    pub(super) api: String,
    /// URL of `server.listen`.
    pub(super) url: String,
    /// URL of `server.admin_listen`.
    pub(super) admin_url: String,
    /// Start of the second of the last `mark`.
    pub(super) mark: Option<DateTime<Utc>>,
    /// ID of the last delivery.
    pub(super) delivery: String,
    /// ID of the newest open hold.
    pub(super) hold: String,
}

impl Context {
    /// Resolves all strings of a value, names of members included.
    pub(super) fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(members) => {
                let resolved = members.iter();
                let resolved = resolved.map(|(name, value)| (self.text(name), self.resolve(value)));
                Value::Object(resolved.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    /// Resolves one string.
    pub(super) fn text(&self, text: &str) -> String {
        let mut resolved = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (placeholder, after) = after.split_once("}}").expect("a placeholder ends");
            resolved.push_str(before);
            resolved.push_str(&self.one(placeholder));
            rest = after;
        }
        resolved + rest
    }

    fn one(&self, placeholder: &str) -> String {
        let (name, argument) = placeholder.split_once(':').unwrap_or((placeholder, ""));
        match name {
            "iso" => iso(SystemClock.now() + seconds(argument)),
            "z" => {
                (SystemClock.now() + seconds(argument)).to_rfc3339_opts(SecondsFormat::Secs, true)
            }
            "zmicros" => {
                (SystemClock.now() + seconds(argument)).to_rfc3339_opts(SecondsFormat::Micros, true)
            }
            "day" => Day::parse(argument).date.to_string(),
            "midnight" => Day::parse(argument).start().to_rfc3339(),
            "zmidnight" => {
                let start = Day::parse(argument).start().with_timezone(&Utc);
                start.to_rfc3339_opts(SecondsFormat::Secs, true)
            }
            "endofday" => Day::parse(argument).next().start().to_rfc3339(),
            "sec" => iso(self.mark.expect("a `mark` before `{{sec}}`")),
            // The middle of that second, in the resolution of Merge.
            "zsecmicros" => {
                let mark = self.mark.expect("a `mark` before `{{zsecmicros}}`");
                let middle = mark + TimeDelta::milliseconds(500);
                middle.to_rfc3339_opts(SecondsFormat::Micros, true)
            }
            "zsec" => {
                let mark = self.mark.expect("a `mark` before `{{zsec}}`");
                let after = if argument.is_empty() { "0" } else { argument };
                (mark + seconds(after)).to_rfc3339_opts(SecondsFormat::Secs, true)
            }
            "uuid" => {
                let digest: [u8; 32] = Sha256::digest(argument).into();
                let bytes = std::array::from_fn(|at| digest[at]);
                Builder::from_random_bytes(bytes).into_uuid().to_string()
            }
            "byte" => marked_byte(u8::from_str_radix(argument, 16).unwrap()).to_string(),
            "API" => self.api.clone(),
            "URL" => self.url.clone(),
            "ADMIN" => self.admin_url.clone(),
            "delivery" => self.delivery.clone(),
            "hold" => self.hold.clone(),
            _ => panic!("unknown placeholder {{{{{placeholder}}}}}"),
        }
    }
}

/// BambooHR's form of a time.
fn iso(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn seconds(argument: &str) -> TimeDelta {
    TimeDelta::seconds(argument.parse().expect("seconds"))
}

/// A calendar day in a time zone.
struct Day {
    date: chrono::NaiveDate,
    zone: Tz,
}

impl Day {
    /// Parses `OFFSET` or `OFFSET:ZONE`; the offset is in days from today in that zone.
    fn parse(argument: &str) -> Self {
        let (offset, zone) = argument.split_once(':').unwrap_or((argument, "UTC"));
        let zone: Tz = zone.parse().expect("an IANA time zone");
        let today = SystemClock.now().with_timezone(&zone).date_naive();
        let offset: i64 = offset.parse().expect("a number of days");
        Self {
            date: today + TimeDelta::days(offset),
            zone,
        }
    }

    fn next(self) -> Self {
        Self {
            date: self.date + Days::new(1),
            ..self
        }
    }

    fn start(&self) -> DateTime<Tz> {
        let midnight = self.date.and_time(NaiveTime::MIN);
        // The time zones of the cases have no change of clocks at midnight.
        self.zone.from_local_datetime(&midnight).earliest().unwrap()
    }
}

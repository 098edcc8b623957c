//! The bodies and signatures of both providers, made without the service's own code.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::model::{Address, Facts, Status, Told};
use super::ops::{Letter, Record, Says, Source};
use crate::support::driving::{event, merge_record};
use crate::support::{FORM, JSON, employee, employees};

/// A body, and what it says.
pub(super) struct Written {
    pub(super) content_type: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) facts: Facts,
    /// True if its entry bears a time of its own.
    pub(super) timed: bool,
}

/// Writes a letter as of a moment. `fresh` makes an address that nobody has.
pub(super) fn write(
    letter: &Letter,
    as_of: DateTime<Utc>,
    now: DateTime<Utc>,
    fresh: usize,
) -> Written {
    let today = now.date_naive();
    match letter.of.source() {
        Source::Bamboohr => bamboohr(letter, as_of, today, fresh),
        Source::Merge => merge(letter, as_of, today, fresh),
    }
}

fn day(today: NaiveDate, days: i64) -> NaiveDate {
    today + TimeDelta::days(days)
}

fn address(record: Record) -> String {
    format!("{}@example.com", record.person())
}

fn new_address(record: Record, fresh: usize) -> String {
    match record {
        // Dia's account is found by the address, whenever it is first told.
        Record::Dia => address(record),
        record => format!("{}.{fresh}@example.com", record.person()),
    }
}

fn renamed(record: Record) -> Address {
    match record {
        Record::Dia => Address::Own,
        _ => Address::Unused,
    }
}

fn bamboohr(letter: &Letter, as_of: DateTime<Utc>, today: NaiveDate, fresh: usize) -> Written {
    let of = letter.of;
    let email = address(of);
    let mut facts = Facts {
        address: Some(Address::Own),
        ..Facts::default()
    };
    let time = as_of.to_rfc3339_opts(SecondsFormat::Secs, true);
    let fields = match letter.says {
        Says::Works => {
            facts.status = Some(Status::Active);
            facts.terminated = Some(false);
            facts.last_day = Some(Told::NoDay);
            facts.first_day = NaiveDate::from_ymd_opt(2020, 1, 6).map(Told::Day);
            json!({"status": "Active", "employmentHistoryStatus": "Full-Time",
                   "terminationDate": "0000-00-00", "hireDate": "2020-01-06", "workEmail": email})
        }
        Says::StillWorks { .. } => {
            facts.status = Some(Status::Active);
            facts.address = None;
            json!({"status": "Active"})
        }
        Says::WorksUntil { days } => {
            let last = day(today, days);
            facts.status = Some(Status::Active);
            facts.last_day = Some(Told::Day(last));
            json!({"status": "Active", "terminationDate": last.to_string(), "workEmail": email})
        }
        Says::Left | Says::Inactive => {
            facts.status = Some(Status::Inactive);
            facts.terminated = Some(true);
            json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": email})
        }
        Says::InactiveFrom { days } => {
            let last = day(today, days);
            facts.status = Some(Status::Inactive);
            facts.last_day = Some(Told::Day(last));
            json!({"status": "Inactive", "terminationDate": last.to_string(), "workEmail": email})
        }
        Says::Begins { days } => {
            let first = day(today, days);
            facts.status = Some(Status::Inactive);
            facts.terminated = Some(false);
            facts.last_day = Some(Told::NoDay);
            facts.first_day = Some(Told::Day(first));
            json!({"status": "Inactive", "employmentHistoryStatus": "Full-Time",
                   "terminationDate": "0000-00-00", "hireDate": first.to_string(), "workEmail": email})
        }
        Says::Renamed => {
            facts.address = Some(renamed(of));
            json!({"workEmail": new_address(of, fresh)})
        }
        Says::Removed => {
            facts = Facts {
                removed: true,
                ..Facts::default()
            };
            let entry = json!({"id": of.id(), "action": "Deleted", "timestamp": time});
            return as_json(&employees(&[entry]), facts);
        }
        Says::Changed => {
            facts = Facts {
                thin: true,
                ..Facts::default()
            };
            return as_json(&event("employee.updated", of.id(), &time), facts);
        }
    };
    if letter.form && matches!(letter.says, Says::Works | Says::Left) {
        return form(of, &fields, facts);
    }
    as_json(
        &employees(&[employee(of.id(), &time, &["status"], &fields)]),
        facts,
    )
}

fn as_json(body: &Value, facts: Facts) -> Written {
    Written {
        content_type: JSON,
        bytes: body.to_string().into_bytes(),
        facts,
        timed: true,
    }
}

fn form(of: Record, fields: &Value, facts: Facts) -> Written {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let key = |name: &str| format!("employees[{}][{name}]", of.id());
    form.append_pair(&(key("changedFields") + "[]"), "status");
    for (name, value) in fields.as_object().unwrap() {
        form.append_pair(&key(name), value.as_str().unwrap());
    }
    Written {
        content_type: FORM,
        bytes: form.finish().into_bytes(),
        facts,
        timed: false,
    }
}

/// Merge sends whole records.
fn merge(letter: &Letter, as_of: DateTime<Utc>, today: NaiveDate, fresh: usize) -> Written {
    let of = letter.of;
    let (word, status, last_day) = match letter.says {
        Says::Works | Says::Changed | Says::Renamed | Says::Removed => {
            ("ACTIVE", Status::Active, None)
        }
        Says::StillWorks { days } | Says::WorksUntil { days } => {
            ("ACTIVE", Status::Active, Some(day(today, days)))
        }
        Says::Left => ("INACTIVE", Status::Inactive, Some(as_of.date_naive())),
        Says::InactiveFrom { days } => ("INACTIVE", Status::Inactive, Some(day(today, days))),
        Says::Inactive => ("INACTIVE", Status::Inactive, None),
        Says::Begins { .. } => ("PENDING", Status::Pending, None),
    };
    let email = match letter.says {
        Says::Renamed => new_address(of, fresh),
        _ => address(of),
    };
    let date = last_day.map(|day| format!("{day}T00:00:00Z"));
    let time = as_of.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut body = merge_record(of.id(), &email, &time, word, date.as_deref());
    let removed = letter.says == Says::Removed;
    body["data"]["remote_was_deleted"] = json!(removed);
    let facts = Facts {
        status: Some(status),
        last_day: Some(last_day.map_or(Told::NoDay, Told::Day)),
        removed,
        address: Some(match letter.says {
            Says::Renamed => renamed(of),
            _ => Address::Own,
        }),
        ..Facts::default()
    };
    as_json(&body, facts)
}

/// The headers with which a body is signed at a moment.
pub(super) fn sign(
    source: Source,
    key: &str,
    body: &[u8],
    now: DateTime<Utc>,
) -> Vec<(&'static str, String)> {
    let tag = |parts: &[&[u8]]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes()
    };
    match source {
        Source::Bamboohr => {
            let time = now.timestamp().to_string();
            let signature = hex::encode(tag(&[body, time.as_bytes()]));
            vec![
                ("x-bamboohr-signature", signature),
                ("x-bamboohr-timestamp", time),
            ]
        }
        Source::Merge => vec![("x-merge-webhook-signature", URL_SAFE.encode(tag(&[body])))],
    }
}

//! Requests that must change nothing: forged, malformed, late or to the wrong endpoint.

use chrono::TimeDelta;
use serde_json::json;

use super::letters;
use super::ops::{Bad, Letter, Record, Says, Source};
use super::post::{Body, key};
use super::world::World;
use crate::support::{FORM, JSON};

impl World {
    pub(super) async fn misbehave(&mut self, bad: Bad) -> Result<(), String> {
        let now = self.now();
        let departure = |source| {
            let of = if source == Source::Merge {
                Record::Eve
            } else {
                Record::Ana
            };
            let letter = Letter {
                of,
                says: Says::Left,
                minutes_old: 0,
                form: false,
            };
            letters::write(&letter, now, now, 0).bytes
        };
        let (at, source, signed_at, by, expected) = match bad {
            Bad::Garbage(_) | Bad::Ignored => return self.nonsense(bad).await,
            Bad::Forged(source) => (source.name(), source, now, "not-the-key".to_owned(), 401),
            Bad::UnknownSource => (
                "nobody",
                Source::Bamboohr,
                now,
                key(Source::Bamboohr, 0),
                404,
            ),
            Bad::Stale => {
                let source = Source::Bamboohr;
                let with = key(source, self.keys[source.name()].sender);
                (source.name(), source, now - TimeDelta::hours(4), with, 401)
            }
        };
        let bytes = departure(source);
        let headers = letters::sign(source, &by, &bytes, signed_at);
        let (status, _) = self.posted(at, JSON, &bytes, &headers).await;
        if status == expected {
            return Ok(());
        }
        Err(format!("{bad:?} is answered {status}, not {expected}"))
    }

    async fn nonsense(&mut self, bad: Bad) -> Result<(), String> {
        let (source, content_type, text) = match bad {
            Bad::Garbage(Source::Bamboohr) => {
                (Source::Bamboohr, FORM, "employees{101}=?".to_owned())
            }
            Bad::Garbage(Source::Merge) => (Source::Merge, JSON, "{\"hook\": ".to_owned()),
            _ => (
                Source::Merge,
                JSON,
                json!({"hook": {"event": "Candidate.changed"}}).to_string(),
            ),
        };
        let number = self.post.body(Body {
            source,
            content_type,
            bytes: text.into_bytes(),
            says: None,
            as_of: None,
            attempts: vec![],
        });
        self.deliver(number).await
    }
}

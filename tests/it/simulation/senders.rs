//! The senders' actions: send, read the answer, rotate keys.

use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::http::Request;
use chrono::TimeDelta;
use serde_json::json;

use super::letters;
use super::ops::{Letter, Signed, Source};
use super::post::{Attempt, Body, Headers, expected, key};
use super::world::{TRIES, World};

impl World {
    pub(super) async fn send(&mut self, letter: &Letter) -> Result<(), String> {
        let now = self.now();
        let as_of = self
            .post
            .unused(letter.of, now - TimeDelta::minutes(letter.minutes_old));
        let written = letters::write(letter, as_of, now, self.post.bodies.len());
        let number = self.post.body(Body {
            source: letter.of.source(),
            content_type: written.content_type,
            bytes: written.bytes,
            says: Some((letter.of, written.facts)),
            as_of: written.timed.then_some(as_of),
            attempts: vec![],
        });
        self.deliver(number).await
    }

    pub(super) async fn resend(&mut self, nth: usize, signed: Signed) -> Result<(), String> {
        let number = nth % self.post.bodies.len();
        match signed {
            Signed::Anew => self.deliver(number).await,
            Signed::AsBefore => {
                let mut attempt = self.post.bodies[number].attempts[0].clone();
                attempt.at = self.now();
                self.attempt(number, attempt).await
            }
        }
    }

    /// Sends a body with a signature of this moment.
    pub(super) async fn deliver(&mut self, number: usize) -> Result<(), String> {
        let (source, now) = (self.post.bodies[number].source, self.now());
        let with = self.keys[source.name()].sender;
        let headers = letters::sign(
            source,
            &key(source, with),
            &self.post.bodies[number].bytes,
            now,
        );
        let attempt = Attempt {
            at: now,
            signed_at: now,
            key: with,
            headers,
            acknowledged: false,
        };
        self.attempt(number, attempt).await
    }

    async fn attempt(&mut self, number: usize, mut attempt: Attempt) -> Result<(), String> {
        let body = &self.post.bodies[number];
        let (source, known) = (body.source, self.post.is_known(number));
        let must_be = expected(source, self.keys[source.name()], &attempt);
        let (content_type, bytes) = (body.content_type, body.bytes.clone());
        let mut answer = self
            .posted(source.name(), content_type, &bytes, &attempt.headers)
            .await;
        // What was put off may have been stored all the same.
        let put_off = answer.0 == 503;
        for _ in 0..TRIES {
            if answer.0 != 503 || self.is_cut() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer = self
                .posted(source.name(), content_type, &bytes, &attempt.headers)
                .await;
        }
        let (status, said) = answer;
        match status {
            200 if must_be == 200 => {
                attempt.acknowledged = true;
                let id = said["delivery"].as_str().unwrap_or_default().to_owned();
                let duplicate = said["duplicate"] == json!(true);
                let untried = self.post.bodies[number].attempts.is_empty() && !put_off;
                if (untried && duplicate) || (known && !duplicate && !self.keeps_house) {
                    return Err(format!("body {number}, known: {known}, is answered {said}"));
                }
                self.post.by_delivery.insert(id, number);
                self.post.unanswered.remove(&number);
            }
            // A sender tries again; what was captured is nobody's to try again.
            503 if must_be == 200 && self.is_cut() => {
                if attempt.signed_at == attempt.at {
                    self.post.unanswered.insert(number);
                }
            }
            status if status == must_be => {}
            status => return Err(format!("body {number} is answered {status}, not {must_be}")),
        }
        self.post.bodies[number].attempts.push(attempt);
        Ok(())
    }

    pub(super) async fn posted(
        &self,
        source: &str,
        content_type: &str,
        bytes: &[u8],
        headers: &Headers,
    ) -> (u16, serde_json::Value) {
        let mut request =
            Request::post(format!("/webhooks/{source}")).header("content-type", content_type);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = self
            .app
            .request(request.body(HttpBody::from(bytes.to_vec())).unwrap())
            .await;
        (answer.status.as_u16(), answer.body)
    }

    /// The next step of a rotation.
    pub(super) async fn rotate(&mut self, source: Source) {
        let keys = self.keys.get_mut(source.name()).unwrap();
        match (keys.takes_previous, keys.sender == keys.service) {
            (false, _) => {
                keys.service += 1;
                keys.takes_previous = true;
                self.start().await;
            }
            (true, false) => keys.sender = keys.service,
            (true, true) => {
                keys.takes_previous = false;
                self.start().await;
            }
        }
    }
}

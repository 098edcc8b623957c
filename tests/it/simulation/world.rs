//! The service under simulation: its halves over a database behind a proxy, the senders, a person and an
//! application that have hands of their own. It carries operations out and checks what is answered at once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::http::Request;
use chrono::{DateTime, TimeDelta, Utc};
use leaver::clock::Clock;
use leaver::decision::policy::Remedy;
use leaver::domain::DeliveryId;
use leaver::worker::Round;
use leaver::{drift, holds, inbox};
use serde_json::json;
use sqlx::Row;

use super::letters;
use super::ops::{Bad, Letter, Op, OpList, Record, Rehire, Says, Signed, Source};
use super::post::{Attempt, Body, Headers, Keys, Post, expected, key};
use crate::support::proxy::{Mode, Proxy};
use crate::support::{FORM, JSON, TestApp, USERS};

const BOTH: [&str; 2] = ["bamboohr", "merge"];
/// How often something is tried again that a broken connection may have spoilt.
const TRIES: usize = 100;
/// Operations after which the way to Postgres is there again at the latest.
const LONGEST_CUT: usize = 4;

pub(super) struct World {
    pub(super) app: TestApp,
    pub(super) second: Option<TestApp>,
    proxy: Proxy,
    pub(super) rehire: Rehire,
    batch: u16,
    pub(super) post: Post,
    keys: BTreeMap<&'static str, Keys>,
    cut_since: Option<usize>,
    done: usize,
    pub(super) hands: Hands,
    keeps_house: bool,
}

/// What people have done to accounts, by the person whose account it is.
#[derive(Default)]
pub(super) struct Hands {
    /// How often they have switched one.
    pub(super) flips: usize,
    /// Switched on, against what HR says perhaps, and not compared since.
    pub(super) given_back: HashSet<&'static str>,
    /// Ever switched on so.
    pub(super) ever_given_back: HashSet<&'static str>,
    /// Switched off, and not on since.
    pub(super) taken: HashSet<&'static str>,
}

impl World {
    /// Everybody but Dia works there, and that is known.
    pub(super) async fn new(list: &OpList) -> Result<Self, String> {
        let mut app = TestApp::with(&[], USERS).await;
        app.add_users(
            &Self::people()
                .map(|p| format!("{p}@example.com"))
                .each_ref()
                .map(String::as_str),
        )
        .await;
        app.sql(super::journal::JOURNAL).await;
        let keys = BOTH.map(|source| (source, Keys::default()));
        let mut world = Self {
            app,
            second: None,
            proxy: Proxy::start().await,
            rehire: list.rehire,
            batch: list.batch,
            post: Post::default(),
            keys: keys.into(),
            cut_since: None,
            done: 0,
            hands: Hands::default(),
            keeps_house: false,
        };
        world.start().await;
        for of in Record::ALL {
            if of != Record::Dia {
                let says = Says::Works;
                let minutes_old = 60 * 24 * 10;
                world
                    .send(&Letter {
                        of,
                        says,
                        minutes_old,
                        form: false,
                    })
                    .await?;
            }
        }
        world.settle().await?;
        Ok(world)
    }

    /// Whose accounts there are; the first has the id 1.
    pub(super) fn people() -> [&'static str; 6] {
        ["ana", "ben", "dia", "eve", "fay", "gus"]
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// Starts the service, in place of the one before.
    pub(super) async fn start(&mut self) {
        let replica = self.replica().await;
        let before = std::mem::replace(&mut self.app, replica);
        end([Some(before), self.second.take()]).await;
    }

    /// Ends what is left of the service.
    pub(super) async fn end(self) {
        self.proxy.set(Mode::Pass);
        end([Some(self.app), self.second]).await;
    }

    pub(super) async fn replica(&self) -> TestApp {
        let mut settings = vec![
            ("LEAVER__SERVER__STORE_TIMEOUT".to_owned(), "1s".to_owned()),
            ("LEAVER__INBOX__RETENTION".to_owned(), "14d".to_owned()),
            ("LEAVER__WORKER__BATCH".to_owned(), self.batch.to_string()),
            ("LEAVER__INBOX__KEEP".to_owned(), "3650d".to_owned()),
            (
                "LEAVER__POLICY__REHIRE".to_owned(),
                match self.rehire {
                    Rehire::Hold => "hold".to_owned(),
                    Rehire::Reactivate => "reactivate".to_owned(),
                },
            ),
        ];
        for source in [Source::Bamboohr, Source::Merge] {
            let keys = self.keys[source.name()];
            let variable = format!("{}_WEBHOOK_SECRET", source.name().to_uppercase());
            settings.push((variable.clone(), key(source, keys.service)));
            if keys.takes_previous {
                settings.push((variable + "_PREVIOUS", key(source, keys.service - 1)));
            }
        }
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let clock = Arc::new(self.app.clock.clone());
        let database = self.proxy.to(&self.app.database);
        self.app.replica(&BOTH, &settings, clock, database).await
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut_since.is_some()
    }

    /// Carries an operation out.
    pub(super) async fn perform(&mut self, op: &Op) -> Result<(), String> {
        self.done += 1;
        self.app.advance(TimeDelta::seconds(1));
        if self
            .cut_since
            .is_some_and(|since| self.done > since + LONGEST_CUT)
        {
            self.restore().await?;
        }
        match op {
            Op::Send(letter) => self.send(letter).await?,
            Op::Resend { nth, signed } => self.resend(*nth, *signed).await?,
            Op::Bad(bad) => self.misbehave(*bad).await?,
            Op::Advance { minutes } => self.app.advance(TimeDelta::minutes(*minutes)),
            Op::Rotate(source) => self.rotate(*source).await,
            Op::SwitchOn(of) => self.switch(*of, true).await,
            Op::SwitchOff(of) => self.switch(*of, false).await,
            Op::Approve { nth } => self.answer(*nth, true).await?,
            Op::Reject { nth } => self.answer(*nth, false).await?,
            Op::EndSessions => {
                let sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                                WHERE datname = current_database() AND application_name = 'leaver'";
                self.app.sql(sessions).await;
            }
            Op::Cut => {
                self.proxy.set(Mode::Cut);
                self.cut_since.get_or_insert(self.done);
            }
            Op::Restore => self.restore().await?,
            // Nothing of the others can be done without a database.
            _ if self.is_cut() => {}
            Op::Work => {
                self.app.round().await;
            }
            Op::Settle => self.settle().await?,
            Op::Timer => self.timer().await?,
            Op::TwoAtWork => self.two_at_work().await,
            Op::Kill { at, meanwhile } => self.kill(*at, meanwhile.as_ref()).await?,
            Op::KeepHouse => {
                self.keeps_house = true;
                self.retried(async |app| {
                    app.parts
                        .worker
                        .keep_house()
                        .await
                        .map_err(|e| e.to_string())
                })
                .await?;
            }
            Op::FixDrift => self.fix_drift().await?,
        }
        Ok(())
    }

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

    async fn resend(&mut self, nth: usize, signed: Signed) -> Result<(), String> {
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
                let untried = self.post.bodies[number].attempts.is_empty();
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

    async fn posted(
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

    async fn misbehave(&mut self, bad: Bad) -> Result<(), String> {
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
            Bad::Garbage(_) | Bad::NotOurs => return self.nonsense(bad).await,
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

    /// The next step of a rotation.
    async fn rotate(&mut self, source: Source) {
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

    pub(super) async fn restore(&mut self) -> Result<(), String> {
        self.proxy.set(Mode::Pass);
        self.cut_since = None;
        let mut again: Vec<usize> = self.post.unanswered.iter().copied().collect();
        again.sort_unstable();
        for number in again {
            self.app.advance(TimeDelta::seconds(1));
            self.deliver(number).await?;
        }
        Ok(())
    }

    async fn switch(&mut self, of: Record, on: bool) {
        let person = of.person();
        let flip = format!(
            "UPDATE users SET is_active = {on} WHERE email = '{person}@example.com' AND is_active <> {on} RETURNING id::text"
        );
        let Some(id) = self.app.lines(&flip).await.pop() else {
            return;
        };
        self.hands.flips += 1;
        if on {
            self.app
                .sql(&format!("INSERT INTO sessions (user_id) VALUES ({id})"))
                .await;
            self.hands.given_back.insert(person);
            self.hands.ever_given_back.insert(person);
            self.hands.taken.remove(person);
        } else {
            self.hands.taken.insert(person);
        }
    }

    /// A person's word on the nth of the open holds that know their account.
    async fn answer(&mut self, nth: usize, yes: bool) -> Result<(), String> {
        let open = holds::store::list_open(&mut self.app.conn).await.unwrap();
        let open: Vec<_> = open
            .into_iter()
            .filter(|hold| hold.account_id.is_some())
            .collect();
        let Some(hold) = open.get(nth % open.len().max(1)) else {
            return Ok(());
        };
        if !yes {
            return self
                .app
                .reject(hold.id)
                .await
                .map(drop)
                .map_err(|e| e.to_string());
        }
        if hold.wants == "reactivate" {
            let id: usize = hold.account_id.as_ref().unwrap().parse().unwrap();
            let person = Self::people()[id - 1];
            self.hands.given_back.insert(person);
            self.hands.ever_given_back.insert(person);
        }
        self.app
            .approve(hold.id, None)
            .await
            .map(drop)
            .map_err(|e| e.to_string())
    }

    /// Whatever was set aside by deaths of the process is asked for again, as `leaver replay` does.
    pub(super) async fn replay_parked(&mut self) -> usize {
        let parked = "SELECT id FROM leaver.deliveries WHERE state = 'parked' AND cause LIKE '%the service ended%'";
        let rows = sqlx::query(parked)
            .fetch_all(&mut self.app.conn)
            .await
            .unwrap();
        let ids: Vec<DeliveryId> = rows.iter().map(|row| DeliveryId(row.get(0))).collect();
        let now = self.now();
        inbox::store::replay(&mut self.app.conn, &ids, now)
            .await
            .unwrap();
        ids.len()
    }

    async fn two_at_work(&mut self) {
        if self.second.is_none() {
            self.second = Some(self.replica().await);
        }
        let second = self.second.as_mut().unwrap();
        tokio::join!(self.app.round(), second.round());
    }

    /// The worker until it has nothing to do, then the timer.
    pub(super) async fn settle(&mut self) -> Result<(), String> {
        let mut outages = 0;
        for _ in 0..1_000 {
            match self.app.round().await {
                Round::Idle => return self.timer().await,
                Round::Outage if outages < TRIES => {
                    outages += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Round::Outage => return Err("the worker does not reach the database".to_owned()),
                Round::Processed(_) | Round::PutAside | Round::Halved => {}
            }
        }
        Err("the worker does not come to rest".to_owned())
    }

    pub(super) async fn timer(&mut self) -> Result<(), String> {
        self.retried(async |app| app.try_run_due().await).await
    }

    pub(super) async fn fix_drift(&mut self) -> Result<(), String> {
        let compare = async |app: &mut TestApp| {
            let compared = drift::compare(&app.parts.worker, Remedy::Fix).await;
            compared.map(drop).map_err(|error| format!("{error:?}"))
        };
        self.retried(compare).await?;
        self.hands.given_back.clear();
        Ok(())
    }

    /// Connections that were broken are found out one by one.
    async fn retried(
        &mut self,
        work: impl AsyncFn(&mut TestApp) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut last = Ok(());
        for _ in 0..TRIES {
            last = work(&mut self.app).await;
            if last.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        last
    }
}

/// Of a process that has ended nothing is left, so its connections are not left to time.
async fn end(apps: [Option<TestApp>; 2]) {
    for app in apps.into_iter().flatten() {
        app.parts.receiver.intake.close().await;
        app.parts.pool.close().await;
    }
}

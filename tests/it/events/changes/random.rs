//! Random operations on every path: after each, changes and events agree, and the numbers of each employee have no gap.

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::engine::accounts::AccountsTable;
use leaver::engine::end::{Who, end_access, find};
use leaver::engine::shadow::change_mode::{Backlog, leave_shadow_mode, start_shadow_mode};
use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::SourceName;

use super::CHANGES;
use crate::faults::Chance;
use crate::safeguard::reject::reject;
use crate::safeguard::release::{list, release};
use crate::safeguard::undo::{confirmed, listed, of_last_batch};
use crate::safeguard::{email, employ, limits, report};
use crate::support::driving::{REACTIVATE, leaving};
use crate::support::{TestApp, ada};

const PEOPLE: usize = 6;
const STEPS: usize = 40;

/// Employees whose events are not numbered 1, 2, 3.
const GAPS: &str = "
    SELECT concat_ws(' ', employee_id, sequence, n) FROM (
        SELECT employee_id, sequence, row_number() OVER (PARTITION BY source, tenant, employee_id ORDER BY id) AS n
        FROM leaver.outbox WHERE employee_id IS NOT NULL) AS numbered
    WHERE sequence <> n";

struct Company {
    app: TestApp,
    chance: Chance,
    is_shadowed: bool,
    is_refused: bool,
}

impl Company {
    async fn new(seed: u64) -> Self {
        let limits = limits((3, 1), (10, 1));
        let limits: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let protected = ("LEAVER__ACCOUNTS__PROTECTED", "[\"person5@example.com\"]");
        let app = TestApp::builder().settings(&limits);
        let app = app.settings(&[REACTIVATE, protected]).wanting(CHANGES);
        let mut app = app.build().await;
        employ(&mut app, PEOPLE).await;
        Self {
            app,
            chance: Chance::of(seed),
            is_shadowed: false,
            is_refused: false,
        }
    }

    fn below(&mut self, end: usize) -> usize {
        let number = self.chance.below(u64::try_from(end).unwrap());
        usize::try_from(number).unwrap()
    }

    /// Returns one of the ids that a statement selects.
    async fn one_of(&mut self, sql: &str) -> Option<i64> {
        let ids = self.app.lines(sql).await;
        let position = self.below(ids.len().max(1));
        Some(ids.get(position)?.parse().unwrap())
    }

    /// Does something, and returns its name. A refusal is right, too.
    async fn step(&mut self) -> &'static str {
        self.app.advance(TimeDelta::minutes(7));
        let person = self.below(PEOPLE);
        match self.below(14) {
            0 | 1 => {
                report(&mut self.app, person..person + 1, false).await;
                "left"
            }
            2 => {
                report(&mut self.app, person..person + 1, true).await;
                "works"
            }
            3 => {
                let works = self.below(2) == 0;
                report(&mut self.app, 0..5, works).await;
                "several"
            }
            4 => {
                let (as_of, day) = (self.app.clock_text(), "2026-11-23");
                let entry = leaving(&person.to_string(), &email(person), &as_of, day);
                self.app.bamboohr(&[entry]).await;
                "leaves tomorrow"
            }
            5 => self.answer().await,
            6 => self.decide_trip().await,
            7 => self.undo().await,
            8 => self.end(person).await,
            9 => self.change_mode().await,
            10 | 11 => {
                // The trigger that refuses changes would refuse those by hand, too.
                self.app
                    .sql(&format!(
                        "SET session_replication_role = replica;
                         UPDATE users SET is_active = NOT is_active WHERE email = '{}';
                         RESET session_replication_role",
                        email(person)
                    ))
                    .await;
                compare(&self.app.parts.engine, DriftMode::Fix)
                    .await
                    .unwrap();
                "drift"
            }
            12 => self.refuse().await,
            _ => {
                self.app.advance(TimeDelta::hours(2));
                self.app.run_due().await;
                "timer"
            }
        }
    }

    async fn answer(&mut self) -> &'static str {
        let open = "SELECT id::text FROM leaver.holds WHERE state = 'open' ORDER BY id";
        let Some(hold) = self.one_of(open).await else {
            return "no hold";
        };
        if self.below(2) == 0 {
            self.app.approve(hold, None).await.ok();
            "approve"
        } else {
            self.app.reject(hold).await.unwrap();
            "reject"
        }
    }

    async fn decide_trip(&mut self) -> &'static str {
        let open = "SELECT id::text FROM leaver.trips WHERE state = 'open' ORDER BY id";
        let Some(trip) = self.one_of(open).await else {
            return "no trip";
        };
        if self.below(3) == 0 {
            reject(&mut self.app, trip).await.unwrap();
            return "reject trip";
        }
        let shown = list(&mut self.app, trip).await.unwrap();
        report(&mut self.app, 0..1, false).await;
        release(&mut self.app, trip, &shown.digest).await.ok();
        "release trip"
    }

    async fn undo(&mut self) -> &'static str {
        if self.app.count("SELECT count(*) FROM leaver.changes").await == 0 {
            return "nothing to undo";
        }
        let undo = of_last_batch(&mut self.app).await;
        let shown = listed(&mut self.app, &undo).await.unwrap();
        if let Some(digest) = shown.digest {
            // The same list can be confirmed once.
            confirmed(&mut self.app, &undo, &digest).await.ok();
        }
        "undo"
    }

    async fn end(&mut self, person: usize) -> &'static str {
        let (policies, now) = (
            Arc::clone(&self.app.parts.engine.policies),
            self.app.clock.now(),
        );
        let conn = &mut self.app.session.conn;
        let table = AccountsTable::inspect(conn, &self.app.settings.accounts);
        let table = table.await.unwrap();
        let ada = ada();
        let who = Who::parse(&email(person));
        let found = find(conn, &table, &policies, &who, None, None)
            .await
            .unwrap();
        let candidates = &found.candidates;
        let ended = end_access(
            conn,
            &table,
            &policies,
            candidates,
            "lost laptop",
            &ada,
            now,
        );
        ended.await.ok();
        "end"
    }

    async fn change_mode(&mut self) -> &'static str {
        let (policies, now) = (
            Arc::clone(&self.app.parts.engine.policies),
            self.app.clock.now(),
        );
        let source = SourceName::parse("bamboohr").unwrap();
        let backlog = if self.below(2) == 0 {
            Backlog::Release
        } else {
            Backlog::Accept
        };
        let conn = &mut self.app.session.conn;
        let table = AccountsTable::inspect(conn, &self.app.settings.accounts);
        let table = table.await.unwrap();
        let ada = ada();
        self.is_shadowed = !self.is_shadowed;
        if self.is_shadowed {
            let started = start_shadow_mode(conn, &policies, &source, &ada, now);
            started.await.unwrap();
            return "shadow";
        }
        let backlog = Some(backlog);
        let left = leave_shadow_mode(conn, &table, &policies, &source, backlog, &ada, now);
        left.await.unwrap();
        "enforce"
    }

    async fn refuse(&mut self) -> &'static str {
        self.is_refused = !self.is_refused;
        if self.is_refused {
            self.app.refuse_to_change(&[1, 2], "P0001").await;
            "refuse"
        } else {
            self.app.sql("DROP TRIGGER refuse ON users").await;
            "allow"
        }
    }
}

#[tokio::test]
async fn random_operations_leave_changes_and_events_that_agree() {
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 1..=3 {
        let mut company = Company::new(seed).await;
        let mut done = vec![];
        for _ in 0..STEPS {
            done.push(company.step().await);
            let differences = crate::support::events::changes_without_event(&mut company.app);
            assert_eq!(differences.await, [""; 0], "seed {seed}: {done:?}");
        }
        assert_eq!(company.app.lines(GAPS).await, [""; 0], "seed {seed}");
        kinds.extend(company.app.event_types().await);
    }
    assert!(kinds.len() >= 6, "{kinds:?}");
}

//! The service under simulation, with its proxy, senders and people. It runs operations and checks their direct answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use leaver::base::clock::Clock;
use leaver::engine::accounts::AccountsTable;
use sqlx::{ConnectOptions, PgConnection};

use super::hands::Hands;
use super::obstacles::ROLE;
use super::ops::{Letter, Op, OpList, Record, Rehire, Says, Source};
use super::post::{Keys, Post, key};
use crate::support::TestApp;
use crate::support::proxy::{Mode, Proxy};

const BOTH: [&str; 2] = ["bamboohr", "merge"];
/// How often something is tried again that a broken connection may have spoilt.
pub(super) const TRIES: usize = 100;
/// Operations after which the way to Postgres is there again at the latest.
const LONGEST_CUT: usize = 4;

pub(super) struct World {
    ground: TestApp,
    /// The connection of commands, in the role of the service.
    pub(super) operator: PgConnection,
    /// The accounts table as that role sees it.
    pub(super) table: AccountsTable,
    pub(super) app: TestApp,
    pub(super) second: Option<TestApp>,
    proxy: Proxy,
    pub(super) rehire: Rehire,
    batch: u16,
    pub(super) limit: Option<u32>,
    pub(super) post: Post,
    pub(super) keys: BTreeMap<&'static str, Keys>,
    cut_since: Option<usize>,
    done: usize,
    pub(super) hands: Hands,
    pub(super) keeps_house: bool,
}

impl World {
    /// Everybody but Dia and Hal works there, and that is known.
    pub(super) async fn new(list: &OpList, ground: TestApp) -> Result<Self, String> {
        let keys = BOTH.map(|source| (source, Keys::default()));
        let operator = ground.options.clone().username(ROLE);
        let mut operator = operator.connect().await.unwrap();
        let mapping = &ground.settings.accounts;
        let table = AccountsTable::inspect(&mut operator, mapping)
            .await
            .unwrap();
        let mut world = Self {
            operator,
            table,
            app: ground.beside(&BOTH, &[]).await,
            ground,
            second: None,
            proxy: Proxy::start().await,
            rehire: list.rehire,
            batch: list.batch,
            limit: list.limit,
            post: Post::default(),
            keys: keys.into(),
            cut_since: None,
            done: 0,
            hands: Hands::default(),
            keeps_house: false,
        };
        world.start().await;
        for of in Record::ALL {
            if ![Record::Dia, Record::Hal].contains(&of) {
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

    /// Ends what is left of the service; what it stood on is left.
    pub(super) async fn end(self) -> TestApp {
        self.proxy.set(Mode::Pass);
        end([Some(self.app), self.second]).await;
        self.ground
    }

    pub(super) async fn replica(&self) -> TestApp {
        let mut settings = vec![
            (
                "LEAVER__SERVER__STORE_TIMEOUT".to_owned(),
                "500ms".to_owned(),
            ),
            ("LEAVER__DATABASE__MIGRATE".to_owned(), "false".to_owned()),
            ("LEAVER__INBOX__RETENTION".to_owned(), "14d".to_owned()),
            (
                "LEAVER__WORKER__BATCH_SIZE".to_owned(),
                self.batch.to_string(),
            ),
            (
                "LEAVER__INBOX__FAILED_RETENTION".to_owned(),
                "3650d".to_owned(),
            ),
            (
                "LEAVER__POLICY__REHIRE".to_owned(),
                match self.rehire {
                    Rehire::Hold => "hold".to_owned(),
                    Rehire::Reactivate => "reactivate".to_owned(),
                },
            ),
        ];
        if let Some(limit) = self.limit {
            for (window, floor) in [("HOUR", limit), ("DAY", 2 * limit)] {
                let name = format!("LEAVER__SAFEGUARD__{window}__FLOOR");
                settings.push((name, floor.to_string()));
            }
        }
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
        let database = self.proxy.to(self.app.database_name()).username(ROLE);
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
            Op::KeepHouse => self.run_housekeeping_once().await?,
            Op::FixDrift => self.fix_drift().await?,
            Op::Obstruct { of, by } => self.obstruct(*of, *by).await,
            Op::Permit(of) => self.permit(*of).await,
            Op::DeleteAccount(of) => self.delete_account(*of).await,
            Op::CreateAccount(of) => self.create_account(*of).await,
            Op::CheckDrift => self.check_drift().await?,
            Op::ReleaseTrips => self.decide_trips(true).await?,
            Op::RejectTrips => self.decide_trips(false).await?,
        }
        Ok(())
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
}

/// Of a process that has ended nothing is left, so its connections are not left to time.
async fn end(apps: [Option<TestApp>; 2]) {
    for app in apps.into_iter().flatten() {
        app.parts.state.intake.close().await;
        app.parts.engine.pool.close().await;
    }
}

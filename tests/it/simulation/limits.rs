//! No list of operations exceeds a limit of the safeguard, whatever dies and however many replicas work.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use leaver::engine::safeguard::trips::{self, TripError};
use sqlx::Row;
use tokio::task::JoinSet;

use super::idle_apps::IdleApps;
use super::journal;
use super::ops::{Op, OpList, Record};
use super::world::World;
use super::{AT_ONCE, first_seed, in_time, say, seeded, variable, written};
use crate::support::ada;

/// A change that no person decided.
struct Change {
    tenant: String,
    action: String,
    account: String,
    at: DateTime<Utc>,
}

impl World {
    /// Releases or rejects all open trips.
    pub(super) async fn decide_trips(&mut self, yes: bool) -> Result<(), String> {
        let open = "SELECT id::text FROM leaver.trips WHERE state = 'open' ORDER BY id";
        for id in self.app.lines(open).await {
            let (trip, now) = (id.parse().unwrap(), self.now());
            let decided = if yes {
                self.release_trip(trip, now).await
            } else {
                let policies = Arc::clone(&self.app.parts.engine.policies);
                trips::reject(&mut self.operator, &policies, trip, &ada(), now)
                    .await
                    .map(drop)
            };
            decided.map_err(|error| format!("trip {trip}: {error}"))?;
        }
        Ok(())
    }

    async fn release_trip(&mut self, trip: i64, now: DateTime<Utc>) -> Result<(), TripError> {
        let policies = Arc::clone(&self.app.parts.engine.policies);
        let (operator, table, ada) = (&mut self.operator, &self.table, ada());
        let listed = trips::preview(operator, table, &policies, trip, &ada, now).await?;
        let (digest, day) = (listed.digest, TimeDelta::days(1));
        let released = trips::release(operator, table, &policies, trip, &digest, day, &ada, now);
        released.await.map(drop)
    }

    /// Each change has a record, and the records stay within the limits. The audit log has them independently of the table
    /// that the safeguard counts.
    async fn limits_hold(&mut self) -> Result<(), String> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        let journal = journal::read(&mut self.app).await;
        self.deeds_have_records(&journal)?;
        let rows = "SELECT tenant, action, account_id, at FROM leaver.audit
                    WHERE action IN ('deactivated', 'reactivated') AND actor LIKE 'system:%'";
        let rows = sqlx::query(rows)
            .fetch_all(&mut self.app.conn)
            .await
            .unwrap();
        let changes: Vec<Change> = rows
            .iter()
            .map(|row| Change {
                tenant: row.get(0),
                action: row.get(1),
                account: row.get(2),
                at: row.get(3),
            })
            .collect();
        let rows =
            "SELECT tenant, direction, closed_at FROM leaver.trips WHERE closed_at IS NOT NULL";
        let closed = sqlx::query(rows)
            .fetch_all(&mut self.app.conn)
            .await
            .unwrap();
        for last in &changes {
            let restarted = closed
                .iter()
                .filter(|row| {
                    row.get::<String, _>(0) == last.tenant && row.get::<String, _>(1) == last.action
                })
                .map(|row| row.get::<DateTime<Utc>, _>(2))
                .filter(|at| *at < last.at)
                .max()
                .unwrap_or(DateTime::<Utc>::MIN_UTC);
            for (length, allowed) in [
                (TimeDelta::hours(1), limit),
                (TimeDelta::days(1), 2 * limit),
            ] {
                let counts = |other: &&Change| {
                    (&other.tenant, &other.action) == (&last.tenant, &last.action)
                        && other.at <= last.at
                        && other.at > last.at - length
                        && other.at > restarted
                };
                let mut accounts: Vec<&str> = changes
                    .iter()
                    .filter(counts)
                    .map(|other| other.account.as_str())
                    .collect();
                accounts.sort_unstable();
                accounts.dedup();
                if accounts.len() > usize::try_from(allowed).unwrap() {
                    return Err(format!(
                        "{accounts:?} were {} within {length} until {}, limit {allowed}",
                        last.action, last.at
                    ));
                }
            }
        }
        Ok(())
    }

    /// Carries the list out, and checks the limits at each rest.
    async fn run_limited(&mut self, ops: &[Op]) -> Result<(), String> {
        for (position, op) in ops.iter().enumerate() {
            let done = async {
                self.perform(op).await?;
                match op {
                    Op::Settle if !self.is_cut() => self.limits_hold().await,
                    _ => Ok(()),
                }
            };
            in_time(Box::pin(done))
                .await
                .map_err(|error| format!("operation {position}, {op:?}: {error}"))?;
        }
        in_time(async {
            self.restore().await?;
            self.remove_all_obstacles().await;
            for _ in 0..4 {
                self.app.advance(TimeDelta::days(1));
                self.settle().await?;
                self.limits_hold().await?;
                self.decide_trips(true).await?;
            }
            self.fix_drift().await?;
            self.limits_hold().await
        })
        .await
    }
}

/// Returns the list of a seed, about everybody and with a small limit.
fn limited(seed: u64, most: usize) -> OpList {
    let mut list = seeded(seed, most);
    list.limit = Some(1 + u32::try_from(seed % 3 / 2).unwrap());
    for (position, of) in list.ops.iter_mut().filter_map(Op::of).enumerate() {
        *of = Record::ALL[position % Record::ALL.len()];
    }
    list
}

async fn outcome(list: OpList, idle_apps: Arc<IdleApps>) -> (Result<(), String>, i64) {
    let mut world = match Box::pin(World::new(&list, idle_apps.take().await)).await {
        Ok(world) => world,
        Err(error) => return (Err(error), 0),
    };
    let done = Box::pin(world.run_limited(&list.ops)).await;
    let trips = world.app.count("SELECT count(*) FROM leaver.trips").await;
    idle_apps.give_back(Box::pin(world.end()).await);
    (done, trips)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_never_exceed_a_limit() {
    let (first, most) = (first_seed(), variable("SIMULATION_OPS", 30));
    let lists: u64 = variable("SIMULATION_LISTS", 40);
    let idle_apps = Arc::new(IdleApps::default());
    let mut seeds = first..first + lists;
    let mut running = JoinSet::new();
    let (mut trips, mut failed) = (0, vec![]);
    loop {
        while running.len() < AT_ONCE
            && let Some(seed) = seeds.next()
        {
            let list = limited(seed, most);
            let idle_apps = Arc::clone(&idle_apps);
            running.spawn(async move { (seed, Box::pin(outcome(list, idle_apps)).await) });
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        let (seed, (done, tripped)) = ended.unwrap();
        trips += tripped;
        if let Err(error) = done {
            let (path, _) = written(seed, &limited(seed, most));
            failed.push(format!(
                "SIMULATION_SEED={seed}, {}: {error}",
                path.display()
            ));
        }
    }
    say(&format!("{lists} lists with limits, {trips} trips"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(trips > 10, "{trips} trips");
}
